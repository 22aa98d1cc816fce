//! Browse, BrowseNext and TranslateBrowsePathsToNodeIds over our nodes.

use super::OwnNodes;
use crate::server::node::{Node, Owner, Reference, StandardNode};
use opcua::nodes::TypeTree;
use opcua::server::node_manager::{AddReferenceResult, BrowseNode, BrowsePathItem};
use opcua::types::{Identifier, NodeId, ReferenceDescription, RelativePathElement, StatusCode};

/// Where a browse goes on. Position 0 of a node is its type definition, 1 its parent, children follow.
struct Position(usize);

const CHILDREN: usize = 2;

impl OwnNodes {
    pub(super) fn browse_node(&self, wanted: &mut BrowseNode, types: &dyn TypeTree) {
        let first = wanted.take_continuation_point::<Position>().map_or(0, |position| position.0);
        let node = self.find(wanted.node_id());
        let children = match node {
            Some(node) => {
                wanted.set_status(StatusCode::Good);
                node.children.as_slice()
            }
            None => self.roots_of(wanted.node_id()).unwrap_or_default(),
        };
        for position in first..CHILDREN + children.len() {
            let Some(reference) = self.reference_at(position, node, children, wanted) else { continue };
            if matches!(wanted.add(types, reference), AddReferenceResult::Full(_)) {
                wanted.set_next_continuation_point(Box::new(Position(position)));
                return;
            }
        }
    }

    fn roots_of(&self, id: &NodeId) -> Option<&[u32]> {
        match id {
            NodeId { namespace: 0, identifier: Identifier::Numeric(number) } => {
                self.space.roots.get(number).map(Vec::as_slice)
            }
            _ => None,
        }
    }

    fn reference_at(
        &self,
        position: usize,
        node: Option<&Node>,
        children: &[u32],
        wanted: &BrowseNode,
    ) -> Option<ReferenceDescription> {
        match position {
            0 => {
                let definition = node?.type_definition(self.types())?;
                let definition = StandardNode::find(definition)?.metadata();
                let reference = Reference::HasTypeDefinition.id();
                wanted.allows_forward().then(|| definition.into_ref_desc(true, reference))
            }
            1 => {
                let node = node?;
                let parent = match node.owner {
                    Owner::Standard(number) => StandardNode::find(number)?.metadata(),
                    Owner::Own(parent) => self.node(parent)?.metadata(self.types()),
                };
                wanted.allows_inverse().then(|| parent.into_ref_desc(false, node.reference.id()))
            }
            _ => {
                let child = self.node(*children.get(position - CHILDREN)?)?;
                let reference = child.reference.id();
                let forward = wanted.allows_forward();
                forward.then(|| child.metadata(self.types()).into_ref_desc(true, reference))
            }
        }
    }

    /// Walks a browse path as far as it stays among our nodes, and reports each step to the stack.
    pub(super) fn translate(&self, item: &mut BrowsePathItem<'_>, own_index: usize, types: &dyn TypeTree) {
        if let Some(name) = item.unmatched_browse_name() {
            if !self.find(item.node_id()).is_some_and(|node| node.has_browse_name(name)) {
                return;
            }
            item.set_browse_name_matched(own_index);
        }
        let mut here = vec![item.node_id().clone()];
        for (depth, element) in item.path().iter().enumerate() {
            let next: Vec<NodeId> = here.iter().flat_map(|from| self.step(from, element, types)).collect();
            for id in &next {
                item.add_element(id.clone(), depth + 1, None);
            }
            here = next;
        }
    }

    fn step(&self, from: &NodeId, element: &RelativePathElement, types: &dyn TypeTree) -> Vec<NodeId> {
        let follows = |reference: Reference| {
            let wanted = &element.reference_type_id;
            let reference = reference.id();
            wanted.is_null()
                || *wanted == reference
                || element.include_subtypes && types.is_subtype_of(&reference, wanted)
        };
        let node = self.find(from);
        let matching = |node: &&Node| node.has_browse_name(&element.target_name);
        if element.is_inverse {
            let Some(node) = node.filter(|node| follows(node.reference)) else { return Vec::new() };
            let Owner::Own(parent) = node.owner else { return Vec::new() };
            return self.node(parent).filter(matching).map(|node| node.id.clone()).into_iter().collect();
        }
        let children = match node {
            Some(node) => node.children.as_slice(),
            None => self.roots_of(from).unwrap_or_default(),
        };
        let children = children.iter().filter_map(|child| self.node(*child));
        children.filter(matching).filter(|node| follows(node.reference)).map(|node| node.id.clone()).collect()
    }
}
