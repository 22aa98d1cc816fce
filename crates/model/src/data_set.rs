//! What a data set writer publishes: the description that makes its messages readable.

use crate::{BuiltInType, ExpandedNodeId, Guid};
use std::fmt;

/// Which writer: the ids of Part 14, unique per publisher.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WriterKey {
    /// WriterGroupId.
    pub group: u16,
    /// DataSetWriterId.
    pub writer: u16,
}

impl fmt::Display for WriterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.group, self.writer)
    }
}

/// Version of a data set's description, as VersionTime: seconds since 2000-01-01 (OPC 10000-14 v1.05, 6.2.3.2.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ConfigurationVersion {
    /// Changes when a field is removed, moved or changes its meaning.
    pub major: u32,
    /// Changes when fields are added at the end.
    pub minor: u32,
}

/// Where a data set's values come from.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct DataSetSource {
    /// The endpoint URL that was dialled.
    pub endpoint_url: String,
    /// The server's application URI; empty until a server has said it.
    pub application_uri: String,
}

/// Description of one data set (OPC 10000-14 v1.05, 6.2.3.2.3) and of where it comes from.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DataSetMetaData {
    /// Whose data set it is.
    pub writer: WriterKey,
    /// Name of the writer group, for people.
    pub writer_group_name: String,
    /// Name of the writer, for people.
    pub writer_name: String,
    /// Name of the data set.
    pub name: String,
    /// Identifies a class of data sets; all zero for none.
    pub data_set_class_id: Guid,
    /// Version of this description.
    pub version: ConfigurationVersion,
    /// Where the values come from.
    pub source: DataSetSource,
    /// The fields; a sample's `field` is an index into them. At most 65,535.
    pub fields: Vec<FieldMetaData>,
}

/// Description of one field.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldMetaData {
    /// Unique name in the data set.
    pub name: String,
    /// Stable id of the field.
    pub data_set_field_id: Guid,
    /// The built-in type; `Variant` when it is not known or may change.
    pub built_in_type: BuiltInType,
    /// -1 scalar, 0 one or more dimensions, n dimensions, -2 any (OPC 10000-3 v1.05, 5.6.2).
    pub value_rank: i32,
    /// The node in its stable `nsu=` form.
    pub node_id: ExpandedNodeId,
    /// The attribute; 13 is Value.
    pub attribute_id: u32,
    /// Engineering unit as shown to people, such as `mbar`; empty for none or not known.
    pub unit: String,
}
