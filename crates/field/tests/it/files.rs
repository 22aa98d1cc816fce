//! `publishednodes.json`, good and bad: whatever is wrong is said, and what ran before goes on.

use crate::uplink::Reports;
use gemba_api::StageReport;
use gemba_base::{Metrics, SystemClock, Tasks};
use gemba_field::{Publisher, PublisherOptions};
use gemba_ua::client::TrustStore;
use gemba_ua::client::trust::{Application, TrustOptions};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

struct Rig {
    folder: PathBuf,
    reports: Arc<Reports>,
    tasks: Tasks,
}

/// The key is the slow part: one for all tests.
static PKI: LazyLock<(PathBuf, Arc<TrustStore>)> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("gemba-field-pki-{}", gemba_base::random::hex::<8>()));
    let application = Application {
        uri: "urn:test".into(),
        name: "test".into(),
        host_names: Vec::new(),
        addresses: Vec::new(),
    };
    let store = TrustStore::open(&folder, &application, TrustOptions::default()).expect("a store");
    (folder, store)
});

impl Rig {
    fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("gemba-field-{}", gemba_base::random::hex::<8>()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (reports, tasks) = (Reports::new(), Tasks::new("test"));
        let options = PublisherOptions {
            file: folder.join("publishednodes.json"),
            trust: PKI.1.clone(),
            run_folder: folder.join("run"),
            instance: "edge".into(),
        };
        let clock = Arc::new(SystemClock::new());
        Publisher::start(options, reports.clone(), clock, Metrics::default(), &tasks);
        Self { folder, reports, tasks }
    }

    fn write(&self, text: impl AsRef<[u8]>) {
        std::fs::write(self.folder.join("publishednodes.json"), text).expect("written");
    }

    /// Waits for a problem of the file, and tells how many sources run all the same.
    async fn problem(&self, part: &str) -> (String, usize) {
        let found = |report: &StageReport| {
            let problem = report.problems.iter().find(|problem| problem.text.contains(part))?;
            Some((format!("{} {}", problem.code, problem.text), report.sources.len()))
        };
        self.reports.until(part, found).await
    }

    async fn sources(&self, count: usize) {
        let done = |report: &StageReport| {
            (report.sources.len() == count && report.problems.is_empty()).then_some(())
        };
        self.reports.until(&format!("{count} sources"), done).await;
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.tasks.stop();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// Nobody listens there: the port was just given back.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn entry(node: &str) -> String {
    format!(
        r#"[ {{ "EndpointUrl": "opc.tcp://127.0.0.1:{}", "OpcNodes": [ {{ "Id": "{node}" }} ] }} ]"#,
        closed_port()
    )
}

#[tokio::test]
async fn a_bad_file_leaves_what_runs_and_a_good_one_ends_the_complaint() {
    let rig = Rig::start();
    assert!(rig.problem("cannot be read").await.0.starts_with("GMB-FLD-004"), "there is none yet");
    let good = entry("i=1");
    rig.write(&good);
    rig.sources(1).await;
    for (text, part) in [
        (&good.as_bytes()[..good.len() / 2], "GMB-FLD-001: the file is not JSON: EOF"),
        (b"".as_slice(), "it is empty; [] publishes nothing"),
        (br#"[ { "EndpointUrl": "opc.tcp://a:1", "OpcNodez": [] } ]"#.as_slice(), "did you mean 'OpcNodes'?"),
        (
            br#"[ { "EndpointUrl": "opc.tcp://a:1", "OpcNodes": [ { "Id": "x" } ] } ]"#.as_slice(),
            "is not a node id",
        ),
        (b"[ \xff ]".as_slice(), "line 1 is not UTF-8"),
    ] {
        rig.write(text);
        let (text, sources) = rig.problem(part).await;
        assert_eq!(sources, 1, "{text}");
    }
    std::fs::remove_file(rig.folder.join("publishednodes.json")).expect("removed");
    assert_eq!(rig.problem("cannot be read").await.1, 1, "what ran goes on without its file");
    rig.write(&good);
    rig.sources(1).await;
    rig.write("[]");
    rig.sources(0).await;
}

#[tokio::test]
async fn a_file_beyond_every_size_is_not_read() {
    let rig = Rig::start();
    let file = std::fs::File::create(rig.folder.join("publishednodes.json")).expect("a file");
    file.set_len(300 << 20).expect("sparse");
    let (text, _) = rig.problem("at most 268435456 are read").await;
    assert!(text.starts_with("GMB-FLD-004"), "{text}");
}

#[tokio::test]
async fn a_host_that_nobody_answers_at_is_named_with_its_reason() {
    let rig = Rig::start();
    rig.write(entry("i=1"));
    let problem = |report: &StageReport| report.sources.first()?.problem.clone();
    let problem = rig.reports.until("the source complains", problem).await;
    assert_eq!(problem.code, "GMB-FLD-006");
    assert!(problem.text.contains("cannot reach opc.tcp://127.0.0.1:"), "{}", problem.text);
    assert!(problem.text.contains("check host, port and firewall"), "{}", problem.text);
}

#[tokio::test]
async fn a_node_that_stands_twice_is_said_and_does_no_harm() {
    let rig = Rig::start();
    rig.write(entry(r#"i=1" }, { "Id": "i=1"#));
    let (text, sources) = rig.problem("stand twice").await;
    assert!(text.starts_with("GMB-FLD-014") && text.contains("i=1 of opc.tcp://127.0.0.1"), "{text}");
    assert_eq!(sources, 1);
}

#[tokio::test]
async fn a_stop_ends_everything_in_time() {
    let rig = Rig::start();
    rig.write(entry("i=1"));
    rig.sources(1).await;
    assert!(rig.tasks.clone().drain(Duration::from_secs(20)).await);
}
