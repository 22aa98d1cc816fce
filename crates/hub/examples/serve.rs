//! A hub alone: identities in memory, the event log on disk, MQTT over TLS on a free port of loopback.
//! `cargo x bench` measures it, so that the figures are the hub's and not those of what reads its log.
//!
//! ```text
//! serve --folder DIR --devices N
//! ```
//!
//! It writes `DIR/clients.json` with the connection strings of the devices, prints `ready PORT`, and serves until its
//! input ends.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use gemba_api::DocStore;
use gemba_base::disk::RealDisk;
use gemba_base::{Clock, Metrics, SystemClock, Tasks};
use gemba_hub::auth::Authenticator;
use gemba_hub::mqtt::MqttParts;
use gemba_hub::{Connections, HubLog, HubLogOptions, Identities, MqttFront, MqttOptions};
use gemba_iothub::HostNames;
use gemba_net::pki;
use gemba_net::tls::Acceptor;
use gemba_testkit::MemoryDocs;
use gemba_wal::Reserve;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const HOST: &str = "127.0.0.1";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    gemba_net::install_crypto();
    let args: Vec<String> = std::env::args().collect();
    let find = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
    let folder = PathBuf::from(find("--folder").ok_or("--folder is needed")?);
    let devices: usize = find("--devices").map_or(Ok(1), |text| text.parse())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (metrics, tasks) = (Metrics::default(), Tasks::new("hub"));
    let docs: Arc<dyn DocStore> = Arc::new(MemoryDocs::default());
    let files = pki::ensure_server(&folder.join("pki/hub"), &[HOST.to_owned()], clock.now())?;
    let identities = Identities::new(docs.clone(), Connections::default());
    let mut clients = Vec::with_capacity(devices);
    for number in 0..devices {
        let name = format!("load-{number}");
        identities.create(&name, clock.now(), "bench")?;
        let connection = identities.connection_string(&name, HOST)?.to_text();
        clients.push(serde_json::json!({ "connectionString": connection }));
    }
    std::fs::write(folder.join("clients.json"), serde_json::Value::from(clients).to_string())?;
    let wal = gemba_wal::LogOptions { reserve: Reserve::Bytes(1 << 20), ..gemba_wal::LogOptions::default() };
    let options = HubLogOptions { wal, ..HubLogOptions::default() };
    let disk = Arc::new(RealDisk);
    let log = HubLog::open(disk, &folder.join("log"), options, docs, clock.clone(), &metrics, &tasks)?;
    let parts = MqttParts {
        authenticator: Authenticator::new(identities, HostNames::new([HOST])),
        log: log.clone(),
        tap: None,
        acceptor: Some(Acceptor::from_files(&files.certificate, &files.key)?),
        clock,
        metrics,
    };
    let listen = MqttOptions { listen: ([127, 0, 0, 1], 0).into(), ..MqttOptions::default() };
    let front = MqttFront::start(listen, parts, &tasks).await?;
    println!("ready {}", front.address().port());
    let end = || std::io::stdin().lines().for_each(drop);
    tokio::task::spawn_blocking(end).await?;
    tasks.drain(Duration::from_secs(5)).await;
    log.close();
    Ok(())
}
