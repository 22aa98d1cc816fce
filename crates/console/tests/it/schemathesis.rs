//! Other people's fuzzer walks the API from its description: whatever it sends, the answers are as described.

use crate::house::House;
use crate::plant::{field_report, sample};
use gemba_api::rest::Role;
use gemba_model::Variant;
use gemba_testkit::peers::{python, skip};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Cases of each operation and phase at most.
const EXAMPLES_MAX: &str = "12";
/// The same cases in every run.
const SEED: &str = "20260301";

/// What the fuzzer is not for: a stream without end, ways in that count wrong tries of an address, and what would take
/// the tokens or users of the test itself.
const LEFT_OUT: [&str; 5] = [
    "/api/v1/live",
    "/api/v1/session",
    "/api/v1/session/password",
    "/api/v1/first-start",
    "/api/v1/tokens/{id}",
];

fn walk(program: &std::path::Path, base: &str, token: &str, folder: &std::path::Path) -> Output {
    let mut schemathesis = Command::new(program);
    schemathesis.current_dir(folder).arg("run").arg(format!("{base}/openapi.json"));
    schemathesis.args(["--header", &format!("Authorization: Bearer {token}")]);
    schemathesis.args(["--seed", SEED, "--max-examples", EXAMPLES_MAX, "--generation-database", "none"]);
    schemathesis.args(["--phases", "examples,coverage,fuzzing", "--workers", "1", "--no-color"]);
    schemathesis.args(["--request-timeout", "300", "--suppress-health-check", "all"]);
    // What a time, a name or a token is, and that a range begins before its end, no schema says.
    schemathesis.args(["--exclude-checks", "positive_data_acceptance"]);
    for path in LEFT_OUT {
        schemathesis.args(["--exclude-path", path]);
    }
    schemathesis.output().expect("runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_answer_that_is_not_described() {
    let Some(programs) = python("schemathesis") else { return skip("schemathesis (PyPI)") };
    let house = Arc::new(House::new().await);
    house.plant.report(vec![field_report()]);
    for series in 1..4 {
        for minute in 10..50 {
            let at = format!("2026-03-01T11:{minute}:00Z");
            house.plant.add(series, sample(&at, Variant::Double(f64::from(minute))));
        }
    }
    // What proves nothing has a rate; time must pass for it to be let in again.
    let walks = Arc::new(AtomicBool::new(true));
    let (clock, goes) = (Arc::clone(&house), Arc::clone(&walks));
    let time = tokio::spawn(async move {
        while goes.load(Ordering::SeqCst) {
            clock.clock.advance(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    let folder = std::env::temp_dir().join(format!("gemba-schemathesis-{}", gemba_base::random::hex::<8>()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (base, token) = (format!("http://{}", house.address), house.token(Role::Admin));
    let (program, place) = (programs.join("schemathesis"), folder.clone());
    let walk =
        tokio::task::spawn_blocking(move || walk(&program, &base, &token, &place)).await.expect("ends");
    walks.store(false, Ordering::SeqCst);
    time.await.expect("ends");
    std::fs::remove_dir_all(folder).expect("is there");
    let said = String::from_utf8_lossy(&walk.stdout);
    assert!(walk.status.success(), "{said}\n{}", String::from_utf8_lossy(&walk.stderr));
    assert!(!said.contains("No operations"), "{said}");
}
