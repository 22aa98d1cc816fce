//! Structures: data types with a definition that clients can read, and their encoding.

use super::{AddressSpaceBuilder, own_id};
use crate::server::declaration::{NodeHandle, StructureDeclaration, StructureField};
use crate::server::error::ServerError;
use crate::server::node::{DATA_TYPE_ENCODING_TYPE, Kind, Owner, Reference, STRUCTURE, standard};
use opcua::types::{LocalizedText, StructureDefinition, StructureType, UAString};

impl AddressSpaceBuilder {
    /// Adds a structure under the type Structure, with a definition that clients can read.
    ///
    /// # Errors
    /// When an id is taken.
    pub fn structure(&mut self, declaration: StructureDeclaration) -> Result<NodeHandle, ServerError> {
        let encoding = own_id(&declaration.encoding_id);
        let definition = StructureDefinition {
            default_encoding_id: encoding,
            base_data_type: standard(STRUCTURE),
            structure_type: StructureType::Structure,
            fields: Some(declaration.fields.iter().map(field).collect()),
        };
        let owner = Owner::Standard(STRUCTURE);
        let kind = Kind::DataType(Box::new(definition));
        let node =
            self.push(owner, Reference::HasSubtype, declaration.id, (&declaration.name, false), kind)?;
        let kind = Kind::Object { type_definition: DATA_TYPE_ENCODING_TYPE };
        let owner = Owner::Own(node.0);
        self.push(owner, Reference::HasEncoding, declaration.encoding_id, ("Default Binary", true), kind)?;
        Ok(node)
    }
}

fn field(declared: &StructureField) -> opcua::types::StructureField {
    opcua::types::StructureField {
        name: UAString::from(&declared.name),
        description: LocalizedText::null(),
        data_type: standard(u32::from(declared.data_type.id())),
        value_rank: declared.value_rank,
        array_dimensions: None,
        max_string_length: 0,
        is_optional: false,
    }
}
