//! The configuration changes while a process runs.

use crate::support::chain::{FREE_PORTS, Gemba};
use crate::support::{Folder, alone, wait_for};
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a line of the log that has all these parts.
fn said(gemba: &Gemba, parts: &[&str]) {
    wait_for(&format!("{parts:?}"), PATIENCE, || {
        let printed = gemba.printed();
        printed.lines().any(|line| parts.iter().all(|part| line.contains(part))).then_some(())
    });
}

#[test]
fn what_can_change_does_and_a_mistake_changes_nothing() {
    let _alone = alone();
    let folder = Folder::new("reload");
    let file = folder.path().join("gemba.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("the configuration can be written");
    write("[log]\nlevel = 'info'\n");
    let path = file.display().to_string();
    let mut arguments = vec!["--role", "platform,edge", "--config", &path];
    arguments.extend(FREE_PORTS);
    let mut gemba = Gemba::run("gemba", folder.path(), &folder.path().join("data"), &arguments);
    let (endpoints, rest) = (gemba.endpoints(), gemba.rest());
    let sources = || rest.get("/api/v1/flow")["stages"].to_string().contains("opc.tcp://127.0.0.1:1/none");
    assert!(!sources());

    // Half written: the old one stays.
    write("[log]\nlevel = 'deb");
    said(&gemba, &["GMB-GEM-003", "was not taken over", "gemba.toml"]);
    write("[hub]\npartitoins = 8\n");
    said(&gemba, &["GMB-GEM-003", "did you mean 'hub.partitions'?"]);

    // What needs a restart is named, the rest is in force at once.
    let nodes = folder.path().join("nodes.json");
    let entry = r#"[{"EndpointUrl": "opc.tcp://127.0.0.1:1/none", "OpcNodes": [{"Id": "i=2258"}]}]"#;
    std::fs::write(&nodes, entry).expect("written");
    write(&format!(
        "[hub]\npartitions = 8\nretention-hours = 1\n[edge]\npublished-nodes = '{}'\n[log]\nlevel = 'debug'\n",
        nodes.display()
    ));
    said(&gemba, &["take effect at the next start", "hub.partitions"]);
    said(&gemba, &["are in force", "edge.published-nodes", "hub.retention-hours", "log.level"]);
    wait_for("the new file is published", PATIENCE, || sources().then_some(()));
    // A failed handshake is worth a line at this level alone.
    let hub = endpoints["mqtts"].as_str().and_then(|url| url.strip_prefix("mqtts://")).expect("an address");
    wait_for("a line of the new level", PATIENCE, || {
        let mut stream = TcpStream::connect(hub).expect("the hub listens");
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
        gemba.printed().contains("DEBUG gemba_net::listen").then_some(())
    });

    // Back to nothing to publish; SIGHUP asks for a look.
    write("[log]\nlevel = 'info'\n");
    wait_for("nothing is published", PATIENCE, || (!sources()).then_some(()));
    let hangup = std::process::Command::new("kill").args(["-HUP", &gemba.id().to_string()]).status();
    assert!(hangup.is_ok_and(|status| status.success()));
    said(&gemba, &["the configuration is as it was"]);
    gemba.stop();
}
