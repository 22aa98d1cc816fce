//! `publishednodes.json` in the form of OPC Publisher 2.8 and 2.9, read strictly.
//!
//! Names are compared without case, comments are allowed. Whatever Gemba does not do yet is an error that
//! names the field and its place: a setting that is silently ignored is a promise broken.

mod fields;
mod json_comments;
mod strict_json;
mod timespan;

use fields::Fields;
use gemba_base::Secret;
use gemba_base::nearest::nearest;
use gemba_model::{ErrorCode, ExpandedNodeId, Namespace};
use gemba_ua::client::SecurityPolicy;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// One entry of the file: nodes of one endpoint for one writer.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedEntry {
    /// The server.
    pub endpoint_url: String,
    /// How the channel is protected.
    pub security: Security,
    /// Who we are to the server.
    pub identity: Identity,
    /// Writer group name.
    pub group: String,
    /// Writer name.
    pub writer: String,
    /// Data set name; the writer's name where the file has none.
    pub data_set: String,
    /// The nodes.
    pub nodes: Vec<Arc<PublishedNode>>,
}

/// Protection of the channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Security {
    /// Which modes are acceptable.
    pub mode: SecurityMode,
    /// The policy's short name, such as `Basic256Sha256`; empty for the best one.
    pub policy: String,
}

/// Acceptable message security modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityMode {
    /// The best that the server offers, None included.
    Best,
    /// Sign or SignAndEncrypt, the best that the server offers.
    NotNone,
    /// No protection.
    None,
    /// Signed.
    Sign,
    /// Signed and encrypted.
    SignAndEncrypt,
}

/// Who we are to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Nobody in particular.
    Anonymous,
    /// A user with a password.
    UserName {
        /// The user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// The owner of a certificate in `user/certs` of the trust folders.
    Certificate {
        /// Its file's name without ending, or its common name.
        name: String,
    },
}

/// One node to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedNode {
    /// The node as the file names it.
    pub node_id: ExpandedNodeId,
    /// The attribute; 13 is Value.
    pub attribute_id: u32,
    /// Name of the field: field id, else display name, else the node's text.
    pub field_name: Arc<str>,
    /// How often the server looks at the value.
    pub sampling_interval: Duration,
    /// How often the server sends.
    pub publishing_interval: Duration,
    /// How many values the server keeps between two sends; `None` lets Gemba choose.
    pub queue_size: Option<u32>,
    /// Whether a full queue drops the newest value instead of the oldest.
    pub discard_new: bool,
}

/// Why the file was refused. The configuration before it stays in force.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishedNodesError {
    /// Not JSON.
    #[error("{}: the file is not JSON: {message}", self.code())]
    Syntax {
        /// What the parser says, with line and column.
        message: String,
    },
    /// A field has a wrong value, is unknown or missing.
    #[error("{}: {place}: {reason}", self.code())]
    Invalid {
        /// Entry and node, counted from 1, with their names.
        place: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A field of OPC Publisher that Gemba does not support yet.
    #[error("{}: {place}: '{field}' is not supported yet; remove it, or set it to its default", self.code())]
    NotSupported {
        /// Entry and node.
        place: String,
        /// The field as the file writes it.
        field: String,
    },
}

impl PublishedNodesError {
    /// The page under docs/errors.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Syntax { .. } => ErrorCode("GMB-FLD-001"),
            Self::Invalid { .. } => ErrorCode("GMB-FLD-002"),
            Self::NotSupported { .. } => ErrorCode("GMB-FLD-003"),
        }
    }
}

/// OPC Publisher's default for both intervals.
const INTERVAL_DEFAULT: Duration = Duration::from_millis(1000);
/// The names OPC Publisher gives to what has no name.
const GROUP_DEFAULT: &str = "<<UnknownWriterGroup>>";
const WRITER_DEFAULT: &str = "<<UnknownDataSet>>";

/// A file may have this many bytes.
pub const FILE_BYTES_MAX: u64 = 256 << 20;
/// A file may have this many nodes in all.
pub const NODES_MAX: usize = 1_000_000;

