//! `gemba opc`: a direct OPC UA client for people.

use crate::cli::{OpcAction, OpcTarget};
use crate::roles::StopSignal;
use crate::terminal::{say, start_logging};
use anyhow::{Context, Result, anyhow, bail};
use gemba_base::{Secret, Tasks};
use gemba_model::{DateTime, ExpandedNodeId, NodeId, StatusCode, Variant};
use gemba_ua::client::session::{BrowseRequest, ReadRequest};
use gemba_ua::client::trust::{Application, TrustOptions};
use gemba_ua::client::{
    Delivery, DeliverySink, Identity, ItemSpec, OpcUaSession, Security, SecurityMode, SessionEvent,
    SessionOptions, SinkError, SubscribedSession, SubscriptionSpec, TrustStore,
};
use serde_json::json;
use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The Value attribute.
const VALUE: u32 = 13;

pub(crate) async fn run(action: OpcAction) -> Result<()> {
    start_logging("error,opcua=off,opcua_client=off,opcua_crypto=off,opcua_core=off");
    match action {
        OpcAction::Browse { target, node } => browse(&target, &node).await,
        OpcAction::Read { target, nodes } => read(&target, &nodes).await,
        OpcAction::Subscribe { target, nodes, interval } => subscribe(&target, &nodes, interval).await,
    }
}

/// Options of an anonymous session without security.
pub(crate) fn options(url: &str, data: &Path, trust_all: bool) -> Result<SessionOptions> {
    let application = application("urn:gemba:cli".to_owned());
    let trust_options = TrustOptions { auto_accept: trust_all, ..TrustOptions::default() };
    let trust = TrustStore::open(data.join("pki/opcua"), &application, trust_options)
        .map_err(|error| anyhow!("{error}"))?;
    let mut options = SessionOptions::new(url, trust, data.join("run"));
    options.session_name = "gemba opc".to_owned();
    Ok(options)
}

/// How we introduce ourselves to servers.
pub(crate) fn application(uri: String) -> Application {
    let host = crate::platform::machine_name();
    Application { uri, name: "Gemba".to_owned(), host_names: vec![host], addresses: Vec::new() }
}

fn target_options(target: &OpcTarget) -> Result<SessionOptions> {
    let mut options = options(&target.url, &target.data, target.trust)?;
    options.security = match target.policy.as_str() {
        "None" => Security::NONE,
        policy => Security { mode: SecurityMode::Best, policy: Some(policy.to_owned()) },
    };
    if let Some(user) = &target.user {
        let Ok(password) = std::env::var("GEMBA_OPC_PASSWORD") else {
            bail!(
                "the password of {user} is read from the environment variable GEMBA_OPC_PASSWORD, which is not set"
            )
        };
        options.identity = Identity::UserName { user: user.clone(), password: Secret::new(password) };
    }
    Ok(options)
}

async fn connect(target: &OpcTarget) -> Result<OpcUaSession> {
    OpcUaSession::connect(target_options(target)?).await.map_err(|error| anyhow!("{error}"))
}

fn resolve(text: &str, session: &OpcUaSession) -> Result<NodeId> {
    let node: ExpandedNodeId = text.parse().map_err(|error| anyhow!("{error}"))?;
    node.resolve(session.namespaces()).with_context(|| {
        format!("{text}: the server does not have this namespace; it has {}", session.namespaces().join(", "))
    })
}

async fn browse(target: &OpcTarget, node: &str) -> Result<()> {
    let session = connect(target).await?;
    let node = resolve(node, &session)?;
    let found = session.browse(&[BrowseRequest::children(node)]).await.map_err(|error| anyhow!("{error}"))?;
    for result in found {
        let references = result.map_err(|status| anyhow!("{}: {status}", target.url))?;
        for reference in references {
            let name = reference.display_name.text.clone().unwrap_or_default();
            if target.json {
                say(&json!({"nodeId": reference.target.to_string(), "displayName": name, "nodeClass": reference.node_class}).to_string());
            } else {
                say(&format!(
                    "{:<11} {:<40} {name}",
                    class(reference.node_class),
                    reference.target.to_string()
                ));
            }
        }
    }
    session.close(true).await;
    Ok(())
}

const fn class(class: u32) -> &'static str {
    match class {
        1 => "object",
        2 => "variable",
        4 => "method",
        8 => "object type",
        16 => "var. type",
        32 => "reference",
        64 => "data type",
        128 => "view",
        _ => "?",
    }
}

