//! Certificates that are made, kept and renewed.

use crate::Folder;
use gemba_base::{Clock, SystemClock};
use gemba_net::pki::ensure_server;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

fn days(count: u32) -> Duration {
    Duration::from_secs(86_400) * count
}

#[test]
fn files_are_private_and_kept_until_they_near_their_end() {
    let folder = Folder::new();
    let now = SystemClock::new().now();
    let first = ensure_server(folder.path(), &[], now).expect("made");
    assert!(first.renewed);
    for (name, mode) in [("ca.key", 0o600), ("server.key", 0o600), ("ca.pem", 0o644), ("server.pem", 0o644)] {
        let metadata = fs::metadata(folder.path().join(name)).expect("exists");
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
    let ca = fs::read(&first.ca).expect("readable");
    let later = |count| ensure_server(folder.path(), &[], now.saturating_add(days(count))).expect("works");
    assert!(!later(0).renewed);
    assert!(!later(336).renewed, "more than 60 of 397 days are left");
    assert!(later(338).renewed);
    assert_eq!(fs::read(&first.ca).expect("readable"), ca, "the authority stays");
}

#[test]
fn a_new_host_or_a_torn_pair_is_made_anew() {
    let folder = Folder::new();
    let now = SystemClock::new().now();
    let hosts = ["Plant.example".to_owned(), "10.1.2.3".to_owned(), "0.0.0.0".to_owned()];
    assert!(ensure_server(folder.path(), &[], now).expect("made").renewed);
    assert!(ensure_server(folder.path(), &hosts, now).expect("made").renewed);
    assert!(!ensure_server(folder.path(), &hosts, now).expect("kept").renewed);
    assert!(!ensure_server(folder.path(), &hosts[..1], now).expect("kept").renewed, "more names do not hurt");
    // A crash between the two writes leaves a key that is not the certificate's.
    let other = Folder::new();
    let foreign = ensure_server(other.path(), &hosts, now).expect("made");
    fs::copy(foreign.key, folder.path().join("server.key")).expect("copied");
    assert!(ensure_server(folder.path(), &hosts, now).expect("made").renewed);
}

#[test]
fn a_foreign_authority_key_is_an_error_and_not_overwritten() {
    let (folder, other) = (Folder::new(), Folder::new());
    let now = SystemClock::new().now();
    ensure_server(folder.path(), &[], now).expect("made");
    ensure_server(other.path(), &[], now).expect("made");
    fs::copy(other.path().join("ca.key"), folder.path().join("ca.key")).expect("copied");
    let before = fs::read(folder.path().join("ca.key")).expect("readable");
    let error = ensure_server(folder.path(), &[], now).expect_err("the keys differ");
    assert_eq!(error.code().0, "GMB-NET-005");
    assert!(error.to_string().contains("it is not the key of ca.pem"), "{error}");
    assert_eq!(fs::read(folder.path().join("ca.key")).expect("readable"), before);
}
