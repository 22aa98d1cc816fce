//! The words in which a server's nodes are declared.

use gemba_model::{BuiltInType, DateTime, Identifier, Variant};

/// A node of the space, for hanging others under it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NodeHandle(pub(super) u32);

/// A variable of the space, for writing it: its place in the order of declaration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VariableHandle(pub(super) u32);

impl VariableHandle {
    /// The place in the order of declaration, from 0. Properties and method arguments count too.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a node hangs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parent {
    /// The Objects folder of the server.
    Objects,
    /// A node of this space.
    Node(NodeHandle),
}

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataType {
    /// One of the standard's built-in types.
    BuiltIn(BuiltInType),
    /// A structure of this space.
    Structure(NodeHandle),
}

/// A variable to be.
#[derive(Clone, Debug)]
pub struct VariableDeclaration {
    /// Its id in the server's own namespace.
    pub id: Identifier,
    /// Browse name.
    pub name: String,
    /// Display name; the browse name when absent.
    pub display_name: Option<String>,
    /// Type of the value or of the array's elements.
    pub data_type: DataType,
    /// -1 for a scalar, else the number of dimensions.
    pub value_rank: i32,
    /// The value until the first write.
    pub initial: Variant,
    /// When the source took the first value; the start of the server when absent.
    pub source_timestamp: Option<DateTime>,
    /// Whether clients may write it.
    pub writable: bool,
}

/// One input or output of a method.
#[derive(Clone, Debug)]
pub struct ArgumentDeclaration {
    /// Its name.
    pub name: String,
    /// Its type; scalars only.
    pub data_type: BuiltInType,
    /// What it means.
    pub description: String,
}

/// A method to be.
#[derive(Clone, Debug)]
pub struct MethodDeclaration {
    /// Its id in the server's own namespace.
    pub id: Identifier,
    /// Browse name, and display name too.
    pub name: String,
    /// What goes in.
    pub inputs: Vec<ArgumentDeclaration>,
    /// What comes out.
    pub outputs: Vec<ArgumentDeclaration>,
}

/// One field of a structure.
#[derive(Clone, Debug)]
pub struct StructureField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: BuiltInType,
    /// -1 for a scalar, 1 for an array.
    pub value_rank: i32,
}

/// A structure to be. Values carry the encoding id and the fields in OPC UA binary, in this order.
#[derive(Clone, Debug)]
pub struct StructureDeclaration {
    /// Id of the data type in the server's own namespace.
    pub id: Identifier,
    /// Id of its binary encoding.
    pub encoding_id: Identifier,
    /// Browse name, and display name too.
    pub name: String,
    /// The fields.
    pub fields: Vec<StructureField>,
}

/// A unit as UNECE numbers them (OPC 10000-8 v1.05, 5.6.3.3).
#[derive(Clone, Copy, Debug)]
pub struct EngineeringUnits {
    /// The UNECE code's bytes as a number.
    pub unit_id: i32,
    /// The sign, such as `mbar`.
    pub display_name: &'static str,
    /// The name, such as `millibar`.
    pub description: &'static str,
}
