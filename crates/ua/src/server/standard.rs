//! The nodes of the OPC UA namespace: read once a process, shared by all servers of it.

use opcua::core_namespace::CoreNamespace;
use opcua::nodes::{NodeSetImport, NodeSetNamespaceMapper, NodeType};
use opcua::types::{
    AttributeId, DataEncoding, ExpandedNodeId, Identifier, LocalizedText, NamespaceMap, NodeClass, NodeId,
    NumericRange, QualifiedName, StatusCode, TimestampsToReturn, Variant,
};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

const HAS_SUBTYPE: u32 = 45;
const HAS_TYPE_DEFINITION: u32 = 40;

/// A reference between two nodes of the OPC UA namespace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct StandardReference {
    pub(super) kind: u32,
    pub(super) target: u32,
    pub(super) forward: bool,
}

pub(super) struct StandardNode {
    node: NodeType,
    pub(super) references: Vec<StandardReference>,
}

pub(super) struct Standard {
    nodes: HashMap<u32, StandardNode>,
}

/// What a reference shows of its target.
pub(super) struct Shown {
    pub(super) id: NodeId,
    pub(super) browse_name: QualifiedName,
    pub(super) display_name: LocalizedText,
    pub(super) class: NodeClass,
    pub(super) type_definition: ExpandedNodeId,
}

pub(super) fn standard() -> &'static Standard {
    static STANDARD: LazyLock<Standard> = LazyLock::new(Standard::load);
    &STANDARD
}

/// The number of a node of the OPC UA namespace.
pub(super) fn number(id: &NodeId) -> Option<u32> {
    match id {
        NodeId { namespace: 0, identifier: Identifier::Numeric(number) } => Some(*number),
        _ => None,
    }
}

impl Standard {
    fn load() -> Self {
        let mut namespaces = NamespaceMap::new();
        let mut mapper = NodeSetNamespaceMapper::new(&mut namespaces);
        CoreNamespace.register_namespaces(&mut mapper);
        let mut nodes = HashMap::new();
        let mut known = HashSet::new();
        let mut references = Vec::new();
        for item in CoreNamespace.load(&mapper) {
            let Some(source) = number(item.node.as_node().node_id()) else { continue };
            for reference in item.references {
                let (Some(target), Some(kind)) = (number(&reference.target_id), number(&reference.type_id))
                else {
                    continue;
                };
                let forward = reference.is_forward;
                let (from, to) = if forward { (source, target) } else { (target, source) };
                if known.insert((from, kind, to)) {
                    references.push((from, kind, to));
                }
            }
            nodes.insert(source, StandardNode { node: item.node, references: Vec::new() });
        }
        for (from, kind, to) in references {
            if !nodes.contains_key(&from) || !nodes.contains_key(&to) {
                continue;
            }
            for (at, target, forward) in [(from, to, true), (to, from, false)] {
                if let Some(node) = nodes.get_mut(&at) {
                    node.references.push(StandardReference { kind, target, forward });
                }
            }
        }
        Self { nodes }
    }

    pub(super) fn find(&self, id: &NodeId) -> Option<&StandardNode> {
        self.get(number(id)?)
    }

    pub(super) fn get(&self, number: u32) -> Option<&StandardNode> {
        self.nodes.get(&number)
    }

    /// Whether a type of the OPC UA namespace is another one or a subtype of it.
    pub(super) fn is_subtype(&self, of: u32, wanted: u32) -> bool {
        let mut here = of;
        // The deepest branch of the standard's types has fewer steps.
        for _ in 0..32 {
            if here == wanted {
                return true;
            }
            let Some(node) = self.get(here) else { return false };
            let up = node.references.iter().find(|up| !up.forward && up.kind == HAS_SUBTYPE);
            let Some(up) = up else { return false };
            here = up.target;
        }
        false
    }

    pub(super) fn shown(&self, number: u32) -> Option<Shown> {
        let node = self.get(number)?;
        let inner = node.node.as_node();
        Some(Shown {
            id: NodeId::new(0, number),
            browse_name: inner.browse_name().clone(),
            display_name: inner.display_name().clone(),
            class: inner.node_class(),
            type_definition: node
                .references
                .iter()
                .find(|reference| reference.forward && reference.kind == HAS_TYPE_DEFINITION)
                .map_or_else(ExpandedNodeId::null, |reference| {
                    ExpandedNodeId::new(NodeId::new(0, reference.target))
                }),
        })
    }
}

impl StandardNode {
    pub(super) fn attribute(&self, attribute: AttributeId) -> Result<Variant, StatusCode> {
        let node = self.node.as_node();
        let none = (TimestampsToReturn::Neither, NumericRange::None, DataEncoding::Binary);
        let found = node.get_attribute(none.0, attribute, &none.1, &none.2);
        // The standard's nodes have their values from us, so that they are readable and not writable.
        let value = found.ok_or(StatusCode::BadAttributeIdInvalid)?;
        Ok(value.value.unwrap_or(Variant::Empty))
    }

    pub(super) fn class(&self) -> NodeClass {
        self.node.node_class()
    }

    pub(super) fn has_browse_name(&self, name: &QualifiedName) -> bool {
        self.node.as_node().browse_name() == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_nodes_hang_together() {
        let standard = standard();
        let names = |id: u32| -> Vec<String> {
            let node = standard.get(id).unwrap();
            let forward = node.references.iter().filter(|reference| reference.forward);
            forward.map(|to| standard.shown(to.target).unwrap().browse_name.name.to_string()).collect()
        };
        let root = names(84);
        for wanted in ["Objects", "Types", "Views", "FolderType"] {
            assert!(root.iter().any(|name| name == wanted), "{root:?}");
        }
        assert!(names(2253).iter().any(|name| name == "ServerStatus"));
        // HasComponent is a HierarchicalReference, HasTypeDefinition is none.
        assert!(standard.is_subtype(47, 33));
        assert!(!standard.is_subtype(40, 33));
    }
}
