//! Simulator, edge and platform as processes of their own, with a link in between and small volumes.

use super::faults::{Fault, Window};
use crate::support::chain::{FREE_PORTS, Gemba, command};
use crate::support::checker;
use crate::support::http::Rest;
use crate::support::link::{Link, Mode};
use crate::support::peers::PERIOD_MS;
use crate::support::process::{Process, gemba};
use crate::support::{Folder, free_port, wait_for};
use gemba_base::{Clock, SystemClock};
use gemba_model::DateTime;
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const SERVERS: u16 = 2;
const TAGS: u32 = 10;
/// Size of the volumes, and what must stay free on them.
const VOLUME_MIB: u32 = 192;
const RESERVE: &str = "disk.reserve-bytes=8388608";
/// How long recovery may take on this busy machine before the test gives up.
const RECOVERY: Duration = Duration::from_secs(90);

/// A volume of its own, unmounted at the end.
struct Volume(PathBuf);

impl Volume {
    /// Mounts a tmpfs; `None` where that is not allowed.
    fn mount(path: PathBuf) -> (PathBuf, Option<Self>) {
        std::fs::create_dir_all(&path).expect("a folder can be made");
        let size = format!("size={VOLUME_MIB}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
        let is_mounted = mounted.is_ok_and(|output| output.status.success());
        (path.clone(), is_mounted.then(|| Self(path)))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

pub(crate) struct Rig {
    simulator: Option<Process>,
    simulator_arguments: Vec<String>,
    edge: Gemba,
    platform: Gemba,
    pub(crate) rest: Rest,
    /// How many series there are.
    pub(crate) series: usize,
    link: Link,
    volumes: Vec<Volume>,
    // Last, so that it goes when everything in it has ended.
    folder: Folder,
}

fn simulator_arguments(pki: &str, published: &str) -> Vec<String> {
    [
        "sim",
        "load",
        "--kind",
        "counter",
        "--servers",
        &SERVERS.to_string(),
        "--tags",
        &TAGS.to_string(),
        "--period",
        &PERIOD_MS.to_string(),
        "--port",
        &free_ports(SERVERS).to_string(),
        "--user",
        "operator:press 1 for water",
        "--pki",
        pki,
        "--published-nodes",
        published,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn platform_arguments(mqtt: u16, console: u16) -> Vec<String> {
    let mut arguments = vec!["--role".to_owned(), "platform".to_owned()];
    arguments.extend(FREE_PORTS.iter().map(|argument| (*argument).to_owned()));
    for setting in [
        format!("hub.mqtt.listen=127.0.0.1:{mqtt}"),
        format!("console.listen=127.0.0.1:{console}"),
        RESERVE.to_owned(),
    ] {
        arguments.extend(["--set".to_owned(), setting]);
    }
    arguments
}

impl Rig {
    pub(crate) fn start() -> Self {
        let folder = Folder::new("kills");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let (platform_data, platform_volume) = Volume::mount(folder.path().join("platform"));
        let (edge_data, edge_volume) = Volume::mount(folder.path().join("edge"));
        let (mqtt, console) = (free_port(), free_port());
        let published = at("publishednodes.json");
        let simulator_arguments = simulator_arguments(&at("pki"), &published);
        let arguments = platform_arguments(mqtt, console);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut platform =
            Gemba::run("platform-output", folder.path(), &platform_data.join("data"), &arguments);
        let rest = platform.rest();
        let link = Link::to(SocketAddr::from((Ipv4Addr::LOCALHOST, mqtt)));
        let enrollment = enroll(folder.path(), &platform.data, link.port);
        let simulator = start_simulator(&simulator_arguments, folder.path());
        let hub = format!("@{enrollment}");
        let edge_arguments = [
            "--role",
            "edge",
            "--hub",
            &hub,
            "--published-nodes",
            &published,
            "--set",
            RESERVE,
            "--set",
            "edge.trust-servers=true",
        ];
        let edge = Gemba::run("edge-output", folder.path(), &edge_data.join("data"), &edge_arguments);
        let volumes = [platform_volume, edge_volume].into_iter().flatten().collect();
        let series = usize::from(SERVERS) * TAGS as usize;
        let mut rig = Self {
            simulator: Some(simulator),
            simulator_arguments,
            edge,
            platform,
            rest,
            series,
            link,
            volumes,
            folder,
        };
        rig.settle();
        rig
    }

    /// Full disks need volumes of their own.
    pub(crate) fn possible_faults(&self) -> Vec<Fault> {
        use Fault::{CutLink, FillEdge, FillPlatform, KillEdge, KillPlatform, KillSimulator, RefuseTls};
        let mut faults = vec![KillSimulator, KillEdge, KillPlatform, CutLink, RefuseTls];
        if self.volumes.len() == 2 {
            faults.extend([FillPlatform, FillEdge]);
        } else {
            gemba_testkit::peers::skip("tmpfs volumes (root)");
        }
        faults
    }

    pub(crate) fn inflict(&mut self, fault: Fault, hold: Duration) -> Window {
        let from = now();
        match fault {
            Fault::KillSimulator => {
                self.simulator = None;
                self.run_for(hold);
                self.simulator = Some(start_simulator(&self.simulator_arguments, self.folder.path()));
            }
            Fault::KillEdge => {
                self.edge.kill();
                self.run_for(hold);
                self.edge.start();
            }
            Fault::KillPlatform => {
                self.platform.kill();
                self.run_for(hold);
                self.platform.start();
            }
            Fault::CutLink | Fault::RefuseTls => {
                self.link.set(if fault == Fault::CutLink { Mode::Cut } else { Mode::Garbage });
                self.run_for(hold);
                self.link.set(Mode::Open);
            }
            Fault::FillPlatform => self.fill(&self.platform.data, hold),
            Fault::FillEdge => self.fill(&self.edge.data, hold),
        }
        self.settle();
        Window { fault, from, to: now() }
    }

    /// Lets things go on; the length of a fault is part of the experiment, not a way to wait for something.
    pub(crate) fn run_for(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn fill(&self, data: &Path, hold: Duration) {
        let path = data.parent().unwrap_or(data).join("filler");
        let mut file = File::create(&path).expect("a file can be made");
        let block = vec![0_u8; 1 << 20];
        while file.write_all(&block).is_ok() {}
        self.run_for(hold);
        drop(file);
        std::fs::remove_file(&path).expect("the filler can be deleted");
    }

    /// Waits until counts of after this moment are stored for every series.
    pub(crate) fn settle(&mut self) {
        let after = now();
        let rest = self.rest.clone();
        let expected = self.series;
        let outputs = || {
            format!("platform:\n{}\nedge:\n{}", tail(&self.platform.printed()), tail(&self.edge.printed()))
        };
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for("counts of all series after a fault", RECOVERY, || {
                newest(&rest, expected).filter(|oldest| *oldest > after)
            })
        }));
        if let Err(panic) = found {
            println!("{}", outputs());
            std::panic::resume_unwind(panic);
        }
    }

    pub(crate) fn stop(mut self) {
        self.edge.stop();
        self.platform.stop();
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

fn now() -> DateTime {
    SystemClock::new().now()
}

/// The oldest of the newest times of all series, once there are as many as there should be.
fn newest(rest: &Rest, expected: usize) -> Option<DateTime> {
    let answer = rest
        .try_get("/api/v1/series?limit=500", "application/json")
        .ok()
        .filter(|answer| answer.status == 200)?;
    let page = answer.json();
    let items = page["items"].as_array()?;
    let times: Vec<DateTime> =
        items.iter().filter_map(|item| Some(checker::time(item["last"].get("sourceTimestamp")?))).collect();
    (times.len() >= expected).then(|| times.into_iter().min())?
}

/// The first of `count` neighbouring ports that were free a moment ago.
fn free_ports(count: u16) -> u16 {
    loop {
        let first = free_port();
        let all = first.checked_add(count).map(|end| first..end).unwrap_or(0..0);
        let open: Vec<_> =
            all.filter_map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).ok()).collect();
        if open.len() == usize::from(count) {
            return first;
        }
    }
}

fn start_simulator(arguments: &[String], folder: &Path) -> Process {
    let output = folder.join("simulator-output.txt");
    drop(std::fs::remove_file(&output));
    let process = Process::start(gemba().args(arguments), &output);
    wait_for("the simulator", Duration::from_secs(60), || process.printed().contains("ready").then_some(()));
    process
}

/// Enrolls the edge, and leads it over the link.
fn enroll(folder: &Path, data: &Path, port: u16) -> String {
    let path = folder.join("enrollment.json").display().to_string();
    command(&["hub", "enroll", "edge-1", "--out", &path, "--data", &data.display().to_string()]);
    let text = std::fs::read_to_string(&path).expect("the enrollment can be read");
    let mut enrollment: Value = serde_json::from_str(&text).expect("the enrollment is JSON");
    let connection = enrollment["connectionString"].as_str().expect("a connection string");
    enrollment["connectionString"] = format!("{connection};GatewayHostName=127.0.0.1:{port}").into();
    std::fs::write(&path, enrollment.to_string()).expect("the enrollment can be written");
    path
}
