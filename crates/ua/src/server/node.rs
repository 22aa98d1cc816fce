//! One node of the address space, compact: a server may have hundreds of thousands.

use super::NAMESPACE_INDEX;
use super::declaration::VariableHandle;
use super::standard::Shown;
use gemba_model::BuiltInType;
use opcua::types::{
    AttributeId, ExpandedNodeId, ExtensionObject, LocalizedText, NodeClass, NodeId, QualifiedName,
    StatusCode, StructureDefinition, Variant,
};

/// The references of our address space, with their ids in the OPC UA namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reference {
    Organizes = 35,
    HasEncoding = 38,
    HasTypeDefinition = 40,
    HasSubtype = 45,
    HasProperty = 46,
    HasComponent = 47,
}

/// A node of the OPC UA namespace.
pub(super) fn standard(id: u32) -> NodeId {
    NodeId::new(0, id)
}

// Ids in the OPC UA namespace (OPC 10000-6 v1.05, NodeIds.csv).
pub(super) const OBJECTS_FOLDER: u32 = 85;
pub(super) const STRUCTURE: u32 = 22;
pub(super) const BASE_OBJECT_TYPE: u32 = 58;
pub(super) const FOLDER_TYPE: u32 = 61;
pub(super) const DATA_VARIABLE_TYPE: u32 = 63;
pub(super) const PROPERTY_TYPE: u32 = 68;
pub(super) const DATA_TYPE_ENCODING_TYPE: u32 = 76;
pub(super) const ANALOG_ITEM_TYPE: u32 = 2368;

/// What of a server changes the attributes of its nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quirks {
    pub(super) history: bool,
    pub(super) broken_types: bool,
}

/// Where a node hangs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    /// A node of the OPC UA namespace.
    Standard(u32),
    /// One of ours, by index.
    Own(u32),
}

/// What variables of one kind share.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct VariableType {
    pub(super) data_type: NodeId,
    /// The type on the wire.
    pub(super) built_in: BuiltInType,
    pub(super) value_rank: i32,
    pub(super) writable: bool,
    pub(super) type_definition: u32,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Object {
        type_definition: u32,
    },
    Variable {
        handle: VariableHandle,
        /// Index into the shared variable types.
        shared: u32,
    },
    /// Index into the methods.
    Method(u32),
    DataType(Box<StructureDefinition>),
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) name: Box<str>,
    /// The browse name belongs to OPC UA's namespace, as those of standard properties do.
    pub(super) standard_name: bool,
    pub(super) display_name: Option<Box<str>>,
    pub(super) owner: Owner,
    pub(super) reference: Reference,
    pub(super) kind: Kind,
    pub(super) children: Vec<u32>,
}

impl Node {
    pub(super) fn browse_name(&self) -> QualifiedName {
        let namespace = if self.standard_name { 0 } else { NAMESPACE_INDEX };
        QualifiedName::new(namespace, self.name.as_ref())
    }

    pub(super) fn has_browse_name(&self, name: &QualifiedName) -> bool {
        let namespace = if self.standard_name { 0 } else { NAMESPACE_INDEX };
        name.namespace_index == namespace && name.name.as_ref() == &*self.name
    }

    pub(super) fn display_name(&self) -> LocalizedText {
        LocalizedText::from(self.display_name.as_deref().unwrap_or(&self.name))
    }

    pub(super) fn class(&self) -> NodeClass {
        match self.kind {
            Kind::Object { .. } => NodeClass::Object,
            Kind::Variable { .. } => NodeClass::Variable,
            Kind::Method(_) => NodeClass::Method,
            Kind::DataType(_) => NodeClass::DataType,
        }
    }

    pub(super) fn type_definition(&self, types: &[VariableType]) -> Option<u32> {
        match &self.kind {
            Kind::Object { type_definition } => Some(*type_definition),
            Kind::Variable { shared, .. } => types.get(*shared as usize).map(|shared| shared.type_definition),
            Kind::Method(_) | Kind::DataType(_) => None,
        }
    }

