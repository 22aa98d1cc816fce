//! `gemba check`: named diagnostics, each with what to do.

use crate::cli::CheckArgs;
use crate::settings::{self, Settings};
use crate::terminal::say;
use anyhow::{Result, bail};
use gemba_base::disk::{Disk, RealDisk};
use gemba_base::{Clock, SystemClock};
use gemba_model::DateTime;
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

/// One diagnostic.
struct Finding {
    name: &'static str,
    good: bool,
    detail: String,
}

/// A clock before this is certainly wrong.
const BUILT_IN: i64 = 2026;

pub(crate) async fn run(args: CheckArgs) -> Result<()> {
    let (settings, _) = settings::load(&args.place)?;
    let mut findings = ports(&settings, &args.place.data);
    findings.push(disk(&args.place.data));
    findings.push(clock(SystemClock::new().now()));
    findings.push(certificate(&args.place.data));
    for url in &args.endpoints {
        findings.push(endpoint(url, &args.place.data).await);
    }
    let bad = findings.iter().filter(|finding| !finding.good).count();
    if args.json {
        let items: Vec<_> = findings
            .iter()
            .map(|finding| json!({"name": finding.name, "good": finding.good, "detail": finding.detail}))
            .collect();
        say(&json!({ "items": items }).to_string());
    } else {
        for finding in &findings {
            say(&format!(
                "{:<4} {:<12} {}",
                if finding.good { "ok" } else { "BAD" },
                finding.name,
                finding.detail
            ));
        }
    }
    if bad > 0 {
        bail!("{bad} of {} checks found something", findings.len());
    }
    Ok(())
}

fn finding(name: &'static str, good: bool, detail: String) -> Finding {
    Finding { name, good, detail }
}

fn ports(settings: &Settings, data: &Path) -> Vec<Finding> {
    if data.join("run/endpoints.json").is_file() {
        return vec![finding("ports", true, "Gemba runs and holds its ports".to_owned())];
    }
    let wanted = [
        ("console.listen", settings.console.listen),
        ("console.tls-listen", settings.console.tls_listen),
        ("hub.mqtt.listen", settings.hub.mqtt.listen),
    ];
    let check = |(key, address): (&str, SocketAddr)| match TcpListener::bind(address) {
        Ok(_) => finding("port", true, format!("{key} {address} is free")),
        Err(error) => finding(
            "port",
            false,
            format!(
                "{key} {address}: {error}; stop what uses it, or set {key} to another port (0 takes a free one)"
            ),
        ),
    };
    wanted.into_iter().map(check).collect()
}

fn disk(data: &Path) -> Finding {
    let place = if data.is_dir() { data } else { Path::new(".") };
    match (RealDisk.free_bytes(place), RealDisk.total_bytes(place)) {
        (Ok(free), Ok(total)) => {
            let needed = (total / 20).max(1 << 30);
            let detail = format!("{} MiB free of {} MiB at {}", free >> 20, total >> 20, place.display());
            if free > needed {
                finding("disk", true, detail)
            } else {
                finding(
                    "disk",
                    false,
                    format!(
                        "{detail}; data is refused below {} MiB: free space, or set disk.reserve-bytes",
                        needed >> 20
                    ),
                )
            }
        }
        (Err(error), _) | (_, Err(error)) => finding("disk", false, format!("{}: {error}", place.display())),
    }
}

fn clock(now: DateTime) -> Finding {
    let good = now.date().0 >= BUILT_IN;
    let remedy =
        if good { "" } else { "; set it, or start a time service: certificates and tokens depend on it" };
    finding("clock", good, format!("{now}{remedy}"))
}

fn certificate(data: &Path) -> Finding {
    let path = data.join("pki/hub/server.pem");
    if !path.is_file() {
        return finding(
            "certificate",
            true,
            "none yet; the platform makes one at its first start".to_owned(),
        );
    }
    match gemba_net::tls::Acceptor::from_files(&path, &data.join("pki/hub/server.key")) {
        Ok(_) => finding("certificate", true, format!("{} and its key fit", path.display())),
        Err(error) => finding("certificate", false, error.to_string()),
    }
}

async fn endpoint(url: &str, data: &Path) -> Finding {
    let options = match super::opc::options(url, data, false) {
        Ok(options) => options,
        Err(error) => return finding("endpoint", false, format!("{error:#}")),
    };
    match gemba_ua::client::session::endpoints(&options).await {
        Ok(found) => finding("endpoint", true, format!("{url} answers with {} endpoints", found.len())),
        Err(error) => finding("endpoint", false, error.to_string()),
    }
}
