//! Browse, BrowseNext and TranslateBrowsePathsToNodeIds over our nodes.

use super::OwnNodes;
use crate::server::node::{Node, Owner, Reference};
use opcua::nodes::{ReferenceDirection, TypeTree};
use opcua::server::node_manager::{AddReferenceResult, BrowseNode, BrowsePathItem, ExternalReference};
use opcua::types::{
    ExpandedNodeId, Identifier, NodeId, ReferenceDescription, RelativePathElement, StatusCode,
};

/// Where a browse goes on: the number of references that were looked at.
struct Position(usize);

impl OwnNodes {
    pub(super) fn browse_node(&self, wanted: &mut BrowseNode, types: &dyn TypeTree) {
        let position = wanted.take_continuation_point::<Position>().map_or(0, |position| position.0);
        if let Some(node) = self.find(&wanted.node_id().clone()) {
            wanted.set_status(StatusCode::Good);
            if position == 0 {
                self.push_references_to_standard_nodes(node, wanted);
            }
            if self.add_parent(node, position, wanted, types) {
                self.add_children(&node.children, position, wanted, types);
            }
        } else if let Some(children) = self.roots_of(wanted.node_id()) {
            self.add_children(children, position, wanted, types);
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

    /// The stack asks the owner of those nodes for their names.
    fn push_references_to_standard_nodes(&self, node: &Node, wanted: &mut BrowseNode) {
        if wanted.allows_forward()
            && let Some(definition) = node.type_definition(self.types())
        {
            wanted.push_external_reference(ExternalReference::new(
                ExpandedNodeId::new(definition),
                Reference::HasTypeDefinition.id(),
                ReferenceDirection::Forward,
            ));
        }
        if let (true, Owner::Standard(number)) = (wanted.allows_inverse(), node.owner) {
            wanted.push_external_reference(ExternalReference::new(
                ExpandedNodeId::new(NodeId::new(0, number)),
                node.reference.id(),
                ReferenceDirection::Inverse,
            ));
        }
    }

    /// The reference at position 0. Returns whether there is room for more.
    fn add_parent(
        &self,
        node: &Node,
        position: usize,
        wanted: &mut BrowseNode,
        types: &dyn TypeTree,
    ) -> bool {
        let Owner::Own(parent) = node.owner else { return true };
        if position > 0 || !wanted.allows_inverse() {
            return true;
        }
        let Some(parent) = self.node(parent) else { return true };
        let reference = self.description(parent, node.reference, false);
        if matches!(wanted.add(types, reference), AddReferenceResult::Full(_)) {
            wanted.set_next_continuation_point(Box::new(Position(0)));
            return false;
        }
        true
    }

    /// References from position 1 on.
    fn add_children(&self, children: &[u32], position: usize, wanted: &mut BrowseNode, types: &dyn TypeTree) {
        if !wanted.allows_forward() {
            return;
        }
        for (index, child) in children.iter().enumerate().skip(position.saturating_sub(1)) {
            let Some(child) = self.node(*child) else { continue };
            let reference = self.description(child, child.reference, true);
            if matches!(wanted.add(types, reference), AddReferenceResult::Full(_)) {
                wanted.set_next_continuation_point(Box::new(Position(index + 1)));
                return;
            }
        }
    }

    fn description(&self, node: &Node, reference: Reference, is_forward: bool) -> ReferenceDescription {
        node.metadata(self.types()).into_ref_desc(is_forward, reference.id())
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
