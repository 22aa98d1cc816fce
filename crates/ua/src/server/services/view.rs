//! Browse, BrowseNext, TranslateBrowsePathsToNodeIds, RegisterNodes (OPC 10000-4 v1.05, 5.9).
//!
//! The references of a node have places: of ours its type, its parent, its children; of the standard's its own
//! and then those to ours. A page ends at a place, where the next one begins.

use super::{Call, Outcome, bounded, good};
use crate::server::behaviour::Endless;
use crate::server::node::{Node, Owner, Reference};
use crate::server::session::Point;
use crate::server::shared::Shared;
use crate::server::standard::{self, Shown, StandardNode};
use opcua::types::{
    BrowseDescription, BrowseDirection, BrowseNextRequest, BrowseNextResponse, BrowsePath, BrowsePathResult,
    BrowsePathTarget, BrowseRequest, BrowseResponse, BrowseResult, BrowseResultMask, ByteString,
    ExpandedNodeId, NodeId, ReferenceDescription, RegisterNodesRequest, RegisterNodesResponse,
    RelativePathElement, StatusCode, TranslateBrowsePathsToNodeIdsRequest,
    TranslateBrowsePathsToNodeIdsResponse, UnregisterNodesRequest, UnregisterNodesResponse,
};

/// What is still to be told of a node.
#[derive(Clone, Debug)]
pub(in crate::server) struct Page {
    wanted: BrowseDescription,
    most: usize,
    from: usize,
}

/// Nodes that one step of a browse path may lead to.
const TARGETS_MAX: usize = 1000;

/// One reference, seen from a node.
struct Found<'a> {
    kind: u32,
    forward: bool,
    target: Target<'a>,
}

enum Target<'a> {
    Own(&'a Node),
    Standard(u32),
}

enum Here<'a> {
    Own(&'a Node),
    Standard(u32, &'a StandardNode),
}

impl<'a> Here<'a> {
    fn find(shared: &'a Shared, id: &NodeId) -> Option<Self> {
        if let Some(node) = shared.space.find(id) {
            return Some(Self::Own(node));
        }
        let number = standard::number(id)?;
        shared.standard.get(number).map(|node| Self::Standard(number, node))
    }

    /// The reference at a place, or `None` beyond the last; `Some(None)` for a place that is empty.
    fn at(&self, shared: &'a Shared, place: usize) -> Option<Option<Found<'a>>> {
        match self {
            Self::Standard(number, node) => {
                let Some(reference) = node.references.get(place) else {
                    let own = shared.space.roots_of(*number).get(place - node.references.len())?;
                    return Some(shared.space.node(*own).map(child));
                };
                let target = Target::Standard(reference.target);
                Some(Some(Found { kind: reference.kind, forward: reference.forward, target }))
            }
            Self::Own(node) => match place {
                0 => Some(node.type_definition(&shared.space.types).map(|definition| Found {
                    kind: Reference::HasTypeDefinition as u32,
                    forward: true,
                    target: Target::Standard(definition),
                })),
                1 => Some(parent(shared, node)),
                _ => {
                    let own = node.children.get(place - 2)?;
                    let found = shared.space.node(*own).map(child);
                    Some(found.filter(|found| !is_hidden(shared, found)))
                }
            },
        }
    }

    /// How many places there are.
    fn places(&self, shared: &Shared) -> usize {
        match self {
            Self::Own(node) => 2 + node.children.len(),
            Self::Standard(number, node) => node.references.len() + shared.space.roots_of(*number).len(),
        }
    }
}

fn child(node: &Node) -> Found<'_> {
    Found { kind: node.reference as u32, forward: true, target: Target::Own(node) }
}

fn parent<'a>(shared: &'a Shared, node: &Node) -> Option<Found<'a>> {
    let target = match node.owner {
        Owner::Own(parent) => Target::Own(shared.space.node(parent)?),
        Owner::Standard(number) => Target::Standard(number),
    };
    Some(Found { kind: node.reference as u32, forward: false, target })
}

/// Broken types have no encodings.
fn is_hidden(shared: &Shared, found: &Found<'_>) -> bool {
    shared.options.behaviour.broken_types && found.kind == Reference::HasEncoding as u32
}

impl Target<'_> {
    fn shown(&self, shared: &Shared) -> Option<Shown> {
        match self {
            Self::Own(node) => Some(node.shown(&shared.space.types)),
            Self::Standard(number) => shared.standard.shown(*number),
        }
    }

    fn class(&self, shared: &Shared) -> u32 {
        match self {
            Self::Own(node) => node.class() as u32,
            Self::Standard(number) => shared.standard.get(*number).map_or(0, |node| node.class() as u32),
        }
    }
}

