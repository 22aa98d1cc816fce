//! Read, and what of the server is read once.

use super::OpcUaSession;
use super::limits::Operation;
use crate::client::convert;
use crate::client::error::UaError;
use gemba_model::{DateTime, NodeId, StatusCode, Variant};
use opcua::client::UARequest;
use opcua::client::services::Read;
use opcua::types as stack;

/// The attribute Value.
pub(crate) const ATTRIBUTE_VALUE: u32 = 13;

/// One attribute of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRequest {
    /// The node.
    pub node: NodeId,
    /// The attribute's number; 13 is Value.
    pub attribute: u32,
    /// A part of an array, such as `1:3`.
    pub index_range: Option<String>,
}

impl From<NodeId> for ReadRequest {
    fn from(node: NodeId) -> Self {
        Self { node, attribute: ATTRIBUTE_VALUE, index_range: None }
    }
}

/// A value with all that belongs to it, owned. Absent stays absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataValue {
    /// The value.
    pub value: Variant,
    /// All 32 bits.
    pub status: StatusCode,
    /// When the source took it.
    pub source_timestamp: Option<DateTime>,
    /// When the server had it.
    pub server_timestamp: Option<DateTime>,
    /// In units of 10 ps.
    pub source_picoseconds: u16,
    /// In units of 10 ps.
    pub server_picoseconds: u16,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerStatus {
    /// When it was started: the proof that its subscription ids still mean the same.
    pub start_time: Option<DateTime>,
    /// Name of the product.
    pub product_name: String,
    /// URI of the product.
    pub product_uri: String,
    /// Who made it.
    pub manufacturer_name: String,
    /// Its version.
    pub software_version: String,
}

impl OpcUaSession {
    /// Reads attributes, as many calls as the server's limits ask for. The answers are in the order of `requests`;
    /// a node that cannot be read has its reason in the status.
    ///
    /// # Errors
    /// When a call fails as a whole.
    pub async fn read(&self, requests: &[ReadRequest]) -> Result<Vec<DataValue>, UaError> {
        self.limits.split(Operation::Read, requests, |part| self.read_once(part)).await
    }

    async fn read_once(&self, requests: &[ReadRequest]) -> Result<Vec<DataValue>, UaError> {
        let nodes = requests.iter().map(|request| stack::ReadValueId {
            node_id: convert::to_stack_node_id(&request.node),
            attribute_id: request.attribute,
            index_range: request.index_range.as_deref().map_or(stack::NumericRange::None, |range| {
                range.parse().unwrap_or(stack::NumericRange::None)
            }),
            ..Default::default()
        });
        let session = &self.stack.session;
        let answer = Read::new(session)
            .timestamps_to_return(stack::TimestampsToReturn::Both)
            .nodes_to_read(nodes.collect())
            .send(session.channel())
            .await
            .map_err(|error| self.failed("Read", &error))?;
        let values = answer.results.unwrap_or_default();
        if values.len() != requests.len() {
            return Err(self.protocol(format!("{} values for {} nodes", values.len(), requests.len())));
        }
        let context = session.encoding_context().read();
        let context = context.context();
        Ok(values.into_iter().map(|value| data_value(&value, &context)).collect())
    }
}

fn data_value(value: &stack::DataValue, context: &stack::Context<'_>) -> DataValue {
    let converted = value.value.as_ref().map(|value| convert::variant(value, context));
    let unreadable = matches!(converted, Some(Err(_)));
    DataValue {
        value: converted.and_then(Result::ok).unwrap_or_default(),
        status: match value.status.map_or(StatusCode::GOOD, convert::status) {
            status if unreadable && !status.is_bad() => {
                StatusCode::from_name("BadDecodingError").unwrap_or(StatusCode::BAD_NO_DATA)
            }
            status => status,
        },
        source_timestamp: value.source_timestamp.map(convert::time),
        server_timestamp: value.server_timestamp.map(convert::time),
        source_picoseconds: value.source_picoseconds.unwrap_or(0),
        server_picoseconds: value.server_picoseconds.unwrap_or(0),
    }
}

const SERVER_NAMESPACE_ARRAY: u32 = 2255;

const NAMESPACE_ZERO: &str = "http://opcfoundation.org/UA/";

/// The namespace array. A server that does not tell it has the standard's namespace alone: nodes by index are
/// asked for as they are, nodes by URI cannot be found.
pub(super) async fn namespaces(session: &OpcUaSession) -> Result<Vec<String>, UaError> {
    let request = NodeId::numeric(0, SERVER_NAMESPACE_ARRAY).into();
    let value = match session.read(&[request]).await {
        Ok(answer) => answer.into_iter().next().map(|value| value.value),
        Err(error) if error.ends_connection() => return Err(error),
        Err(_) => None,
    };
    let Some(Variant::Array { values, .. }) = value else {
        tracing::warn!(endpoint = session.options().endpoint_url, "the server does not tell its namespaces");
        return Ok(vec![NAMESPACE_ZERO.to_owned()]);
    };
    let names = values.into_iter().map(|value| match value {
        Variant::String(name) => name.unwrap_or_default(),
        _ => String::new(),
    });
    Ok(names.collect())
}

/// StartTime, ProductName, ProductUri, ManufacturerName, SoftwareVersion.
const SERVER_STATUS: [u32; 5] = [2257, 2261, 2262, 2263, 2264];

pub(super) async fn server_status(session: &OpcUaSession) -> Result<ServerStatus, UaError> {
    let requests: Vec<ReadRequest> = SERVER_STATUS.iter().map(|id| NodeId::numeric(0, *id).into()).collect();
    let answer = match session.read(&requests).await {
        Ok(answer) => answer,
        Err(error) if error.ends_connection() => return Err(error),
        Err(_) => return Ok(ServerStatus::default()),
    };
    let mut values = answer.into_iter().map(|value| value.value);
    let start_time = match values.next() {
        Some(Variant::DateTime(time)) => Some(time),
        _ => None,
    };
    let mut text = || match values.next() {
        Some(Variant::String(text)) => text.unwrap_or_default(),
        _ => String::new(),
    };
    Ok(ServerStatus {
        start_time,
        product_name: text(),
        product_uri: text(),
        manufacturer_name: text(),
        software_version: text(),
    })
}
