//! What a server offers: folders, variables, methods and structures, declared before it starts.

use super::NAMESPACE_INDEX;
use super::convert::{self, Codec};
use super::declaration::{
    DataType, MethodDeclaration, NodeHandle, Parent, VariableDeclaration, VariableHandle,
};
use super::error::ServerError;
use super::node::{
    BASE_OBJECT_TYPE, DATA_VARIABLE_TYPE, FOLDER_TYPE, Kind, Node, OBJECTS_FOLDER, Owner, Reference,
    STRUCTURE, VariableType, standard,
};
use super::stored::{Body, Stored};
use gemba_model::{BuiltInType, DateTime, Identifier, NodeId, StatusCode, Variant};
use opcua::types::Variant as StackVariant;
use std::collections::HashMap;

mod properties;
mod structures;

pub(super) type MethodCallback = Box<dyn Fn(&[Variant]) -> Result<Vec<Variant>, StatusCode> + Send + Sync>;
pub(super) type WriteCallback = Box<dyn Fn(Variant) -> Result<Variant, StatusCode> + Send + Sync>;

/// What a variable holds until the first write.
pub(super) struct FirstValue {
    body: Body,
    source_timestamp: Option<DateTime>,
}

impl FirstValue {
    pub(super) fn stored(self, started: DateTime) -> Stored {
        let source = self.source_timestamp.unwrap_or(started);
        Stored::new(self.body, StatusCode::GOOD, Some(source), Some(started))
    }
}

pub(super) struct Method {
    pub(super) inputs: Vec<BuiltInType>,
    pub(super) callback: MethodCallback,
}

/// Collects nodes; [`super::Server::start`] takes it.
pub struct AddressSpaceBuilder {
    pub(super) namespace_uri: String,
    pub(super) nodes: Vec<Node>,
    pub(super) by_id: HashMap<opcua::types::NodeId, u32>,
    /// Nodes under nodes of the OPC UA namespace.
    pub(super) roots: HashMap<u32, Vec<u32>>,
    pub(super) types: Vec<VariableType>,
    /// The node and the first value of each variable.
    pub(super) variables: Vec<(u32, FirstValue)>,
    pub(super) methods: Vec<Method>,
    pub(super) on_write: HashMap<u32, WriteCallback>,
    /// The values of EURange properties, by the place of the property's variable.
    pub(super) ranges: HashMap<usize, (f64, f64)>,
    codec: Codec,
    next_own_id: u32,
}

impl std::fmt::Debug for AddressSpaceBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddressSpaceBuilder")
            .field("namespace_uri", &self.namespace_uri)
            .field("nodes", &self.nodes.len())
            .finish_non_exhaustive()
    }
}

/// Ids that nobody chose, for method arguments, begin here.
const OWN_IDS: u32 = 0x8000_0000;

impl AddressSpaceBuilder {
    /// An empty space. The URI names the namespace of all its nodes.
    pub fn new(namespace_uri: impl Into<String>) -> Self {
        Self {
            namespace_uri: namespace_uri.into(),
            nodes: Vec::new(),
            by_id: HashMap::new(),
            roots: HashMap::new(),
            types: Vec::new(),
            variables: Vec::new(),
            methods: Vec::new(),
            on_write: HashMap::new(),
            ranges: HashMap::new(),
            codec: Codec::new(),
            next_own_id: OWN_IDS,
        }
    }

    /// Adds a folder.
    ///
    /// # Errors
    /// When the id is taken, as in all methods here.
    pub fn folder(&mut self, parent: Parent, id: Identifier, name: &str) -> Result<NodeHandle, ServerError> {
        self.add(parent, Reference::Organizes, id, name, Kind::Object { type_definition: FOLDER_TYPE })
    }

    /// Adds an object.
    ///
    /// # Errors
    /// When the id is taken.
    pub fn object(&mut self, parent: Parent, id: Identifier, name: &str) -> Result<NodeHandle, ServerError> {
        let kind = Kind::Object { type_definition: BASE_OBJECT_TYPE };
        let reference = component_of(parent);
        self.add(parent, reference, id, name, kind)
    }

    /// Adds a variable.
    ///
    /// # Errors
    /// When the id is taken.
    pub fn variable(
        &mut self,
        parent: Parent,
        declaration: VariableDeclaration,
    ) -> Result<VariableHandle, ServerError> {
        let (data_type, built_in) = match declaration.data_type {
            DataType::BuiltIn(built_in) => (standard(u32::from(built_in.id())), built_in),
            DataType::Structure(node) => (
                self.nodes.get(node.0 as usize).map_or_else(|| standard(STRUCTURE), |node| node.id.clone()),
                BuiltInType::ExtensionObject,
            ),
        };
        let shared = VariableType {
            data_type,
            built_in,
            value_rank: declaration.value_rank,
            writable: declaration.writable,
            type_definition: DATA_VARIABLE_TYPE,
        };
        let initial = FirstValue {
            body: Body::of(&declaration.initial, &mut Vec::new()),
            source_timestamp: declaration.source_timestamp,
        };
        let name = (declaration.name.as_str(), false);
        let reference = component_of(parent);
        let handle = self.add_variable(parent, reference, declaration.id, name, (shared, initial))?;
        if let (Some(text), Some(node)) = (declaration.display_name, self.nodes.last_mut()) {
            node.display_name = Some(text.into());
        }
        Ok(handle)
    }