async fn read(target: &OpcTarget, nodes: &[String]) -> Result<()> {
    let session = connect(target).await?;
    let mut requests = Vec::new();
    for node in nodes {
        requests.push(ReadRequest { node: resolve(node, &session)?, attribute: VALUE, index_range: None });
    }
    let values = session.read(&requests).await.map_err(|error| anyhow!("{error}"))?;
    for (node, value) in nodes.iter().zip(values) {
        show(target.json, node, &value.value, value.status, value.source_timestamp);
    }
    session.close(true).await;
    Ok(())
}

fn show(as_json: bool, node: &str, value: &Variant, status: StatusCode, time: Option<DateTime>) {
    let time = time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    if as_json {
        say(&json!({"nodeId": node, "value": plain(value), "status": status.0, "statusName": status.to_string(), "sourceTimestamp": time}).to_string());
    } else {
        say(&format!("{time}  {node}  {}  {status}", plain(value)));
    }
}

/// The value as a person reads it.
fn plain(value: &Variant) -> String {
    match value {
        Variant::Null => "null".to_owned(),
        Variant::Boolean(v) => v.to_string(),
        Variant::SByte(v) => v.to_string(),
        Variant::Byte(v) => v.to_string(),
        Variant::Int16(v) => v.to_string(),
        Variant::UInt16(v) => v.to_string(),
        Variant::Int32(v) => v.to_string(),
        Variant::UInt32(v) => v.to_string(),
        Variant::Int64(v) => v.to_string(),
        Variant::UInt64(v) => v.to_string(),
        Variant::Float(v) => v.to_string(),
        Variant::Double(v) => v.to_string(),
        Variant::String(Some(v)) | Variant::XmlElement(Some(v)) => v.clone(),
        Variant::DateTime(v) => v.to_string(),
        Variant::Array { values, .. } => {
            format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// Prints each value as it comes.
struct Printer {
    json: bool,
    /// Handles count from 1.
    nodes: Vec<String>,
}

impl DeliverySink for Printer {
    fn deliver(&self, delivery: Delivery) -> Pin<Box<dyn Future<Output = Result<(), SinkError>> + Send>> {
        if let Some(gap) = &delivery.gap {
            say(&format!("-- values are missing here: {}", gap.reason));
        }
        for notification in &delivery.notifications {
            let change = &notification.change;
            for (handle, sample) in change.handles.iter().zip(&change.samples) {
                let node = self.nodes.get((*handle as usize).wrapping_sub(1)).map_or("?", String::as_str);
                let value = change.variant(sample.value).unwrap_or_default();
                show(self.json, node, &value, sample.status, sample.source_timestamp);
            }
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn event(&self, event: SessionEvent) {
        match event {
            SessionEvent::State { state, error: Some((_, error)), .. } => {
                say(&format!("-- {state:?}: {error}"))
            }
            SessionEvent::ItemRejected { handle, status, .. } => {
                let node = self.nodes.get((handle as usize).wrapping_sub(1)).map_or("?", String::as_str);
                say(&format!("-- {node} is not monitored: {status}"));
            }
            _ => {}
        }
    }
}

async fn subscribe(target: &OpcTarget, nodes: &[String], interval: u64) -> Result<()> {
    let interval = Duration::from_millis(interval);
    let mut items = Vec::new();
    for (handle, node) in (1..).zip(nodes) {
        items.push(Arc::new(ItemSpec {
            handle,
            node: node.parse().map_err(|error| anyhow!("{error}"))?,
            attribute: VALUE,
            sampling_interval: interval,
            queue_size: 10,
            discard_oldest: true,
        }));
    }
    let spec =
        SubscriptionSpec { name: "cli".to_owned(), publishing_interval: interval, items, max_items: 10_000 };
    let sink = Arc::new(Printer { json: target.json, nodes: nodes.to_vec() });
    let (tasks, mut stop) = (Tasks::new("opc"), StopSignal::listen()?);
    let session = SubscribedSession::start(target_options(target)?, vec![spec], HashMap::new(), sink, &tasks)
        .map_err(|error| anyhow!("{error}"))?;
    stop.received().await;
    session.stop(true, Duration::from_secs(3)).await;
    Ok(())
}
