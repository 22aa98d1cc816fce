//! A whole run with every kind of secret, and then a search for them: logs, answers, files, core files.

use crate::support::chain::{FREE_PORTS, Gemba, command};
use crate::support::http::Rest;
use crate::support::process::{Process, gemba};
use crate::support::{Folder, alone, wait_for};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PLC_PASSWORD: &str = "plc-Passw0rd-7f3a";
const ADMIN_PASSWORD: &str = "admin-Passw0rd-91cc";
const PATIENCE: Duration = Duration::from_secs(90);

/// Files below the data directory that hold a secret because that is what they are for.
const ALLOWED: &[&str] = &["pki/", "run/first-start-link"];

/// Secrets by what they are.
type Secrets = Vec<(&'static str, String)>;

#[test]
fn no_secret_stands_in_a_log_an_answer_a_file_or_a_core_file() {
    let _alone = alone();
    let folder = Folder::new("secrets");
    let at = |name: &str| folder.path().join(name);
    let nodes = at("publishednodes.json").display().to_string();
    let plant = start_plant(&at("plant.txt"), &nodes);
    let mut arguments =
        vec!["--role", "platform,edge", "--published-nodes", &nodes, "--set", "log.level=debug"];
    arguments.extend(FREE_PORTS);
    let mut platform = Gemba::run("gemba", folder.path(), &at("data"), &arguments);
    let address = platform.endpoints()["console"].as_str().expect("a console").replace("http://", "");
    let (mut secrets, admin) = use_secrets(&at("data"), &address);
    let series = wait_for("a series of the protected server", PATIENCE, || {
        admin.get("/api/v1/series")["items"].as_array()?.first()?["id"].as_u64()
    });
    let answers = answers(&admin, series);
    assert!(answers.len() > 12, "the answers of all paths are looked at");
    // Files while it runs, and after a stop that writes everything.
    search(&folder, &secrets, &answers, &platform.printed());
    abort(&platform);
    wait_for("the end of the process", PATIENCE, || (!platform.is_running()).then_some(()));
    platform.kill();
    assert_eq!(core_files(folder.path()), Vec::<PathBuf>::new(), "a crash leaves no core file");
    // What the aborted process said about itself does not speak for the next one.
    drop(std::fs::remove_file(at("data/run/endpoints.json")));
    platform.start();
    platform.endpoints();
    platform.stop();
    secrets.push(("password of the server", PLC_PASSWORD.to_owned()));
    search(&folder, &secrets, &answers, &platform.printed());
    drop(plant);
}

fn start_plant(output: &Path, nodes: &str) -> Process {
    let user = format!("operator:{PLC_PASSWORD}");
    let arguments =
        ["sim", "load", "--servers", "1", "--tags", "5", "--period", "200", "--published-nodes", nodes];
    let plant = Process::start(gemba().args(arguments).args(["--user", &user]), output);
    wait_for("the simulated server", PATIENCE, || {
        plant.printed().lines().any(|line| line == "ready").then_some(())
    });
    plant
}

/// Makes identities, tokens and an administrator who signs in; returns all their secrets, and a client of theirs.
fn use_secrets(data: &Path, address: &str) -> (Secrets, Rest) {
    let data_text = data.display().to_string();
    let mut secrets: Secrets = Vec::new();
    for (command_name, name) in [("create", "press-1"), ("connection-string", "edge")] {
        let shown = command(&["hub", "identity", command_name, name, "--json", "--data", &data_text]);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        for key in ["primaryKey", "secondaryKey"] {
            secrets.push(("device key", shown[key].as_str().expect("a key").to_owned()));
        }
    }
    let token = command(&["token", "create", "--role", "admin", "--data", &data_text]);
    secrets.push(("bearer token", token.clone()));
    let link = std::fs::read_to_string(data.join("run/first-start-link")).expect("the link is there");
    let link = link.trim().rsplit('=').next().expect("a token").to_owned();
    let first = json!({"token": link, "user": "anna", "password": ADMIN_PASSWORD});
    let (status, _, cookie) = post(address, "/api/v1/first-start", &first);
    assert_eq!(status, 201);
    secrets.push(("session cookie", cookie));
    secrets.push(("password of the administrator", ADMIN_PASSWORD.to_owned()));
    let log_in = json!({"user": "anna", "password": ADMIN_PASSWORD});
    let (status, body, cookie) = post(address, "/api/v1/session", &log_in);
    assert_eq!(status, 200, "{body}");
    secrets.push(("session cookie", cookie));
    let wrong = json!({"user": "anna", "password": "wrong-Passw0rd-55aa"});
    assert_eq!(post(address, "/api/v1/session", &wrong).0, 401);
    secrets.push(("a wrong password", "wrong-Passw0rd-55aa".to_owned()));
    (secrets, Rest { address: address.to_owned(), token })
}

/// Status, body, and the value of the cookie that is set.
fn post(address: &str, path: &str, body: &Value) -> (u16, String, String) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address).expect("the console listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("is set");
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let cookie = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next()?.split_once('='))?
    });
    (status, body.to_owned(), cookie.map(|(_, value)| value.to_owned()).unwrap_or_default())
}

/// What an administrator gets from each path of the OpenAPI document.
fn answers(admin: &Rest, series: u64) -> Vec<(String, String)> {
    let document = admin.get("/openapi.json");
    let mut answers = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        // The live stream has no end; it carries what the others do.
        if methods.get("get").is_none() || path == "/api/v1/live" {
            continue;
        }
        let path = path.replace("{id}", &series.to_string());
        let path = if path.ends_with("/buckets") { format!("{path}?count=10") } else { path };
        let answer = admin.try_get(&path, "*/*").expect("an answer");
        answers.push((path, String::from_utf8_lossy(&answer.body).into_owned()));
    }
    answers
}

fn search(folder: &Folder, secrets: &Secrets, answers: &[(String, String)], printed: &str) {
    for (what, secret) in secrets {
        assert!(secret.len() > 8, "{what}: '{secret}' is too short to be searched for");
        assert!(!printed.contains(secret.as_str()), "the {what} stands in the log");
        for (path, answer) in answers {
            assert!(!answer.contains(secret.as_str()), "the {what} stands in the answer of {path}");
        }
        let data = folder.path().join("data");
        let mut looked_at = 0;
        for path in files(&data) {
            let name = path.strip_prefix(&data).expect("is below").display().to_string();
            if ALLOWED.iter().any(|allowed| name.starts_with(allowed)) {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            looked_at += 1;
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the {what} stands in {name}");
        }
        assert!(looked_at > 5, "{looked_at} files were looked at");
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

fn abort(platform: &Gemba) {
    let id = platform.id().to_string();
    let killed = std::process::Command::new("kill").args(["-ABRT", &id]).status();
    assert!(killed.is_ok_and(|status| status.success()));
}

/// Core files where the kernel's pattern puts them by default: in the working directory, or below the folder.
fn core_files(folder: &Path) -> Vec<PathBuf> {
    let mut all = files(folder);
    all.extend(std::fs::read_dir(".").into_iter().flatten().flatten().map(|entry| entry.path()));
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    all.retain(|path| name(path).is_some_and(|name| name == "core" || name.starts_with("core.")));
    all
}
