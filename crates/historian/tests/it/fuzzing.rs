//! Arbitrary bytes in place of the store's files, by seed.

use gemba_historian::fuzz;
use gemba_testkit::fuzz::Target;
use std::path::{Path, PathBuf};

/// Files of all versions below `testdata` whose names begin so.
fn files(prefix: &str) -> Vec<Vec<u8>> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("lists").flatten() {
            if entry.path().is_dir() {
                visit(&entry.path(), found);
            } else {
                found.push(entry.path());
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"), &mut found);
    found.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)));
    found.sort();
    assert!(!found.is_empty(), "{prefix}");
    found.iter().map(|path| std::fs::read(path).expect("reads")).collect()
}

/// What a sealed document says, without the seal.
fn content(sealed: &[u8]) -> Vec<u8> {
    let document: serde_json::Value = serde_json::from_slice(sealed).expect("is JSON");
    document.get("content").map(ToString::to_string).unwrap_or_default().into_bytes()
}

fn documents(prefix: &str) -> Vec<Vec<u8>> {
    let mut all = files(prefix);
    let contents: Vec<Vec<u8>> = all.iter().map(|sealed| content(sealed)).collect();
    all.extend(contents);
    all
}

/// Numbers at the edges of what a document may say.
const WORDS: [&str; 5] = ["-1", "9223372036854775807", "18446744073709551615", "null", "[]"];

#[test]
fn no_bytes_make_a_manifest_panic() {
    let target = Target::new("historian-manifest-document", fuzz::manifest);
    target.inputs(documents("2.")).words(WORDS).executions(4_000).run();
}

#[test]
fn no_bytes_make_a_ledger_panic() {
    let target = Target::new("historian-ledger", fuzz::ledger);
    target.inputs(documents("gaps-")).words(WORDS).executions(4_000).run();
}

#[test]
fn no_bytes_make_waiting_messages_panic() {
    let target = Target::new("historian-pending", fuzz::pending);
    target.inputs(documents("pending-")).words(WORDS).executions(4_000).run();
}

#[test]
fn no_bytes_make_a_sample_file_panic() {
    let target = Target::new("historian-sample-file", fuzz::sample_file);
    let inputs = files("part-").into_iter().chain(files("last-"));
    target.inputs(inputs).words(["PAR1", "gemba.checks", "gemba.received"]).executions(2_000).run();
}
