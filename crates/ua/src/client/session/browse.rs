//! Browse with BrowseNext.

use super::OpcUaSession;
use super::limits::Operation;
use crate::client::convert;
use crate::client::error::UaError;
use gemba_model::{ExpandedNodeId, LocalizedText, NodeId, QualifiedName, StatusCode};
use opcua::client::UARequest;
use opcua::client::services::{Browse, BrowseNext};
use opcua::types as stack;

/// Answers of BrowseNext in a row that bring nothing.
const EMPTY_ROUNDS_MAX: u32 = 100;
/// References of one node that are followed; what stands behind them is left out.
const REFERENCES_MAX: usize = 1_000_000;
/// HierarchicalReferences.
const HIERARCHICAL_REFERENCES: u32 = 33;

/// Which way references are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BrowseDirection {
    /// From the node.
    #[default]
    Forward,
    /// To the node.
    Inverse,
    /// Both.
    Both,
}

/// One node to browse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrowseRequest {
    /// The node.
    pub node: NodeId,
    /// The direction.
    pub direction: BrowseDirection,
    /// The type of reference, with its subtypes; `None` for all.
    pub reference_type: Option<NodeId>,
    /// Bits of the wanted node classes; 0 for all.
    pub node_class_mask: u32,
}

impl BrowseRequest {
    /// Everything below a node.
    pub const fn children(node: NodeId) -> Self {
        Self {
            node,
            direction: BrowseDirection::Forward,
            reference_type: Some(NodeId::numeric(0, HIERARCHICAL_REFERENCES)),
            node_class_mask: 0,
        }
    }
}

/// A reference that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its type.
    pub reference_type: NodeId,
    /// From the browsed node, or to it.
    pub is_forward: bool,
    /// The other end.
    pub target: ExpandedNodeId,
    /// The other end's browse name.
    pub browse_name: QualifiedName,
    /// The other end's display name.
    pub display_name: LocalizedText,
    /// The other end's node class.
    pub node_class: u32,
    /// The other end's type, if it has one.
    pub type_definition: ExpandedNodeId,
}

type Found = Result<Vec<Reference>, StatusCode>;

struct Part {
    references: Found,
    continuation: Option<stack::ByteString>,
}

impl From<stack::BrowseResult> for Part {
    fn from(result: stack::BrowseResult) -> Self {
        if result.status_code.is_bad() {
            return Self { references: Err(convert::status(result.status_code)), continuation: None };
        }
        let references = result.references.unwrap_or_default().iter().map(reference).collect();
        let more = !result.continuation_point.is_null_or_empty();
        Self { references: Ok(references), continuation: more.then_some(result.continuation_point) }
    }
}

fn reference(found: &stack::ReferenceDescription) -> Reference {
    Reference {
        reference_type: convert::node_id(&found.reference_type_id),
        is_forward: found.is_forward,
        target: convert::expanded_node_id(&found.node_id),
        browse_name: convert::qualified_name(&found.browse_name),
        display_name: convert::localized_text(&found.display_name),
        node_class: found.node_class as u32,
        type_definition: convert::expanded_node_id(&found.type_definition),
    }
}

impl OpcUaSession {
    /// All references of the nodes, in their order, each with its own result.
    ///
    /// # Errors
    /// When a call fails as a whole.
    pub async fn browse(&self, requests: &[BrowseRequest]) -> Result<Vec<Found>, UaError> {
        self.limits.split(Operation::Browse, requests, |part| self.browse_part(part)).await
    }

    async fn browse_part(&self, requests: &[BrowseRequest]) -> Result<Vec<Found>, UaError> {
        let session = &self.stack.session;
        let answer = Browse::new(session)
            .nodes_to_browse(requests.iter().map(description).collect())
            .send(session.channel())
            .await
            .map_err(|error| self.failed("Browse", &error))?;
        let mut parts: Vec<Part> = answer.results.unwrap_or_default().into_iter().map(Part::from).collect();
        if parts.len() != requests.len() {
            return Err(self.protocol(format!("{} results for {} nodes", parts.len(), requests.len())));
        }
        self.browse_rest(&mut parts).await?;
        Ok(parts.into_iter().map(|part| part.references).collect())
    }

    /// Follows continuation points until there are none.
    async fn browse_rest(&self, parts: &mut [Part]) -> Result<(), UaError> {
        let session = &self.stack.session;
        let mut empty_rounds = 0;
        loop {
            let mut waiting: Vec<&mut Part> =
                parts.iter_mut().filter(|part| part.continuation.is_some()).collect();
            if waiting.is_empty() {
                return Ok(());
            }
            let points = waiting.iter_mut().filter_map(|part| part.continuation.take()).collect();
            let answer = BrowseNext::new(session)
                .continuation_points(points)
                .send(session.channel())
                .await
                .map_err(|error| self.failed("BrowseNext", &error))?;
            let results = answer.results.unwrap_or_default();
            if results.len() != waiting.len() {
                return Err(self.protocol("BrowseNext answered another number of nodes"));
            }
            // Some servers answer a few times with nothing; one that never ends does it for ever.
            let is_empty = results.iter().all(|result| result.references.as_ref().is_none_or(Vec::is_empty));
            empty_rounds = if is_empty { empty_rounds + 1 } else { 0 };
            if empty_rounds > EMPTY_ROUNDS_MAX {
                return Err(self.protocol("BrowseNext goes on for ever and brings nothing"));
            }
            for (part, result) in waiting.into_iter().zip(results) {
                let next = Part::from(result);
                match (&mut part.references, next.references) {
                    (Ok(all), Ok(more)) => {
                        all.extend(more);
                        part.continuation = next.continuation.filter(|_| all.len() < REFERENCES_MAX);
                    }
                    (Ok(_), Err(status)) => part.references = Err(status),
                    (Err(_), _) => {}
                }
            }
        }
    }
}

fn description(request: &BrowseRequest) -> stack::BrowseDescription {
    stack::BrowseDescription {
        node_id: convert::to_stack_node_id(&request.node),
        browse_direction: match request.direction {
            BrowseDirection::Forward => stack::BrowseDirection::Forward,
            BrowseDirection::Inverse => stack::BrowseDirection::Inverse,
            BrowseDirection::Both => stack::BrowseDirection::Both,
        },
        reference_type_id: request
            .reference_type
            .as_ref()
            .map_or_else(stack::NodeId::null, convert::to_stack_node_id),
        include_subtypes: true,
        node_class_mask: request.node_class_mask,
        result_mask: stack::BrowseDescriptionResultMask::all().bits(),
    }
}
