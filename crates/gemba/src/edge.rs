//! The edge of one process: publisher, store-and-forward and uplink.

use crate::commands::opc::application;
use crate::data::DataDirectory;
use crate::platform::{Shared, machine_name, reserve};
use crate::settings::Settings;
use anyhow::{Context, Result, anyhow, bail};
use gemba_api::{Stage, StageReport, Uplink};
use gemba_base::Tasks;
use gemba_base::disk::RealDisk;
use gemba_edge::{EdgeOptions, HubLink, HubLinkOptions, StoreAndForward, Way};
use gemba_field::{Publisher, PublisherOptions};
use gemba_iothub::ConnectionString;
use gemba_ua::client::TrustStore;
use gemba_ua::client::trust::TrustOptions;
use parking_lot::Mutex;
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
    shared: Shared,
    producer: String,
    data: PathBuf,
    tasks: Tasks,
    /// Of the publisher, which starts anew when it is to publish something else.
    field_tasks: Mutex<Tasks>,
    link_tasks: Tasks,
    queue_tasks: Tasks,
}

/// Bytes of one segment of the edge's queue.
const SEGMENT_BYTES: u64 = 8 << 20;
/// How long the field may take to stop.
const FIELD_WITHIN: Duration = Duration::from_secs(8);
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
        let edge = Self {
            queue,
            shared: shared.clone(),
            producer,
            data: data.path().to_owned(),
            tasks: tasks.clone(),
            field_tasks: Mutex::new(field_tasks),
            link_tasks,
            queue_tasks,
        };
        edge.publish(settings)?;
        Ok(edge)
    }

    /// Starts the publisher on the branch of now, if there is something to publish.
    fn publish(&self, settings: &Settings) -> Result<()> {
        if settings.edge.published_nodes.is_empty() {
            return Ok(());
        }
        let trust_options =
            TrustOptions { auto_accept: settings.edge.trust_servers, ..TrustOptions::default() };
        let application = application(format!("urn:{}:gemba:{}", machine_name(), self.producer));
        let trust = TrustStore::open(self.data.join("pki/opcua"), &application, trust_options)
            .map_err(|error| anyhow!("{error}"))?;
        let publisher = PublisherOptions {
            file: PathBuf::from(&settings.edge.published_nodes),
            trust,
            run_folder: self.data.join("run"),
            instance: self.producer.clone(),
        };
        let tasks = self.field_tasks.lock().clone();
        let (clock, metrics) = (self.shared.clock.clone(), self.shared.metrics.clone());
        Publisher::start(publisher, Arc::new(self.queue.clone()), clock, metrics, &tasks);
        Ok(())
    }

    /// Stops the publisher and starts it with other settings. Subscriptions that both have are taken over, as at a
    /// restart of the process.
    pub(crate) async fn republish(&self, settings: &Settings) {
        let old = std::mem::replace(&mut *self.field_tasks.lock(), self.tasks.branch("field"));
        old.drain(FIELD_WITHIN).await;
        // What the old one said of its servers is over; a new one says its own.
        let (instance, now) = (self.producer.clone(), self.shared.clock.now());
        self.queue.report(StageReport::idle(Stage::Field, instance, now));
        if let Err(error) = self.publish(settings) {
            tracing::error!(error = format!("{error:#}"), "nothing is published");
        }
    }

    /// Stops from the field to the hub: take in nothing more, flush, deliver what can be delivered.
    pub(crate) async fn drain(&self) {
        let field_tasks = self.field_tasks.lock().clone();
        field_tasks.drain(FIELD_WITHIN).await;
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