/// Reads a file's text.
///
/// # Errors
/// At the first thing that is wrong, with its place.
pub fn parse(text: &str) -> Result<Vec<PublishedEntry>, PublishedNodesError> {
    let plain = json_comments::blank(text.strip_prefix('\u{feff}').unwrap_or(text));
    if plain.trim().is_empty() {
        // An editor that is about to write leaves just this behind for a moment; subscriptions must not end by it.
        return Err(PublishedNodesError::Syntax { message: "it is empty; [] publishes nothing".into() });
    }
    let syntax = |error: serde_json::Error| PublishedNodesError::Syntax { message: error.to_string() };
    if !plain.trim_start().starts_with('[') {
        strict_json::parse(&plain).map_err(syntax)?;
        return Err(PublishedNodesError::Syntax {
            message: "expected an array of entries: [ { \"EndpointUrl\": … } ]".into(),
        });
    }
    let mut parsed: Vec<PublishedEntry> = Vec::new();
    strict_json::for_each(&plain, |value| {
        parsed.push(entry(parsed.len(), value)?);
        Ok(())
    })
    .map_err(syntax)??;
    let nodes: usize = parsed.iter().map(|entry| entry.nodes.len()).sum();
    if nodes > NODES_MAX {
        let reason = format!("{nodes} nodes; at most {NODES_MAX} are possible");
        return Err(PublishedNodesError::Invalid { place: "the file".into(), reason });
    }
    share_namespaces(&mut parsed);
    Ok(parsed)
}

/// Few namespaces are written many times: each is held once.
fn share_namespaces(entries: &mut [PublishedEntry]) {
    let mut known: HashSet<Arc<str>> = HashSet::new();
    for node in entries.iter_mut().flat_map(|entry| &mut entry.nodes) {
        let Some(PublishedNode { node_id: ExpandedNodeId { namespace: Namespace::Uri(uri), .. }, .. }) =
            Arc::get_mut(node)
        else {
            continue;
        };
        match known.get(uri) {
            Some(known) => *uri = Arc::clone(known),
            None => drop(known.insert(Arc::clone(uri))),
        }
    }
}

/// Takes nodes out that stand twice with all that they are, in one writer of one endpoint: each is published once.
/// What was taken out comes back in words. Nodes that stand twice under different names or intervals stay.
pub fn fold_duplicates(entries: &mut [PublishedEntry]) -> Vec<String> {
    let mut seen: HashSet<(String, String, String, String)> = HashSet::new();
    let mut folded = Vec::new();
    for entry in entries {
        let PublishedEntry { endpoint_url, group, writer, nodes, .. } = entry;
        nodes.retain(|node| {
            let identity = format!(
                "{} {} {} {:?} {:?}",
                node.node_id,
                node.attribute_id,
                node.field_name,
                node.sampling_interval,
                node.publishing_interval
            );
            let is_new = seen.insert((endpoint_url.clone(), group.clone(), writer.clone(), identity));
            if !is_new {
                folded.push(format!("{} of {endpoint_url} in writer '{writer}'", node.node_id));
            }
            is_new
        });
    }
    folded
}

fn entry(index: usize, value: Value) -> Result<PublishedEntry, PublishedNodesError> {
    let mut fields = Fields::new(format!("entry {}", index + 1), value, fields::ENTRY)?;
    let endpoint_url = fields.text("EndpointUrl")?.ok_or_else(|| fields.missing("EndpointUrl"))?;
    fields.name(&endpoint_url);
    if !endpoint_url.starts_with("opc.tcp://") {
        return Err(fields.invalid("EndpointUrl", "must begin with opc.tcp://"));
    }
    let security = security(&mut fields)?;
    let identity = identity(&mut fields)?;
    let group = fields.text("DataSetWriterGroup")?.unwrap_or_else(|| GROUP_DEFAULT.to_owned());
    let writer = fields.text("DataSetWriterId")?.unwrap_or_else(|| WRITER_DEFAULT.to_owned());
    let data_set = fields.text("DataSetName")?.unwrap_or_else(|| writer.clone());
    let sampling = fields.interval("DataSetSamplingInterval")?.unwrap_or(INTERVAL_DEFAULT);
    let publishing = fields.interval("DataSetPublishingInterval")?.unwrap_or(INTERVAL_DEFAULT);
    let mut nodes = Vec::new();
    for (number, value) in fields.list("OpcNodes")?.into_iter().enumerate() {
        nodes.push(Arc::new(node(&fields, number, value, sampling, publishing)?));
    }
    // Informational in OPC Publisher, too.
    fields.ignore(&["Version", "LastChangeDateTime", "LastChangeTimespan"]);
    fields.finish()?;
    Ok(PublishedEntry { endpoint_url, security, identity, group, writer, data_set, nodes })
}

