//! The page in a real browser, over the real thing.

use crate::support::chain::{FREE_PORTS, Gemba};
use crate::support::http::Rest;
use crate::support::peers::root;
use crate::support::process::{Process, gemba};
use crate::support::{Folder, alone, checker, wait_for};
use gemba_base::{Clock, SystemClock};
use gemba_testkit::peers::skip;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A killed server is shown as what it is within this time.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

fn browser() -> Option<PathBuf> {
    let known =
        ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].map(PathBuf::from);
    known.into_iter().find(|path| path.is_file())
}

fn start_plant(folder: &Folder, published: &str) -> Process {
    let mut command = gemba();
    command.args(["sim", "factory", "--clock-factor", "30", "--published-nodes", published]);
    let process = Process::start(&mut command, &folder.path().join("plant.txt"));
    wait_for("the plant", Duration::from_secs(60), || process.printed().contains("wrote").then_some(()));
    process
}

#[test]
fn a_person_signs_in_sees_values_move_and_a_dead_server() {
    let web = root().join("web");
    let Some(chromium) = browser() else { return skip("chromium") };
    if !web.join("dist/index.html").is_file() || !web.join("node_modules/playwright-core").is_dir() {
        return skip("the built page (cargo x web)");
    }
    let _alone = alone();
    let folder = Folder::new("page");
    let published = folder.path().join("publishednodes.json").display().to_string();
    let mut plant = start_plant(&folder, &published);
    let mut arguments = vec!["--role", "platform,edge", "--published-nodes", &published];
    arguments.extend(FREE_PORTS);
    let mut gemba = Gemba::run("gemba", folder.path(), &folder.path().join("data"), &arguments);
    let rest = gemba.rest();
    wait_for("series of all six stations", Duration::from_secs(60), || {
        (checker::series(&rest).len() >= 60).then_some(())
    });
    let link = std::fs::read_to_string(gemba.data.join("run/first-start-link"))
        .expect("there is a first-start link");
    let shots = root().join("target/pictures");
    let output = Command::new("node")
        .args(["journeys/run.mjs", "--first-start", link.trim(), "--shots", &shots.display().to_string()])
        .env("GEMBA_CHROMIUM", chromium)
        .current_dir(&web)
        .output()
        .expect("node can be started");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains(" 0 failed"), "the journey failed:\n{text}");
    let killed = SystemClock::new().now();
    plant.kill();
    let states = wait_for("all servers to be shown as lost", Duration::from_secs(60), || {
        let states = source_states(&rest);
        (states.len() == 6 && states.iter().all(|(state, _)| state == "reconnecting")).then_some(states)
    });
    for (_, since) in states {
        let since: gemba_model::DateTime = since.parse().expect("a time");
        assert!(since.since(killed) <= SHOWN_WITHIN, "killed at {killed}, shown since {since}");
    }
    let flow = rest.get("/api/v1/flow");
    let problems = flow["problems"].as_array().expect("a list of problems");
    assert!(problems.iter().any(|problem| problem["code"] == "GMB-FLD-006"), "{problems:?}");
    gemba.stop();
}

/// State and its beginning, of each server.
fn source_states(rest: &Rest) -> Vec<(String, String)> {
    let flow = rest.get("/api/v1/flow");
    let stages = flow["stages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sources = stages.iter().filter_map(|stage| stage["sources"].as_array()).flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    sources.map(|source| (text(&source["state"]), text(&source["since"]))).collect()
}
