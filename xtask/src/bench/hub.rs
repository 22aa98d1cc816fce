//! The hub beside mosquitto: the same clients, the same TLS, the same messages, in one run.
//!
//! mosquitto is the anchor because everybody knows it. It keeps nothing here, while the hub has every message on disk
//! before it acknowledges; that is said in the table.

use crate::chain::process::{Running, Usage};
use crate::{peers, run};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// One run of the clients against a server.
struct Shape {
    name: &'static str,
    clients: usize,
    messages: usize,
    window: usize,
}

/// Messages of all clients together are what CPU is counted over.
const SHAPES: &[Shape] = &[
    Shape { name: "pipelined, 16 clients, 256 in flight each", clients: 16, messages: 60_000, window: 256 },
    Shape { name: "one in flight, 1 client", clients: 1, messages: 4_000, window: 1 },
    Shape { name: "1,000 clients, 10 in flight each", clients: 1_000, messages: 100, window: 10 },
];
/// Bytes of a message.
const BYTES: &str = "256";
const USER: &str = "load";
const PASSWORD: &str = "load-password";

/// What one server did in one shape.
struct Outcome {
    server: &'static str,
    shape: &'static str,
    usage: Usage,
    client: Value,
    /// Memory that each connection cost, in KiB.
    kib_per_connection: f64,
}

/// A server that clients can connect to.
struct Server {
    name: &'static str,
    running: Running,
    port: u16,
    ca: PathBuf,
    /// The file of the clients' logins.
    logins: PathBuf,
}

/// What was measured in one run.
pub(super) struct Figures {
    outcomes: Vec<Outcome>,
    fdatasync_p50_micros: u64,
    fdatasync_cpu_micros: f64,
}

/// Measures both servers. `programs` is the folder of `serve` and `load`.
pub(super) fn measure(programs: &Path) -> Result<Figures> {
    let path = std::env::temp_dir().join(format!("gemba-bench-hub-{}", std::process::id()));
    let folder = Folder::new(path)?;
    let hub = hub(&programs.join("serve"), &folder.0)?;
    let mosquitto = mosquitto(&folder.0, &hub);
    let (mut outcomes, mut syncs) = (Vec::new(), Syncs::default());
    // One after the other within each shape, so that whatever else the machine does meets both.
    for shape in SHAPES {
        syncs.measure(&folder.0)?;
        outcomes.push(one(&programs.join("load"), &hub, shape)?);
        if let Ok(mosquitto) = &mosquitto {
            outcomes.push(one(&programs.join("load"), mosquitto, shape)?);
        }
    }
    if let Err(error) = &mosquitto {
        run::say(&format!("mosquitto is not measured: {error:#}"));
    }
    Ok(Figures { outcomes, fdatasync_p50_micros: syncs.p50(), fdatasync_cpu_micros: syncs.cpu_micros() })
}

fn hub(program: &Path, folder: &Path) -> Result<Server> {
    let devices = SHAPES.iter().map(|shape| shape.clients).max().unwrap_or(1).to_string();
    let output = folder.join("hub.txt");
    let mut command = Command::new(program);
    command.arg("--folder").arg(folder).args(["--devices", &devices]);
    let running = Running::start_with_input(&mut command, &output)?;
    let port = wait("the hub", || {
        fs::read_to_string(&output).ok()?.lines().find_map(|line| line.strip_prefix("ready ")?.parse().ok())
    })?;
    let (ca, logins) = (folder.join("pki/hub/ca.pem"), folder.join("clients.json"));
    Ok(Server { name: "Gemba's hub", running, port, ca, logins })
}

/// mosquitto with the hub's own certificate, so that handshakes cost both the same.
fn mosquitto(folder: &Path, hub: &Server) -> Result<Server> {
    let program = peers::program("mosquitto").context("mosquitto is not installed")?;
    let passwords = folder.join("passwords");
    run::check(Command::new("mosquitto_passwd").args(["-c", "-b"]).arg(&passwords).args([USER, PASSWORD]))?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let pki = hub.ca.parent().context("a file is in a folder")?;
    let text = format!(
        "user root\nlistener {port} 127.0.0.1\ncertfile {0}/server.pem\nkeyfile {0}/server.key\n\
         allow_anonymous false\npassword_file {1}\npersistence false\nlog_type error\nset_tcp_nodelay true\n",
        pki.display(),
        passwords.display()
    );
    let configuration = folder.join("mosquitto.conf");
    fs::write(&configuration, text)?;
    let running =
        Running::start(Command::new(program).arg("-c").arg(&configuration), &folder.join("mosquitto.txt"))?;
    wait("mosquitto", || std::net::TcpStream::connect(("127.0.0.1", port)).ok())?;
    let clients = (0..SHAPES.iter().map(|shape| shape.clients).max().unwrap_or(1)).map(|number| {
        json!({
            "clientId": format!("load-{number}"), "userName": USER, "password": PASSWORD,
            "topic": format!("devices/load-{number}/messages/events/"),
        })
    });
    let logins = folder.join("mosquitto-clients.json");
    fs::write(&logins, Value::from(clients.collect::<Vec<_>>()).to_string())?;
    Ok(Server { name: "mosquitto", running, port, ca: hub.ca.clone(), logins })
}

