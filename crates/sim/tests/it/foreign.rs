//! Load servers seen by other people's clients, which print what they see.

use crate::peer::Folder;
use gemba_base::{Secret, Tasks, random};
use gemba_sim::load::{self, Kind, LoadOptions, RunningLoad, TagGroup};
use gemba_sim::personality::{self, Personality};
use gemba_testkit::peers::{folder, skip};
use gemba_ua::server::{EndpointSecurity, User};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// For whole conversations on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// asyncua's client with our script, or `None` when it is not installed.
fn asyncua() -> Option<Command> {
    let python = folder().join("python/bin/python");
    if !python.is_file() {
        skip("asyncua");
        return None;
    }
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/asyncua_facts.py"));
    Some(command)
}

/// node-opcua's client with our script, or `None` when it is not installed.
fn node_opcua() -> Option<Command> {
    let modules = folder().join("node/node_modules");
    if !modules.join("node-opcua").is_dir() {
        skip("node-opcua");
        return None;
    }
    let mut command = Command::new("node");
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/node_opcua_facts.js"))
        .env("NODE_PATH", modules);
    Some(command)
}

/// What the client prints.
async fn facts(mut command: Command, arguments: &[&str]) -> String {
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("the client ends").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

async fn load(tags: u32, adjust: impl FnOnce(&mut LoadOptions)) -> (RunningLoad, Folder) {
    let folder = Folder::new();
    let group = TagGroup { tags, period: Duration::from_millis(100) };
    let mut options = LoadOptions::new(1, &[group], &folder.0);
    adjust(&mut options);
    (load::run(options, &Tasks::new("test")).await.unwrap(), folder)
}

fn named(personality: &str) -> impl FnOnce(&mut LoadOptions) {
    let personalities: Vec<Personality> = personality::parse(personality).unwrap();
    move |options| options.personalities = vec![personalities]
}

/// Each personality with what asyncua sees of it.
#[tokio::test(flavor = "multi_thread")]
async fn asyncua_sees_each_personality() {
    let cases = [
        (
            "small-limits",
            "limits [10, 10]\nread 10 Good\nread 11 BadTooManyOperations\nitems 10 Good\n\
             items 11 BadTooManyOperations\n",
        ),
        ("few-items", "good 100\nrefused ['BadTooManyMonitoredItems']\n"),
        ("slow", "late True\n"),
        ("queue-of-one", "holes True\nflags {0}\n"),
        ("no-timestamps", "source {None}\nserver True\n"),
        ("coarse-timestamps", "microseconds {0}\n"),
        ("twins", "pairs True\n"),
        ("flapping", "as computed True\n"),
        ("clock-jumps=0.5", "hours off [-1, 0, 1]\n"),
        ("drops-sessions=4", "then BadSessionIdInvalid\n"),
        ("endless-pages", "page ['Objects', 'Types', 'Views']\nand again True\n"),
        ("history", "access ['CurrentRead', 'HistoryRead']\nenough True\nin order True\nnewest first True\n"),
    ];
    for (personality, expected) in cases {
        let Some(command) = asyncua() else { return };
        let (load, _folder) = load(101, named(personality)).await;
        let name = personality.split('=').next().unwrap();
        let seen = facts(command, &[&load.endpoints[0].url, name]).await;
        assert_eq!(seen, expected, "{personality}");
        load.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asyncua_cannot_look_up_broken_types_and_still_gets_values() {
    let Some(command) = asyncua() else { return };
    let (load, _folder) = load(32, |options| {
        options.kind = Kind::Mixed;
        named("broken-types")(options);
    })
    .await;
    let seen = facts(command, &[&load.endpoints[0].url, "broken-types"]).await;
    let expected = "type NodeId(Identifier=4294967295, NamespaceIndex=2, NodeIdType=<NodeIdType.Numeric: 2>)\n\
                    class BadNodeIdUnknown\ndefinition BadAttributeIdInvalid\nvalue ExtensionObject\n";
    assert_eq!(seen, expected);
    load.stop().await;
}

const BASICS: &str = "objects ['Server', 'Tags']\ntags 5 Tag1\n";

#[tokio::test(flavor = "multi_thread")]
async fn asyncua_browses_reads_and_subscribes() {
    let Some(command) = asyncua() else { return };
    let (load, _folder) = load(5, |_| {}).await;
    let seen = facts(command, &[&load.endpoints[0].url, "basics"]).await;
    for line in BASICS.lines() {
        assert!(seen.lines().any(|seen| seen == line), "{line} in {seen}");
    }
    for line in ["changes of [1, 2, 3]", "exact True", "in order True"] {
        assert!(seen.lines().any(|seen| seen == line), "{line} in {seen}");
    }
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_opcua_browses_reads_and_subscribes() {
    let Some(command) = node_opcua() else { return };
    let (load, _folder) = load(5, |_| {}).await;
    let seen = facts(command, &[&load.endpoints[0].url, "None", "None"]).await;
    assert_eq!(seen, "policy None None\ntags 5\nin order true\nhistory BadHistoryOperationUnsupported\n");
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_clients_come_in_over_every_policy_and_renew_their_channels() {
    let (load, folder) = load(5, |options| {
        options.security = EndpointSecurity::ALL.to_vec();
        options.users = vec![User { name: "operator".to_owned(), password: Secret::new(random::hex::<8>()) }];
    })
    .await;
    let url = load.endpoints[0].url.as_str();
    let keys = folder.0.join("client");
    std::fs::create_dir_all(&keys).unwrap();
    let keys = keys.to_str().unwrap();
    for policy in ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"] {
        for mode in ["Sign", "SignAndEncrypt"] {
            if let Some(command) = asyncua() {
                let seen = facts(command, &[url, "secure", policy, mode, keys, "anonymous"]).await;
                assert_eq!(seen, format!("{policy} {mode} anonymous True\nrenewed True\n"));
            }
            if let Some(command) = node_opcua() {
                let seen = facts(command, &[url, policy, mode]).await;
                assert!(
                    seen.starts_with(&format!("policy {policy} {mode}\ntags 5\nin order true\n")),
                    "{seen}"
                );
            }
        }
    }
    load.stop().await;
}
