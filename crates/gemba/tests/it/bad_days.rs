//! Bad configuration and bad surroundings at a start: each ends with 1 and a text that names thing, place and remedy.

use crate::support::Folder;
use crate::support::chain::{FREE_PORTS, Gemba};
use crate::support::process::gemba;
use std::net::TcpListener;
use std::path::Path;

/// Runs a command that must fail, and returns what it said.
fn refused(arguments: &[&str]) -> String {
    let output = gemba().args(arguments).output().expect("gemba can be started");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    text
}

/// What a platform says that cannot start on a data directory.
fn start_refused(data: &Path, more: &[&str]) -> String {
    let data = data.display().to_string();
    let mut arguments = vec!["run", "--role", "platform", "--data", &data];
    arguments.extend(FREE_PORTS);
    arguments.extend(more);
    refused(&arguments)
}

/// Starts a platform once, so that its data directory is whole.
fn started_once(folder: &Folder) -> std::path::PathBuf {
    let data = folder.path().join("data");
    let mut arguments = vec!["--role", "platform"];
    arguments.extend(FREE_PORTS);
    let mut platform = Gemba::run("platform", folder.path(), &data, &arguments);
    platform.endpoints();
    platform.stop();
    data
}

#[test]
fn a_mistake_in_the_configuration_is_named_with_place_and_remedy() {
    let folder = Folder::new("configuration");
    let file = folder.path().join("gemba.toml");
    let path = file.display().to_string();
    let cases: [(&str, &[&str]); 14] = [
        ("[hub\npartitions = 4", &[&path, "line 1", "GMB-GEM-003"]),
        ("[hub]\nhost-name = \"plan", &[&path, "line 2"]),
        ("[hub]\npartition = 4", &["unknown key 'hub.partition'", &path, "did you mean 'hub.partitions'?"]),
        ("[hubb]\npartitions = 4", &["unknown key 'hubb'", "did you mean 'hub'?"]),
        ("partitions = 4", &["unknown key 'partitions'", "did you mean 'hub.partitions'?"]),
        ("hub = 4", &["'hub'", "is a section, not a value"]),
        ("[hub]\npartitions = 'four'", &["'hub.partitions'", &path, "expected u32"]),
        ("[hub]\npartitions = -1", &["'hub.partitions'", &path, "expected u32"]),
        ("[hub]\npartitions = 0", &["'hub.partitions'", &path, "it must be 1 to 1024"]),
        ("[hub.mqtt]\nlisten = 'everywhere'", &["'hub.mqtt.listen'", &path, "invalid socket address"]),
        ("[edge]\non-full = 'drop-newest'", &["'edge.on-full'", &path, "use drop-oldest or block"]),
        ("[log]\nlevel = 'gemba=loud'", &["'log.level'", &path, "write error, warn, info"]),
        ("[historian]\nmemory-bytes-max = 5", &["'historian.memory-bytes-max'", "1048576"]),
        ("[historian]\ngaps-max = 5", &["'historian.gaps-max'", "it must be 1000 to 10000000"]),
    ];
    for (text, wanted) in cases {
        std::fs::write(&file, text).expect("written");
        let said = refused(&["config", "show", "--config", &path]);
        for part in wanted {
            assert!(said.contains(part), "{text:?} is answered with: {said}");
        }
    }
    let missing = folder.path().join("none.toml").display().to_string();
    assert!(refused(&["config", "show", "--config", &missing]).contains(&missing));
}

#[test]
fn a_taken_port_is_named_with_its_key() {
    let folder = Folder::new("ports");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("is bound").to_string();
    for key in ["hub.mqtt.listen", "console.listen", "console.tls-listen"] {
        let setting = format!("{key}={address}");
        let said = start_refused(&folder.path().join("data"), &["--set", &setting]);
        assert!(said.contains(&address) && said.contains(&format!("set {key} to")), "{said}");
        assert!(said.contains("GMB-NET-001"), "{said}");
    }
}

#[test]
fn data_of_a_newer_version_is_left_alone() {
    let folder = Folder::new("newer");
    let data = started_once(&folder);
    let log = data.join("log/hub/log.json");
    let old = std::fs::read_to_string(&log).expect("the log says how it was made");
    let newer = old.replace("\"version\":1", "\"version\":9");
    assert_ne!(newer, old);
    std::fs::write(&log, &newer).expect("written");
    let said = start_refused(&data, &[]);
    assert!(said.contains("GMB-HUB-006") && said.contains("newer program (version 9)"), "{said}");
    assert_eq!(std::fs::read_to_string(&log).expect("is there"), newer);
}

#[test]
fn a_broken_certificate_folder_is_made_anew_where_that_harms_nobody() {
    let folder = Folder::new("certificates");
    let data = started_once(&folder);
    let pki = data.join("pki/hub");
    // The server's own certificate is made anew: every edge trusts the authority.
    std::fs::write(pki.join("server.pem"), "nonsense").expect("written");
    std::fs::remove_file(pki.join("server.key")).expect("removed");
    started_once(&folder);
    // The authority is not: a new one would cut off every edge.
    let key = std::fs::read(pki.join("ca.key")).expect("is there");
    std::fs::write(pki.join("ca.key"), "nonsense").expect("written");
    let said = start_refused(&data, &[]);
    assert!(said.contains("ca.key") && said.contains("GMB-NET-005"), "{said}");
    assert_eq!(std::fs::read(pki.join("ca.key")).expect("is there"), b"nonsense", "nothing was changed");
    std::fs::write(pki.join("ca.key"), key).expect("written");
    std::fs::remove_dir_all(data.join("pki")).expect("removed");
    std::fs::write(data.join("pki"), "a file in the way").expect("written");
    let said = start_refused(&data, &[]);
    assert!(said.contains(&data.join("pki").display().to_string()), "{said}");
}

#[test]
fn without_its_key_the_registry_does_not_open() {
    let folder = Folder::new("key");
    let data = started_once(&folder);
    let key = data.join("pki/secrets.key");
    let elsewhere = folder.path().join("secrets.key");
    std::fs::rename(&key, &elsewhere).expect("moved");
    let said = start_refused(&data, &[]);
    assert!(said.contains("GMB-REG-008") && said.contains(&key.display().to_string()), "{said}");
    assert!(!key.exists(), "no new key is made in its place");
    let data_text = data.display().to_string();
    let setting = format!("secrets.key-file={}", elsewhere.display());
    let output = gemba()
        .args(["hub", "identity", "list", "--data", &data_text, "--set", &setting])
        .output()
        .expect("gemba can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&elsewhere).expect("is there");
    let output = gemba()
        .args(["hub", "identity", "list", "--data", &data_text, "--set", "secrets.key-file=env:SECRETS_KEY"])
        .env("SECRETS_KEY", text)
        .output()
        .expect("gemba can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
