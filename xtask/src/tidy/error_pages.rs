//! Each error code has a page, each page a code.

use super::rust_files;
use crate::root;
use anyhow::Result;
use std::fs;

/// Each error code has a page, each page a code.
pub(super) fn error_pages() -> Result<Vec<String>> {
    let mut codes = std::collections::BTreeMap::new();
    let mut mentioned = String::new();
    for path in rust_files(&root().join("crates"))? {
        let text = fs::read_to_string(&path)?;
        // A code may also stand inside a longer text.
        text.match_indices("GMB-").for_each(|(at, _)| mentioned.extend(text.get(at..at + 12)));
        for code in codes_in(&text) {
            codes.entry(code).or_insert_with(|| path.clone());
        }
    }
    let folder = root().join("docs/errors");
    let mut faults = Vec::new();
    let mut pages = Vec::new();
    if folder.is_dir() {
        for entry in fs::read_dir(&folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if let Some(code) = name.strip_suffix(".md").filter(|code| code.starts_with("GMB-")) {
                pages.push(code.to_owned());
            }
        }
    }
    for (code, path) in &codes {
        if !pages.contains(code) {
            faults.push(format!("{} uses {code}, which has no page docs/errors/{code}.md", path.display()));
        }
    }
    for page in pages.iter().filter(|page| !mentioned.contains(page.as_str())) {
        faults.push(format!("docs/errors/{page}.md describes a code that nothing uses"));
    }
    Ok(faults)
}

/// Codes written as whole string literals, such as `"GMB-UA-003"`.
fn codes_in(text: &str) -> Vec<String> {
    let quoted = text.split('"').filter(|part| part.starts_with("GMB-"));
    quoted
        .filter(|part| {
            let mut parts = part.split('-').skip(1);
            let area = parts.next().is_some_and(|area| {
                (2..=4).contains(&area.len()) && area.bytes().all(|b| b.is_ascii_uppercase())
            });
            area && parts.next().is_some_and(|n| n.len() == 3 && n.bytes().all(|b| b.is_ascii_digit()))
                && parts.next().is_none()
        })
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_only_as_whole_literals() {
        let codes = codes_in(r#"ErrorCode("GMB-UA-003"); "GMB-UA-3"; "see GMB-UA-004"; "GMB-WAL-010""#);
        assert_eq!(codes, ["GMB-UA-003", "GMB-WAL-010"]);
    }
}