    pub(super) fn shown(&self, types: &[VariableType]) -> Shown {
        Shown {
            id: self.id.clone(),
            browse_name: self.browse_name(),
            display_name: self.display_name(),
            class: self.class(),
            type_definition: self
                .type_definition(types)
                .map_or_else(ExpandedNodeId::null, |id| ExpandedNodeId::new(standard(id))),
        }
    }

    /// Any attribute but the Value.
    pub(super) fn attribute(
        &self,
        attribute: AttributeId,
        types: &[VariableType],
        quirks: Quirks,
    ) -> Result<Variant, StatusCode> {
        Ok(match attribute {
            AttributeId::NodeId => Variant::NodeId(Box::new(self.id.clone())),
            AttributeId::NodeClass => Variant::Int32(self.class() as i32),
            AttributeId::BrowseName => Variant::QualifiedName(Box::new(self.browse_name())),
            AttributeId::DisplayName => Variant::LocalizedText(Box::new(self.display_name())),
            AttributeId::Description => Variant::LocalizedText(Box::new(LocalizedText::null())),
            AttributeId::WriteMask | AttributeId::UserWriteMask => Variant::UInt32(0),
            _ => return self.attribute_of_class(attribute, types, quirks),
        })
    }

    fn attribute_of_class(
        &self,
        attribute: AttributeId,
        types: &[VariableType],
        quirks: Quirks,
    ) -> Result<Variant, StatusCode> {
        match (&self.kind, attribute) {
            (Kind::Object { .. }, AttributeId::EventNotifier) => Ok(Variant::Byte(0)),
            (Kind::Variable { shared, .. }, _) => types
                .get(*shared as usize)
                .ok_or(StatusCode::BadInternalError)
                .and_then(|shared| shared.attribute(attribute, quirks)),
            (Kind::Method(_), AttributeId::Executable | AttributeId::UserExecutable) => {
                Ok(Variant::Boolean(true))
            }
            (Kind::DataType(_), AttributeId::IsAbstract) => Ok(Variant::Boolean(false)),
            (Kind::DataType(definition), AttributeId::DataTypeDefinition) if !quirks.broken_types => {
                Ok(Variant::ExtensionObject(ExtensionObject::from_message(definition.as_ref().clone())))
            }
            _ => Err(StatusCode::BadAttributeIdInvalid),
        }
    }
}

impl VariableType {
    fn attribute(&self, attribute: AttributeId, quirks: Quirks) -> Result<Variant, StatusCode> {
        // CurrentRead is bit 0, CurrentWrite bit 1, HistoryRead bit 2 (OPC 10000-3 v1.05, 8.57).
        let historized = quirks.history && self.type_definition != PROPERTY_TYPE;
        let access = 0b001 | if self.writable { 0b010 } else { 0 } | if historized { 0b100 } else { 0 };
        Ok(match attribute {
            // The id of a type that nobody has.
            AttributeId::DataType if quirks.broken_types && self.data_type.namespace != 0 => {
                Variant::NodeId(Box::new(NodeId::new(NAMESPACE_INDEX, u32::MAX)))
            }
            AttributeId::DataType => Variant::NodeId(Box::new(self.data_type.clone())),
            AttributeId::ValueRank => Variant::Int32(self.value_rank),
            AttributeId::ArrayDimensions => match usize::try_from(self.value_rank) {
                // Zero is "of any length", once for each dimension.
                Ok(rank) if rank > 0 => Variant::from(vec![0_u32; rank]),
                _ => Variant::Empty,
            },
            AttributeId::AccessLevel | AttributeId::UserAccessLevel => Variant::Byte(access),
            AttributeId::AccessLevelEx => Variant::UInt32(u32::from(access)),
            // Zero is "reported by exception".
            AttributeId::MinimumSamplingInterval => Variant::Double(0.0),
            AttributeId::Historizing => Variant::Boolean(historized),
            _ => return Err(StatusCode::BadAttributeIdInvalid),
        })
    }
}
