//! What people and scripts meet on the command line.

use crate::support::Folder;
use crate::support::chain::{FREE_PORTS, Gemba, command};
use crate::support::process::gemba;

fn fails(arguments: &[&str]) -> (i32, String) {
    let output = gemba().args(arguments).output().expect("gemba can be started");
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output.status.code().unwrap_or(-1), text)
}

#[test]
fn a_wrong_command_line_ends_with_64_and_a_failure_with_1() {
    assert_eq!(fails(&["frobnicate"]).0, 64);
    let (code, text) = fails(&["token", "create", "--role", "viewer", "--data", "/nonexistent/gemba"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("there is no data directory /nonexistent/gemba"), "{text}");
}

#[test]
fn personalities_of_servers_are_listed_and_checked() {
    let (code, help) = fails(&["sim", "load", "--help"]);
    assert_eq!(code, 0, "{help}");
    for name in gemba_sim::personality::Personality::names() {
        let listed = help.lines().any(|line| line.trim_start().starts_with(&format!("{name} ")));
        assert!(listed, "{name} in {help}");
    }
    let (code, text) = fails(&["sim", "load", "--personality", "grumpy"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("personality is grumpy, but must be one of small-limits, "), "{text}");
}

#[test]
fn an_unknown_setting_names_the_nearest_known_one() {
    let (code, text) = fails(&["config", "show", "--set", "hub.mqtt.lisen=1"]);
    assert_eq!(code, 1);
    assert!(text.contains("did you mean 'hub.mqtt.listen'?"), "{text}");
}

#[test]
fn config_show_names_the_origin_of_each_value() {
    let output = gemba()
        .args(["config", "show", "--set", "hub.partitions=8"])
        .env("GEMBA__CONSOLE__LISTEN", "127.0.0.1:9999")
        .output()
        .expect("gemba can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.lines().any(|line| line.contains("hub.partitions = 8") && line.ends_with("# command line")),
        "{text}"
    );
    assert!(
        text.lines().any(|line| line.contains("9999") && line.contains("GEMBA__CONSOLE__LISTEN")),
        "{text}"
    );
}

#[test]
fn identities_and_tokens_work_with_and_without_a_live_process() {
    let folder = Folder::new("cli");
    let data = folder.path().join("data");
    let data_text = data.display().to_string();
    let mut arguments = vec!["--role", "platform"];
    arguments.extend(FREE_PORTS);
    let mut platform = Gemba::run("platform", folder.path(), &data, &arguments);
    let endpoints = platform.endpoints();
    let connection = command(&["hub", "identity", "create", "press-1", "--data", &data_text]);
    assert!(
        connection.starts_with("HostName=127.0.0.1:")
            && connection.contains(";DeviceId=press-1;SharedAccessKey="),
        "{connection}"
    );
    let port = endpoints["mqtts"].as_str().and_then(|url| url.rsplit(':').next()).expect("a port");
    assert!(connection.contains(port), "{connection} names the port {port}");
    let (code, text) = fails(&["hub", "identity", "create", "press-1", "--data", &data_text]);
    assert_eq!(code, 1);
    assert!(text.contains("press-1"), "{text}");
    let file = folder.path().join("press-2.json");
    command(&["hub", "enroll", "press-2", "--out", &file.display().to_string(), "--data", &data_text]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(&file).expect("the file is there").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let (code, text) = fails(&["run", "--role", "platform", "--data", &data_text]);
    assert_eq!(code, 1);
    assert!(text.contains("in use by another Gemba"), "{text}");
    platform.stop();
    assert!(!data.join("run/endpoints.json").exists(), "a clean stop takes its endpoints away");
    let listed = command(&["hub", "identity", "list", "--data", &data_text]);
    assert!(listed.contains("press-1") && listed.contains("press-2"), "{listed}");
    assert!(command(&["token", "create", "--role", "admin", "--data", &data_text]).starts_with("gtk_"));
}
