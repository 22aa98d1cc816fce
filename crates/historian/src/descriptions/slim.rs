//! What a description keeps in memory. A plant has hundreds of thousands of fields, and their nodes and units are in the
//! series dictionary already; messages are read by names and types alone.

use super::Description;
use gemba_model::{DataSetMetaData, ExpandedNodeId, FieldMetaData, NodeId};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Stands for all that a description says. Two numbers of 64 bits, so that no two are equal by chance.
pub(crate) type Fingerprint = (u64, u64);

pub(super) fn fingerprint(metadata: &DataSetMetaData) -> Fingerprint {
    let with = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        hash(metadata, &mut hasher);
        hasher.finish()
    };
    (with(0), with(1))
}

fn hash(metadata: &DataSetMetaData, hasher: &mut DefaultHasher) {
    // Taken apart, so that whatever is added to a description is not forgotten here.
    let DataSetMetaData {
        writer,
        writer_group_name,
        writer_name,
        name,
        data_set_class_id,
        version,
        source,
        fields,
    } = metadata;
    (writer, writer_group_name, writer_name, name, data_set_class_id, version, source).hash(hasher);
    fields.len().hash(hasher);
    for field in fields {
        let FieldMetaData { name, data_set_field_id, built_in_type, value_rank, node_id, attribute_id, unit } =
            field;
        (name, data_set_field_id, built_in_type.id(), value_rank, node_id, attribute_id, unit).hash(hasher);
    }
}

impl Description {
    /// Leaves out what no message needs; its fingerprint still stands for all.
    pub(super) fn slim(mut self) -> Self {
        let nothing = ExpandedNodeId::from(NodeId::numeric(0, 0));
        self.metadata.fields.shrink_to_fit();
        self.ids.shrink_to_fit();
        for field in &mut self.metadata.fields {
            field.node_id = nothing.clone();
            field.unit = String::new();
            field.name.shrink_to_fit();
        }
        self
    }
}
