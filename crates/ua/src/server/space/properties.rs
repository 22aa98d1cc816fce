//! Properties: ranges, units, and the arguments of methods.

use super::{AddressSpaceBuilder, FirstValue};
use crate::server::declaration::{ArgumentDeclaration, EngineeringUnits, NodeHandle, Parent, VariableHandle};
use crate::server::error::ServerError;
use crate::server::node::{ANALOG_ITEM_TYPE, Kind, Node, PROPERTY_TYPE, Reference, VariableType, standard};
use gemba_model::{BuiltInType, Identifier};
use opcua::types::{
    Argument, Array, DynEncodable, EUInformation, ExtensionObject, LocalizedText, Range, UAString,
    Variant as StackVariant, VariantScalarTypeId,
};

// Data types of properties in the OPC UA namespace (OPC 10000-6 v1.05, NodeIds.csv).
const ARGUMENT: u32 = 296;
const RANGE: u32 = 884;
const EU_INFORMATION: u32 = 887;

impl AddressSpaceBuilder {
    /// Gives a variable an EURange, which percent deadbands and pages need, and makes it an AnalogItem.
    ///
    /// # Errors
    /// When the id is taken.
    pub fn range(
        &mut self,
        variable: VariableHandle,
        id: Identifier,
        low: f64,
        high: f64,
    ) -> Result<(), ServerError> {
        let place = self.variables.len();
        let value = extension(Range { low, high });
        self.property(variable, id, "EURange", RANGE, value)?;
        self.ranges.insert(place, (low, high));
        Ok(())
    }

    /// Gives a variable EngineeringUnits and makes it an AnalogItem.
    ///
    /// # Errors
    /// When the id is taken.
    pub fn engineering_units(
        &mut self,
        variable: VariableHandle,
        id: Identifier,
        units: EngineeringUnits,
    ) -> Result<(), ServerError> {
        let value = extension(EUInformation {
            namespace_uri: UAString::from("http://www.opcfoundation.org/UA/units/un/cefact"),
            unit_id: units.unit_id,
            display_name: LocalizedText::from(units.display_name),
            description: LocalizedText::from(units.description),
        });
        self.property(variable, id, "EngineeringUnits", EU_INFORMATION, value)
    }

    fn property(
        &mut self,
        variable: VariableHandle,
        id: Identifier,
        name: &str,
        data_type: u32,
        value: StackVariant,
    ) -> Result<(), ServerError> {
        let Some(parent) = self.node_of(variable) else { return Ok(()) };
        self.become_analog(parent);
        let shared = property_type(data_type, -1);
        let parent = Parent::Node(parent);
        let first = FirstValue::of_stack(&value, &self.codec);
        self.add_variable(parent, Reference::HasProperty, id, (name, true), (shared, first)).map(drop)
    }

    fn become_analog(&mut self, node: NodeHandle) {
        let Some(Kind::Variable { shared, .. }) = self.nodes.get(node.0 as usize).map(|node| &node.kind)
        else {
            return;
        };
        let Some(mut analog) = self.types.get(*shared as usize).cloned() else { return };
        analog.type_definition = ANALOG_ITEM_TYPE;
        let index = self.intern(analog);
        if let Some(Node { kind: Kind::Variable { shared, .. }, .. }) = self.nodes.get_mut(node.0 as usize) {
            *shared = index;
        }
    }

    pub(super) fn arguments(
        &mut self,
        method: NodeHandle,
        name: &str,
        arguments: &[ArgumentDeclaration],
    ) -> Result<(), ServerError> {
        if arguments.is_empty() {
            return Ok(());
        }
        let id = Identifier::Numeric(self.next_own_id);
        self.next_own_id += 1;
        let values: Vec<StackVariant> = arguments.iter().map(argument).collect();
        let value = Array::new(VariantScalarTypeId::ExtensionObject, values)
            .map_or(StackVariant::Empty, |array| StackVariant::Array(Box::new(array)));
        let shared = property_type(ARGUMENT, 1);
        let parent = Parent::Node(method);
        let first = FirstValue::of_stack(&value, &self.codec);
        self.add_variable(parent, Reference::HasProperty, id, (name, true), (shared, first)).map(drop)
    }
}

fn property_type(data_type: u32, value_rank: i32) -> VariableType {
    VariableType {
        data_type: standard(data_type),
        built_in: BuiltInType::ExtensionObject,
        value_rank,
        writable: false,
        type_definition: PROPERTY_TYPE,
    }
}

fn extension<T>(value: T) -> StackVariant
where
    T: DynEncodable,
{
    StackVariant::ExtensionObject(ExtensionObject::new(value))
}

fn argument(declared: &ArgumentDeclaration) -> StackVariant {
    extension(Argument {
        name: UAString::from(&declared.name),
        data_type: standard(u32::from(declared.data_type.id())),
        value_rank: -1,
        array_dimensions: None,
        description: LocalizedText::from(declared.description.as_str()),
    })
}