pub(super) fn browse(call: &Call<'_>, request: &BrowseRequest) -> Outcome<BrowseResponse> {
    if !request.view.view_id.is_null() {
        return Err(StatusCode::BadViewIdUnknown);
    }
    let limit = call.shared.options.limits.items_per_call;
    let nodes = bounded(request.nodes_to_browse.as_ref(), limit)?;
    let asked = request.requested_max_references_per_node as usize;
    let most = if asked == 0 { limit } else { asked.min(limit) };
    let results = nodes.iter().map(|wanted| page(call, Page { wanted: wanted.clone(), most, from: 0 }));
    Ok(BrowseResponse {
        response_header: good(&request.request_header),
        results: Some(results.collect()),
        diagnostic_infos: None,
    })
}

pub(super) fn browse_next(call: &Call<'_>, request: &BrowseNextRequest) -> Outcome<BrowseNextResponse> {
    let points = bounded(request.continuation_points.as_ref(), call.shared.options.limits.items_per_call)?;
    let results = points.iter().map(|point| {
        let point = call.with_session(|session| session.take_point(point)).ok().flatten();
        match point {
            Some(Point::Browse(_)) if request.release_continuation_points => empty(StatusCode::Good),
            Some(Point::Browse(next)) => page(call, *next),
            _ => empty(StatusCode::BadContinuationPointInvalid),
        }
    });
    Ok(BrowseNextResponse {
        response_header: good(&request.request_header),
        results: Some(results.collect()),
        diagnostic_infos: None,
    })
}

fn empty(status_code: StatusCode) -> BrowseResult {
    BrowseResult { status_code, continuation_point: ByteString::null(), references: None }
}

fn page(call: &Call<'_>, page: Page) -> BrowseResult {
    match references(call.shared, &page) {
        Err(status) => empty(status),
        Ok((references, next)) => {
            let next = match call.shared.options.behaviour.endless {
                Endless::Pages if !references.is_empty() => Some(page.from),
                _ => next,
            };
            let continuation_point = match next {
                None => ByteString::null(),
                Some(from) => {
                    let point = Point::Browse(Box::new(Page { from, ..page }));
                    call.with_session(|session| session.keep_point(point)).unwrap_or_default()
                }
            };
            BrowseResult { status_code: StatusCode::Good, continuation_point, references: Some(references) }
        }
    }
}

type References = (Vec<ReferenceDescription>, Option<usize>);

/// References from a place on, and where the next page begins.
fn references(shared: &Shared, page: &Page) -> Result<References, StatusCode> {
    let wanted = &page.wanted;
    let here = Here::find(shared, &wanted.node_id).ok_or(StatusCode::BadNodeIdUnknown)?;
    let (forward, inverse) = match wanted.browse_direction {
        BrowseDirection::Forward => (true, false),
        BrowseDirection::Inverse => (false, true),
        BrowseDirection::Both => (true, true),
        BrowseDirection::Invalid => return Err(StatusCode::BadBrowseDirectionInvalid),
    };
    let follows = Follows::new(shared, &wanted.reference_type_id, wanted.include_subtypes)?;
    let mut found = Vec::new();
    for place in page.from..here.places(shared) {
        let Some(Some(reference)) = here.at(shared, place) else { continue };
        if !(if reference.forward { forward } else { inverse }) || !follows.kind(shared, reference.kind) {
            continue;
        }
        if wanted.node_class_mask != 0 && reference.target.class(shared) & wanted.node_class_mask == 0 {
            continue;
        }
        if found.len() >= page.most {
            return Ok((found, Some(place)));
        }
        found.extend(describe(shared, &reference, wanted.result_mask));
    }
    Ok((found, None))
}

fn describe(shared: &Shared, found: &Found<'_>, mask: u32) -> Option<ReferenceDescription> {
    let shown = found.target.shown(shared)?;
    let wants = |what: BrowseResultMask| mask & what as u32 != 0;
    let mut description = ReferenceDescription {
        is_forward: wants(BrowseResultMask::IsForward) && found.forward,
        node_id: ExpandedNodeId::new(shown.id),
        ..ReferenceDescription::default()
    };
    if wants(BrowseResultMask::ReferenceTypeId) {
        description.reference_type_id = NodeId::new(0, found.kind);
    }
    if wants(BrowseResultMask::BrowseName) {
        description.browse_name = shown.browse_name;
    }
    if wants(BrowseResultMask::DisplayName) {
        description.display_name = shown.display_name;
    }
    if wants(BrowseResultMask::NodeClass) {
        description.node_class = shown.class;
    }
    if wants(BrowseResultMask::TypeDefinition) {
        description.type_definition = shown.type_definition;
    }
    Some(description)
}