/// A folder that goes with the run.
struct Folder(PathBuf);

impl Folder {
    fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The load client while it runs.
struct Clients {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Clients {
    fn start(program: &Path, server: &Server, shape: &Shape) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["--port", &server.port.to_string(), "--ca"]).arg(&server.ca);
        command.arg("--clients").arg(&server.logins).args(["--connections", &shape.clients.to_string()]);
        command.args(["--messages", &shape.messages.to_string(), "--window", &shape.window.to_string()]);
        command.args(["--bytes", BYTES]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the load client")?;
        let output = BufReader::new(child.stdout.take().context("the load client has no output")?);
        let input = child.stdin.take();
        Ok(Self { child, input, output })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            bail!("the load client ended early");
        }
        Ok(line)
    }

    fn go(&mut self) -> Result<()> {
        let input = self.input.as_mut().context("the load client has no input")?;
        writeln!(input, "go").context("the load client ended early")
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        drop(self.child.wait());
    }
}

fn one(program: &Path, server: &Server, shape: &Shape) -> Result<Outcome> {
    run::say(&format!("{}: {} …", server.name, shape.name));
    let idle = server.running.usage()?;
    let mut clients = Clients::start(program, server, shape)?;
    clients.line().with_context(|| format!("{}: {}", server.name, shape.name))?;
    let connected = server.running.usage()?;
    let grown = connected.rss_kib.saturating_sub(idle.rss_kib) as f64;
    clients.go()?;
    let client = serde_json::from_str(&clients.line()?)?;
    let usage = server.running.usage()?.since(&connected);
    let kib_per_connection = grown / shape.clients as f64;
    Ok(Outcome { server: server.name, shape: shape.name, usage, client, kib_per_connection })
}

/// What a small append with its fdatasync costs here, without anything around it: the floor of one message in flight.
#[derive(Default)]
struct Syncs {
    micros: Vec<u64>,
    cpu_nanos: u64,
}

impl Syncs {
    fn measure(&mut self, folder: &Path) -> Result<()> {
        let mut file = fs::File::create(folder.join("sync"))?;
        let cpu = thread_nanos();
        for _ in 0..300 {
            let began = Instant::now();
            file.write_all(&[0; 512])?;
            file.sync_data()?;
            self.micros.push(began.elapsed().as_micros() as u64);
        }
        self.cpu_nanos += thread_nanos().saturating_sub(cpu);
        Ok(())
    }

    fn p50(&mut self) -> u64 {
        self.micros.sort_unstable();
        self.micros.get(self.micros.len() / 2).copied().unwrap_or(0)
    }

    fn cpu_micros(&self) -> f64 {
        self.cpu_nanos as f64 / 1e3 / self.micros.len().max(1) as f64
    }
}

/// Processor time of this thread so far; 0 where the kernel does not tell.
fn thread_nanos() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

impl Outcome {
    fn number(&self, name: &str) -> f64 {
        self.client.get(name).and_then(Value::as_f64).unwrap_or(0.0)
    }

    fn per_million(&self) -> f64 {
        self.usage.cpu_seconds / (self.number("messages") / 1e6).max(1e-9)
    }

    fn json(&self) -> Value {
        json!({
            "server": self.server, "shape": self.shape, "cpuSecondsPerMillion": self.per_million(),
            "messagesPerSecond": self.number("messages") / self.number("seconds"),
            "p50Micros": self.number("p50Micros"), "p99Micros": self.number("p99Micros"),
            "rssMiB": self.usage.rss_mib, "kibPerConnection": self.kib_per_connection,
        })
    }
}

impl Figures {
    pub(super) fn json(&self) -> Value {
        let items: Vec<Value> = self.outcomes.iter().map(Outcome::json).collect();
        json!({
            "items": items, "fdatasyncP50Micros": self.fdatasync_p50_micros,
            "fdatasyncCpuMicros": self.fdatasync_cpu_micros,
        })
    }

    pub(super) fn print(&self) {
        run::say(&format!(
            "\nMQTT over TLS, user and password or SAS, QoS 1, {BYTES} B. Gemba: on disk before PUBACK. mosquitto: \
             keeps nothing, has no subscriber. Both with the same certificate and client, which offers TLS 1.3 with \
             AES-256-GCM first. A bare append of 512 B with fdatasync: p50 {} µs, {:.0} µs of CPU.",
            self.fdatasync_p50_micros, self.fdatasync_cpu_micros
        ));
        run::say("| server | shape | messages/s | CPU s/M | p50 µs | p99 µs | MiB | KiB a connection |");
        run::say("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        for one in &self.outcomes {
            run::say(&format!(
                "| {} | {} | {:.0} | {:.2} | {:.0} | {:.0} | {} | {:.1} |",
                one.server,
                one.shape,
                one.number("messages") / one.number("seconds"),
                one.per_million(),
                one.number("p50Micros"),
                one.number("p99Micros"),
                one.usage.rss_mib,
                one.kib_per_connection,
            ));
        }
    }
}

fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> Result<T> {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        if let Some(value) = found() {
            return Ok(value);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("waited in vain for {what}")
}
