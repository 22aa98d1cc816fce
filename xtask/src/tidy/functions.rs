//! How long functions are.

/// Longer ones fail, signature and all.
const LINES_MAX: usize = 70;

/// Functions of a file that are too long. rustfmt puts the brace that ends one below its first word.
pub(super) fn long_functions(shown: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut faults = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = name_of(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let ends = |line: &&str| line.trim() == "}" && line.len() == indent + 1;
        let rest = lines.get(at..).unwrap_or_default();
        let count = rest.iter().position(ends).map_or(0, |last| last + 1);
        if !line.ends_with(['}', ';']) && count > LINES_MAX {
            faults.push(format!(
                "{shown}:{}: `{name}` has {count} lines; give its parts names (at most {LINES_MAX})",
                at + 1
            ));
        }
    }
    faults
}

/// The name of the function that begins on a line.
fn name_of(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let is_before = |word: &str| {
        matches!(word, "const" | "async" | "unsafe" | "extern" | "\"C\"") || word.starts_with("pub")
    };
    let keyword = words.find(|word| !is_before(word))?;
    let rest = words.next().filter(|_| keyword == "fn")?;
    rest.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_long_function_is_named_and_a_declaration_is_not_one() {
        let body = |lines: usize| "        work();\n".repeat(lines);
        let text = format!(
            "trait A {{\n    fn declared(&self);\n}}\nimpl B {{\n    pub(crate) async fn long<T>(\n        a: T,\n    ) {{\n{}    }}\n    fn short() {{\n{}    }}\n}}\n",
            body(68),
            body(68)
        );
        expect!["a.rs:5: `long` has 72 lines; give its parts names (at most 70)"]
            .assert_eq(&long_functions("a.rs", &text).join("\n"));
    }
}
