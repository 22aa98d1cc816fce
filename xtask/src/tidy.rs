//! Small rooms, said purposes, no banned words: what a reviewer would otherwise repeat.

mod error_pages;
mod functions;
mod sizes;

use crate::root;
use anyhow::{Context, Result, bail};
use error_pages::error_pages;
use functions::long_functions;
use sizes::Sizes;
use std::fs;
use std::path::{Path, PathBuf};

/// Longer files fail.
const LINES_MAX: usize = 800;
/// Longer lines fail (rustfmt leaves long strings alone, so this is wider than its limit).
const COLUMNS_MAX: usize = 160;

/// Words that must not stand in code, each with what to write instead.
const BANNED: &[(&str, &str)] = &[
    ("todo!(", "write it, or return an error that says it is not there"),
    ("unimplemented!(", "write it, or return an error that says it is not there"),
    ("dbg!(", "remove it"),
    ("#[ignore", "a test that does not run proves nothing"),
    ("#[should_panic", "assert on the error"),
    ("unbounded_channel", "every queue has a bound"),
    ("std::env::set_var", "pass the value; the environment is shared by all threads"),
    ("ignore_clock_skew(true)", "it rewrites source timestamps"),
];

pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    let mut sizes = Sizes::default();
    for path in rust_files(&root())? {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        faults.extend(faults_in(&shown, &text));
        faults.extend(long_functions(&shown, &text));
        sizes.add(&shown, &text);
    }
    faults.extend(sizes.faults());
    faults.extend(error_pages()?);
    if !faults.is_empty() {
        bail!("tidy: {} fault(s)\n  {}", faults.len(), faults.join("\n  "));
    }
    sizes.print();
    Ok(())
}

/// Every Rust file below a folder that is ours.
pub(crate) fn rust_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !name.starts_with('.') && !matches!(name.as_str(), "target" | "node_modules" | "dist") {
                    open.push(entry.path());
                }
            } else if name.ends_with(".rs") {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn faults_in(shown: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let count = text.lines().count();
    if count > LINES_MAX {
        faults.push(format!("{shown} has {count} lines; split it by responsibility (at most {LINES_MAX})"));
    }
    let is_test = shown.ends_with("tests.rs") || shown.contains("/tests/");
    if !is_test && !text.starts_with("//!") && !text.starts_with("#!") {
        faults.push(format!("{shown} must begin with a `//!` line that says its purpose"));
    }
    if shown.ends_with("/mod.rs") {
        faults.push(format!("{shown}: modules are `x.rs` + `x/`, not `mod.rs`"));
    }
    let stem = shown.rsplit('/').next().unwrap_or(shown).trim_end_matches(".rs");
    if matches!(stem, "util" | "utils" | "common" | "helper" | "helpers" | "manager" | "misc") {
        faults.push(format!("{shown}: '{stem}' says nothing; name what it is for"));
    }
    // This file lists the words it bans.
    if shown != "xtask/src/tidy.rs" {
        let tests_from = text.lines().position(|line| line == "#[cfg(test)]").unwrap_or(usize::MAX);
        for (number, line) in text.lines().enumerate() {
            let is_test = is_test || number > tests_from;
            for (word, instead) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
                faults.push(format!("{shown}:{}: `{word}` is banned: {instead}", number + 1));
            }
            // Tests speak data, and data has its own width.
            if !is_test && line.chars().count() > COLUMNS_MAX {
                faults.push(format!("{shown}:{}: the line is longer than {COLUMNS_MAX} columns", number + 1));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_planted_fault_is_named() {
        let long = format!("//! Long.\n{}", "\n".repeat(LINES_MAX));
        let mut faults = faults_in("crates/a/src/long.rs", &long);
        faults.extend(faults_in("crates/a/src/util.rs", "fn main() { todo!() }\n"));
        faults.extend(faults_in("crates/a/src/b/mod.rs", "//! Fine.\n#[ignore]\n"));
        expect![[r#"
            crates/a/src/long.rs has 801 lines; split it by responsibility (at most 800)
            crates/a/src/util.rs must begin with a `//!` line that says its purpose
            crates/a/src/util.rs: 'util' says nothing; name what it is for
            crates/a/src/util.rs:1: `todo!(` is banned: write it, or return an error that says it is not there
            crates/a/src/b/mod.rs: modules are `x.rs` + `x/`, not `mod.rs`
            crates/a/src/b/mod.rs:2: `#[ignore` is banned: a test that does not run proves nothing"#]]
        .assert_eq(&faults.join("\n"));
    }
}
