//! The edge of one process: publisher, store-and-forward and uplink.

use crate::commands::opc::application;
use crate::data::DataDirectory;
use crate::platform::{Shared, machine_name, reserve};
use crate::settings::Settings;
use anyhow::{Context, Result, anyhow, bail};
use gemba_base::Tasks;
use gemba_base::disk::RealDisk;
use gemba_edge::{EdgeOptions, HubLink, HubLinkOptions, StoreAndForward, Way};
use gemba_field::{Publisher, PublisherOptions};
use gemba_iothub::ConnectionString;
use gemba_ua::client::TrustStore;
use gemba_ua::client::trust::TrustOptions;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The file that `gemba hub enroll` writes and `--hub @FILE` reads.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Enrollment {
    /// Connection string of the device.
    pub(crate) connection_string: String,
    /// Certificate of the hub's authority, PEM.
    pub(crate) ca: String,
}

/// Where the hub is and how to prove it.
pub(crate) struct HubAccess {
    pub(crate) connection: ConnectionString,
    pub(crate) ca: PathBuf,
}

/// A running edge.
pub(crate) struct Edge {
    pub(crate) queue: StoreAndForward,
    field_tasks: Tasks,
    link_tasks: Tasks,
    queue_tasks: Tasks,
}

/// Bytes of one segment of the edge's queue.
const SEGMENT_BYTES: u64 = 8 << 20;
/// How long a token for the hub is valid.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

impl Edge {
    pub(crate) fn start(
        data: &DataDirectory,
        settings: &Settings,
        hub: HubAccess,
        shared: &Shared,
        tasks: &Tasks,
    ) -> Result<Self> {
        let identity = hub.connection.identity()?;
        let producer = identity.to_string().replace('/', "-");
        let options = EdgeOptions {
            data: data.path().to_owned(),
            producer: producer.clone(),
            queue_bytes_max: settings.edge.queue_bytes_max,
            queue_age_max: (settings.edge.queue_hours_max > 0)
                .then(|| Duration::from_secs(settings.edge.queue_hours_max * 3600)),
            on_full: settings
                .edge
                .on_full
                .parse()
                .map_err(|reason: String| anyhow!("edge.on-full: {reason}"))?,
            segment_bytes: SEGMENT_BYTES.min(settings.edge.queue_bytes_max / 2).max(1 << 20),
            reserve: reserve(settings.disk.reserve_bytes),
            log: gemba_wal::LogOptions::default(),
        };
        let (field_tasks, link_tasks, queue_tasks) =
            (tasks.branch("field"), tasks.branch("uplink"), tasks.branch("queue"));
        let queue = StoreAndForward::open(
            options,
            Arc::new(RealDisk),
            shared.clock.clone(),
            &shared.metrics,
            &queue_tasks,
        )?;
        let link = HubLinkOptions {
            connection: hub.connection,
            way: Way::Tls(hub.ca),
            token_lifetime: TOKEN_LIFETIME,
        };
        HubLink::start(queue.clone(), link, &link_tasks);
        if !settings.edge.published_nodes.is_empty() {
            let trust_options =
                TrustOptions { auto_accept: settings.edge.trust_servers, ..TrustOptions::default() };
            let application = application(format!("urn:{}:gemba:{producer}", machine_name()));
            let trust = TrustStore::open(data.join("pki/opcua"), &application, trust_options)
                .map_err(|error| anyhow!("{error}"))?;
            let publisher = PublisherOptions {
                file: PathBuf::from(&settings.edge.published_nodes),
                trust,
                run_folder: data.join("run"),
                instance: producer,
            };
            Publisher::start(
                publisher,
                Arc::new(queue.clone()),
                shared.clock.clone(),
                shared.metrics.clone(),
                &field_tasks,
            );
        }
        Ok(Self { queue, field_tasks, link_tasks, queue_tasks })
    }

    /// Stops from the field to the hub: take in nothing more, flush, deliver what can be delivered.
    pub(crate) async fn drain(&self) {
        self.field_tasks.drain(Duration::from_secs(8)).await;
        self.link_tasks.drain(Duration::from_secs(6)).await;
        self.queue_tasks.drain(Duration::from_secs(5)).await;
    }
}

/// Reads `--hub`: `@FILE` with an enrollment, or a connection string.
pub(crate) fn hub_access(data: &Path, settings: &Settings) -> Result<Option<HubAccess>> {
    let text = settings.edge.hub.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let default_ca = || {
        if settings.edge.hub_ca.is_empty() {
            data.join("pki/hub/ca.pem")
        } else {
            PathBuf::from(&settings.edge.hub_ca)
        }
    };
    let Some(path) = text.strip_prefix('@') else {
        tracing::warn!(
            "the connection string stands in the configuration or on the command line, where others may read it; \
             use --hub @FILE as `gemba hub enroll` writes it"
        );
        return Ok(Some(HubAccess { connection: ConnectionString::parse(text)?, ca: default_ca() }));
    };
    let content = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let enrollment: Enrollment = match serde_json::from_str(&content) {
        Ok(enrollment) => enrollment,
        // A file with nothing but the connection string is fine, too.
        Err(_) if content.trim_start().starts_with("HostName=") => {
            return Ok(Some(HubAccess {
                connection: ConnectionString::parse(content.trim())?,
                ca: default_ca(),
            }));
        }
        Err(error) => bail!("{path} is not an enrollment as `gemba hub enroll` writes it: {error}"),
    };
    let ca = if settings.edge.hub_ca.is_empty() {
        let kept = data.join("pki/hub/ca.pem");
        let folder = data.join("pki/hub");
        gemba_base::files::create_private_folder(&folder)?;
        gemba_base::files::replace(&kept, enrollment.ca.as_bytes())?;
        kept
    } else {
        PathBuf::from(&settings.edge.hub_ca)
    };
    Ok(Some(HubAccess { connection: ConnectionString::parse(&enrollment.connection_string)?, ca }))
}