/// Which references are followed.
struct Follows {
    kind: Option<u32>,
    subtypes: bool,
}

impl Follows {
    fn new(shared: &Shared, kind: &NodeId, subtypes: bool) -> Result<Self, StatusCode> {
        if kind.is_null() {
            return Ok(Self { kind: None, subtypes });
        }
        let number = standard::number(kind).ok_or(StatusCode::BadReferenceTypeIdInvalid)?;
        let node = shared.standard.get(number).ok_or(StatusCode::BadReferenceTypeIdInvalid)?;
        if node.class() != opcua::types::NodeClass::ReferenceType {
            return Err(StatusCode::BadReferenceTypeIdInvalid);
        }
        Ok(Self { kind: Some(number), subtypes })
    }

    fn kind(&self, shared: &Shared, kind: u32) -> bool {
        self.kind
            .is_none_or(|wanted| wanted == kind || self.subtypes && shared.standard.is_subtype(kind, wanted))
    }
}

pub(super) fn translate(
    call: &Call<'_>,
    request: &TranslateBrowsePathsToNodeIdsRequest,
) -> Outcome<TranslateBrowsePathsToNodeIdsResponse> {
    let paths = bounded(request.browse_paths.as_ref(), call.shared.options.limits.items_per_call)?;
    let results = paths.iter().map(|path| match walk(call.shared, path) {
        Ok(targets) => BrowsePathResult {
            status_code: StatusCode::Good,
            targets: Some(
                targets
                    .into_iter()
                    .map(|id| BrowsePathTarget {
                        target_id: ExpandedNodeId::new(id),
                        remaining_path_index: u32::MAX,
                    })
                    .collect(),
            ),
        },
        Err(status_code) => BrowsePathResult { status_code, targets: None },
    });
    Ok(TranslateBrowsePathsToNodeIdsResponse {
        response_header: good(&request.request_header),
        results: Some(results.collect()),
        diagnostic_infos: None,
    })
}

fn walk(shared: &Shared, path: &BrowsePath) -> Result<Vec<NodeId>, StatusCode> {
    Here::find(shared, &path.starting_node).ok_or(StatusCode::BadNodeIdUnknown)?;
    let elements = path.relative_path.elements.as_deref().unwrap_or_default();
    if elements.is_empty() {
        return Err(StatusCode::BadNothingToDo);
    }
    let mut here = vec![path.starting_node.clone()];
    for element in elements {
        if element.target_name.name.is_empty() {
            return Err(StatusCode::BadBrowseNameInvalid);
        }
        let follows = Follows::new(shared, &element.reference_type_id, element.include_subtypes)?;
        let mut next = Vec::new();
        for from in &here {
            step(shared, from, element, &follows, &mut next);
        }
        if next.len() > TARGETS_MAX {
            return Err(StatusCode::BadTooManyMatches);
        }
        here = next;
    }
    if here.is_empty() { Err(StatusCode::BadNoMatch) } else { Ok(here) }
}

fn step(
    shared: &Shared,
    from: &NodeId,
    element: &RelativePathElement,
    follows: &Follows,
    next: &mut Vec<NodeId>,
) {
    let Some(here) = Here::find(shared, from) else { return };
    for place in 0..here.places(shared) {
        let Some(Some(found)) = here.at(shared, place) else { continue };
        if found.forward == element.is_inverse || !follows.kind(shared, found.kind) {
            continue;
        }
        let name = &element.target_name;
        match found.target {
            Target::Own(node) if node.has_browse_name(name) => next.push(node.id.clone()),
            Target::Standard(number)
                if shared.standard.get(number).is_some_and(|node| node.has_browse_name(name)) =>
            {
                next.push(NodeId::new(0, number));
            }
            _ => {}
        }
    }
}

/// Registered nodes keep their ids: there is nothing that could be faster.
pub(super) fn register(call: &Call<'_>, request: RegisterNodesRequest) -> Outcome<RegisterNodesResponse> {
    bounded(request.nodes_to_register.as_ref(), call.shared.options.limits.items_per_call)?;
    Ok(RegisterNodesResponse {
        response_header: good(&request.request_header),
        registered_node_ids: request.nodes_to_register,
    })
}

pub(super) fn unregister(
    call: &Call<'_>,
    request: &UnregisterNodesRequest,
) -> Outcome<UnregisterNodesResponse> {
    bounded(request.nodes_to_unregister.as_ref(), call.shared.options.limits.items_per_call)?;
    Ok(UnregisterNodesResponse { response_header: good(&request.request_header) })
}
