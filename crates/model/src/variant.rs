//! Values of every built-in type, owned; the hot path uses [`crate::sample::Value`] instead.

use crate::{DateTime, ExpandedNodeId, Guid, NodeId, StatusCode};
use std::fmt;

/// The 25 built-in types with their numbers (OPC 10000-6 v1.05, 5.1.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the standard's.
pub enum BuiltInType {
    Boolean = 1,
    SByte = 2,
    Byte = 3,
    Int16 = 4,
    UInt16 = 5,
    Int32 = 6,
    UInt32 = 7,
    Int64 = 8,
    UInt64 = 9,
    Float = 10,
    Double = 11,
    String = 12,
    DateTime = 13,
    Guid = 14,
    ByteString = 15,
    XmlElement = 16,
    NodeId = 17,
    ExpandedNodeId = 18,
    StatusCode = 19,
    QualifiedName = 20,
    LocalizedText = 21,
    ExtensionObject = 22,
    DataValue = 23,
    Variant = 24,
    DiagnosticInfo = 25,
}

impl BuiltInType {
    /// All types, in the order of their numbers.
    pub const ALL: [Self; 25] = {
        [
            Self::Boolean,
            Self::SByte,
            Self::Byte,
            Self::Int16,
            Self::UInt16,
            Self::Int32,
            Self::UInt32,
            Self::Int64,
            Self::UInt64,
            Self::Float,
            Self::Double,
            Self::String,
            Self::DateTime,
            Self::Guid,
            Self::ByteString,
            Self::XmlElement,
            Self::NodeId,
            Self::ExpandedNodeId,
            Self::StatusCode,
            Self::QualifiedName,
            Self::LocalizedText,
            Self::ExtensionObject,
            Self::DataValue,
            Self::Variant,
            Self::DiagnosticInfo,
        ]
    };

    /// The type with this number.
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.get(usize::from(id.checked_sub(1)?)).copied()
    }

    /// The number of the type.
    pub const fn id(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for BuiltInType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A name in a namespace.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct QualifiedName {
    /// Index into the namespace array.
    pub namespace: u16,
    /// The name; `None` is the null string.
    pub name: Option<String>,
}

/// A text with its locale.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct LocalizedText {
    /// A locale id such as `en-US`.
    pub locale: Option<String>,
    /// The text.
    pub text: Option<String>,
}

/// A structure as it came: its encoding's id and its bytes, never reinterpreted.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ExtensionObject {
    /// The id of the data type's encoding.
    pub type_id: NodeId,
    /// The body.
    pub body: ExtensionBody,
}

/// The body of an [`ExtensionObject`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ExtensionBody {
    /// No body.
    None,
    /// OPC UA binary.
    Binary(Vec<u8>),
    /// XML text.
    Xml(Vec<u8>),
}

/// A value of any built-in type, or an array of them (OPC 10000-6 v1.05, 5.2.2.16).
///
/// `None` strings are null strings, which differ from empty ones on the wire and stay different here.
#[derive(Clone, PartialEq, Debug, Default)]
#[allow(missing_docs)] // The names are the standard's.
pub enum Variant {
    #[default]
    Null,
    Boolean(bool),
    SByte(i8),
    Byte(u8),
    Int16(i16),
    UInt16(u16),
    Int32(i32),
    UInt32(u32),
    Int64(i64),
    UInt64(u64),
    Float(f32),
    Double(f64),
    String(Option<String>),
    DateTime(DateTime),
    Guid(Guid),
    ByteString(Option<Vec<u8>>),
    XmlElement(Option<String>),
    NodeId(NodeId),
    ExpandedNodeId(ExpandedNodeId),
    StatusCode(StatusCode),
    QualifiedName(QualifiedName),
    LocalizedText(LocalizedText),
    ExtensionObject(ExtensionObject),
    /// A DataValue inside a Variant, kept as its encoded bytes.
    DataValue(Vec<u8>),
    /// A Variant inside a Variant; only arrays of Variants are legal on the wire, one level deep or more.
    Variant(Box<Self>),
    /// A DiagnosticInfo, kept as its encoded bytes.
    DiagnosticInfo(Vec<u8>),
    /// An array. All values have the type `element`.
    Array {
        element: BuiltInType,
        values: Vec<Self>,
        /// Lengths of the dimensions, the first varying slowest; empty for a one-dimensional array.
        dimensions: Vec<i32>,
    },
}

impl Variant {
    /// The built-in type of a scalar or of an array's elements; `None` for Null.
    pub fn built_in_type(&self) -> Option<BuiltInType> {
        use BuiltInType as T;
        Some(match self {
            Self::Null => return None,
            Self::Boolean(_) => T::Boolean,
            Self::SByte(_) => T::SByte,
            Self::Byte(_) => T::Byte,
            Self::Int16(_) => T::Int16,
            Self::UInt16(_) => T::UInt16,
            Self::Int32(_) => T::Int32,
            Self::UInt32(_) => T::UInt32,
            Self::Int64(_) => T::Int64,
            Self::UInt64(_) => T::UInt64,
            Self::Float(_) => T::Float,
            Self::Double(_) => T::Double,
            Self::String(_) => T::String,
            Self::DateTime(_) => T::DateTime,
            Self::Guid(_) => T::Guid,
            Self::ByteString(_) => T::ByteString,
            Self::XmlElement(_) => T::XmlElement,
            Self::NodeId(_) => T::NodeId,
            Self::ExpandedNodeId(_) => T::ExpandedNodeId,
            Self::StatusCode(_) => T::StatusCode,
            Self::QualifiedName(_) => T::QualifiedName,
            Self::LocalizedText(_) => T::LocalizedText,
            Self::ExtensionObject(_) => T::ExtensionObject,
            Self::DataValue(_) => T::DataValue,
            Self::Variant(_) => T::Variant,
            Self::DiagnosticInfo(_) => T::DiagnosticInfo,
            Self::Array { element, .. } => *element,
        })
    }
}
