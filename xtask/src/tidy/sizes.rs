//! How long files are, beside admired code bases, and which long ones have a reason.

use crate::run;
use std::collections::BTreeMap;

/// A longer file needs a reason in [`REASONS`].
const LINES_NOTED: usize = 500;

/// Long files, each with the reason why it is not several.
const REASONS: &[(&str, &str)] =
    &[("crates/ua/src/client/publishing/tests.rs", "one table of cases around one state machine")];

/// Median and 95th percentile of others, tests included, counted on their main branches in November 2026.
const OTHERS: &[(&str, usize, usize)] = &[
    ("fjall", 70, 502),
    ("linkerd2-proxy", 142, 512),
    ("quinn", 220, 1155),
    ("async-opcua server", 273, 1028),
];

/// Lines by file.
#[derive(Default)]
pub(super) struct Sizes(BTreeMap<String, usize>);

impl Sizes {
    pub(super) fn add(&mut self, file: &str, text: &str) {
        self.0.insert(file.to_owned(), text.lines().count());
    }

    /// Long files without a reason, and reasons without a long file.
    pub(super) fn faults(&self) -> Vec<String> {
        self.faults_with(REASONS)
    }

    fn faults_with(&self, reasons: &[(&str, &str)]) -> Vec<String> {
        let is_long = |file: &str| self.0.get(file).is_some_and(|lines| *lines > LINES_NOTED);
        let long = self.0.iter().filter(|(file, _)| is_long(file));
        let without = long.filter(|(file, _)| !reasons.iter().any(|(known, _)| known == file));
        let mut faults: Vec<String> = without
            .map(|(file, lines)| {
                format!("{file} has {lines} lines; split it, or give a reason in xtask/src/tidy/sizes.rs")
            })
            .collect();
        let stale = reasons.iter().filter(|(file, _)| !is_long(file));
        faults.extend(stale.map(|(file, _)| format!("{file} is not long any more: remove its reason")));
        faults
    }

    pub(super) fn print(&self) {
        let mut lines: Vec<usize> = self.0.values().copied().collect();
        lines.sort_unstable();
        let at = |share: usize| {
            lines.get((lines.len() * share / 100).min(lines.len().saturating_sub(1))).copied().unwrap_or(0)
        };
        let others: Vec<String> =
            OTHERS.iter().map(|(name, median, p95)| format!("{name} {median} / {p95}")).collect();
        run::say(&format!(
            "tidy: {} Rust files, median / 95th percentile {} / {} lines, longest {}; others: {}",
            lines.len(),
            at(50),
            at(95),
            lines.last().copied().unwrap_or(0),
            others.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_long_file_needs_a_reason_and_a_reason_a_long_file() {
        let mut sizes = Sizes::default();
        sizes.add("a.rs", &"\n".repeat(501));
        sizes.add("b.rs", &"\n".repeat(600));
        sizes.add("c.rs", &"\n".repeat(500));
        expect![[r#"
            a.rs has 501 lines; split it, or give a reason in xtask/src/tidy/sizes.rs
            c.rs is not long any more: remove its reason"#]]
        .assert_eq(&sizes.faults_with(&[("b.rs", "a table"), ("c.rs", "was one")]).join("\n"));
    }
}