fn security(fields: &mut Fields) -> Result<Security, PublishedNodesError> {
    let use_security = fields.flag("UseSecurity")?.unwrap_or(false);
    let mode = match fields.text("EndpointSecurityMode")?.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None if use_security => SecurityMode::NotNone,
        None => SecurityMode::None,
        Some("best") => SecurityMode::Best,
        Some("notnone") => SecurityMode::NotNone,
        Some("none") => SecurityMode::None,
        Some("sign") => SecurityMode::Sign,
        Some("signandencrypt") => SecurityMode::SignAndEncrypt,
        Some(_) => {
            return Err(
                fields.invalid("EndpointSecurityMode", "is one of Best, NotNone, None, Sign, SignAndEncrypt")
            );
        }
    };
    let policy = match fields.text("EndpointSecurityPolicy")? {
        None => String::new(),
        Some(text) => match SecurityPolicy::parse(&text) {
            Ok(policy) => policy.name().to_owned(),
            Err(_) => {
                let names = SecurityPolicy::ALL.map(SecurityPolicy::name);
                let near = nearest(&text, names);
                let hint = near.map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                let reason = format!("is one of {}{hint}", names.join(", "));
                return Err(fields.invalid("EndpointSecurityPolicy", &reason));
            }
        },
    };
    let is_none = policy == SecurityPolicy::None.name();
    match mode {
        SecurityMode::None if !policy.is_empty() && !is_none => Err(fields.invalid(
            "EndpointSecurityPolicy",
            "goes with a security mode; set UseSecurity to true, or EndpointSecurityMode",
        )),
        SecurityMode::None => Ok(Security { mode, policy }),
        _ if is_none => {
            Err(fields.invalid("EndpointSecurityPolicy", "None does not go with a security mode"))
        }
        _ => Ok(Security { mode, policy }),
    }
}

fn identity(fields: &mut Fields) -> Result<Identity, PublishedNodesError> {
    let user = fields.text("OpcAuthenticationUsername")?;
    let password = fields.text("OpcAuthenticationPassword")?.unwrap_or_default();
    let mode = fields.text("OpcAuthenticationMode")?.map(|mode| mode.to_ascii_lowercase());
    match (mode.as_deref(), user) {
        (None | Some("anonymous"), None) => Ok(Identity::Anonymous),
        (Some("anonymous"), Some(_)) => Err(fields.invalid(
            "OpcAuthenticationMode",
            "is Anonymous, but a user name is given; set UsernamePassword",
        )),
        (None | Some("usernamepassword"), Some(user)) => {
            Ok(Identity::UserName { user, password: Secret::new(password) })
        }
        (Some("usernamepassword"), None) => Err(fields.missing("OpcAuthenticationUsername")),
        (Some("certificate"), Some(_)) if !password.is_empty() => Err(fields.invalid(
            "OpcAuthenticationPassword",
            "opens no key here: store the user's key without a passphrase, and remove the password",
        )),
        (Some("certificate"), Some(name)) => Ok(Identity::Certificate { name }),
        (Some("certificate"), None) => Err(fields.missing("OpcAuthenticationUsername")),
        (Some(_), _) => {
            Err(fields.invalid("OpcAuthenticationMode", "is one of Anonymous, UsernamePassword, Certificate"))
        }
    }
}

fn node(
    entry: &Fields,
    number: usize,
    value: Value,
    sampling: Duration,
    publishing: Duration,
) -> Result<PublishedNode, PublishedNodesError> {
    let mut fields = Fields::new(format!("{}, node {}", entry.place(), number + 1), value, fields::NODE)?;
    let id = fields.text("Id")?;
    let expanded = fields.text("ExpandedNodeId")?;
    let text = id.or(expanded).ok_or_else(|| fields.missing("Id"))?;
    fields.name(&text);
    let node_id: ExpandedNodeId = text.parse().map_err(|error| fields.invalid("Id", &format!("{error}")))?;
    let attribute_id = match fields.text("AttributeId")?.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("value") => 13,
        Some(_) => return Err(fields.not_supported("AttributeId other than Value")),
    };
    let field_id = fields.text("DataSetFieldId")?;
    let display_name = fields.text("DisplayName")?;
    let sampling_interval = fields.interval("OpcSamplingInterval")?.unwrap_or(sampling);
    let publishing_interval = fields.interval("OpcPublishingInterval")?.unwrap_or(publishing);
    let queue_size = fields.number("QueueSize")?;
    let discard_new = fields.flag("DiscardNew")?.unwrap_or(false);
    fields.finish()?;
    Ok(PublishedNode {
        attribute_id,
        field_name: field_id.or(display_name).unwrap_or_else(|| node_id.to_string()).into(),
        node_id,
        sampling_interval,
        publishing_interval,
        queue_size,
        discard_new,
    })
}

#[cfg(test)]
mod tests;