    /// The node of a variable.
    pub fn node_of(&self, variable: VariableHandle) -> Option<NodeHandle> {
        self.variables.get(variable.index()).map(|(node, _)| NodeHandle(*node))
    }

    /// Adds a method. The callback runs on the connection's task: it must not block.
    /// The number and the types of its inputs were checked.
    ///
    /// # Errors
    /// When the id is taken.
    pub fn method(
        &mut self,
        parent: Parent,
        declaration: MethodDeclaration,
        callback: impl Fn(&[Variant]) -> Result<Vec<Variant>, StatusCode> + Send + Sync + 'static,
    ) -> Result<NodeHandle, ServerError> {
        let inputs = declaration.inputs.iter().map(|input| input.data_type).collect();
        let index = self.methods.len() as u32;
        self.methods.push(Method { inputs, callback: Box::new(callback) });
        let kind = Kind::Method(index);
        let node = self.add(parent, Reference::HasComponent, declaration.id, &declaration.name, kind)?;
        self.arguments(node, "InputArguments", &declaration.inputs)?;
        self.arguments(node, "OutputArguments", &declaration.outputs)?;
        Ok(node)
    }

    /// Decides about client writes of a writable variable: the callback gets the value and answers what
    /// shall be stored, or the status that the client gets. Without one every value of the type is stored.
    pub fn on_write(
        &mut self,
        variable: VariableHandle,
        callback: impl Fn(Variant) -> Result<Variant, StatusCode> + Send + Sync + 'static,
    ) {
        self.on_write.insert(variable.0, Box::new(callback));
    }

    pub(super) fn find(&self, id: &opcua::types::NodeId) -> Option<&Node> {
        self.node(*self.by_id.get(id)?)
    }

    pub(super) fn node(&self, index: u32) -> Option<&Node> {
        self.nodes.get(index as usize)
    }

    /// Nodes of ours under a node of the OPC UA namespace.
    pub(super) fn roots_of(&self, number: u32) -> &[u32] {
        self.roots.get(&number).map(Vec::as_slice).unwrap_or_default()
    }

    fn add(
        &mut self,
        parent: Parent,
        reference: Reference,
        id: Identifier,
        name: &str,
        kind: Kind,
    ) -> Result<NodeHandle, ServerError> {
        self.push(owner(parent), reference, id, (name, false), kind)
    }

    fn add_variable(
        &mut self,
        parent: Parent,
        reference: Reference,
        id: Identifier,
        name: (&str, bool),
        (shared, initial): (VariableType, FirstValue),
    ) -> Result<VariableHandle, ServerError> {
        let handle = VariableHandle(self.variables.len() as u32);
        let shared = self.intern(shared);
        let node = self.push(owner(parent), reference, id, name, Kind::Variable { handle, shared })?;
        self.variables.push((node.0, initial));
        Ok(handle)
    }

    fn push(
        &mut self,
        owner: Owner,
        reference: Reference,
        id: Identifier,
        (name, standard_name): (&str, bool),
        kind: Kind,
    ) -> Result<NodeHandle, ServerError> {
        let index = self.nodes.len() as u32;
        let node_id = own_id(&id);
        if self.by_id.contains_key(&node_id) {
            return Err(ServerError::DuplicateNode(
                NodeId { namespace: NAMESPACE_INDEX, identifier: id }.to_string(),
            ));
        }
        self.by_id.insert(node_id.clone(), index);
        match owner {
            Owner::Standard(number) => self.roots.entry(number).or_default().push(index),
            Owner::Own(parent) => {
                if let Some(parent) = self.nodes.get_mut(parent as usize) {
                    parent.children.push(index);
                }
            }
        }
        self.nodes.push(Node {
            id: node_id,
            name: name.into(),
            standard_name,
            display_name: None,
            owner,
            reference,
            kind,
            children: Vec::new(),
        });
        Ok(NodeHandle(index))
    }

    /// Variables of one kind share their description; kinds are few, so a walk from the newest is short.
    fn intern(&mut self, shared: VariableType) -> u32 {
        if let Some(index) = self.types.iter().rposition(|known| *known == shared) {
            return index as u32;
        }
        self.types.push(shared);
        (self.types.len() - 1) as u32
    }
}

impl FirstValue {
    fn of_stack(value: &StackVariant, codec: &Codec) -> Self {
        Self { body: Body::new(&codec.encode(value)), source_timestamp: None }
    }
}

fn owner(parent: Parent) -> Owner {
    match parent {
        Parent::Objects => Owner::Standard(OBJECTS_FOLDER),
        Parent::Node(node) => Owner::Own(node.0),
    }
}

/// The Objects folder organizes, all else consists of its parts.
fn component_of(parent: Parent) -> Reference {
    if parent == Parent::Objects { Reference::Organizes } else { Reference::HasComponent }
}

fn own_id(id: &Identifier) -> opcua::types::NodeId {
    convert::node_id(&NodeId { namespace: NAMESPACE_INDEX, identifier: id.clone() })
}
