//! Descriptions of data sets: stable ids, and a new version exactly when something changed.

use crate::plan::{DataSetPlan, SessionPlan};
use gemba_model::{
    BuiltInType, ConfigurationVersion, DataSetMetaData, DataSetSource, DateTime, ExpandedNodeId,
    FieldMetaData, Guid, Namespace, WriterKey,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Seconds from 1601-01-01 to 2000-01-01, the start of VersionTime.
const VERSION_EPOCH_SECONDS: i64 = 12_591_158_400;

/// What makes a writer the same writer after a restart: group, writer, endpoint.
type WriterName = (String, String, String);

/// The writers of a publisher: their ids and newest descriptions, kept over restarts by the uplink.
#[derive(Debug, Default)]
pub(crate) struct Writers {
    known: HashMap<WriterName, Arc<DataSetMetaData>>,
    groups: HashMap<String, u16>,
    next_group: u16,
    next_writer: u16,
    newest_version: u32,
}

/// No id is left.
#[derive(Debug, thiserror::Error)]
#[error("GMB-FLD-005: more than 65,534 writers or writer groups; publish fewer, or from several edges")]
pub(crate) struct TooManyWriters;

impl Writers {
    /// Takes over what was announced before.
    pub(crate) fn new(announced: Vec<Arc<DataSetMetaData>>) -> Self {
        let mut writers = Self { next_group: 1, next_writer: 1, ..Self::default() };
        for metadata in announced {
            writers.remember(metadata);
        }
        writers
    }

    fn remember(&mut self, metadata: Arc<DataSetMetaData>) {
        let WriterKey { group, writer } = metadata.writer;
        self.next_group = self.next_group.max(group.saturating_add(1));
        self.next_writer = self.next_writer.max(writer.saturating_add(1));
        self.newest_version = self.newest_version.max(metadata.version.major).max(metadata.version.minor);
        self.groups.insert(metadata.writer_group_name.clone(), group);
        self.known.insert(name_of(&metadata), metadata);
    }

    /// The description of a data set of a session that is connected: same ids as ever, and the same version
    /// when nothing changed.
    pub(crate) fn describe(
        &mut self,
        session: &SessionPlan,
        data_set: &DataSetPlan,
        namespaces: &[String],
        application_uri: &str,
        now: DateTime,
    ) -> Result<Arc<DataSetMetaData>, TooManyWriters> {
        let namespaces: Vec<Arc<str>> = namespaces.iter().map(|uri| uri.as_str().into()).collect();
        let mut wanted = DataSetMetaData {
            writer: WriterKey::default(),
            writer_group_name: session.group.clone(),
            writer_name: data_set.writer.clone(),
            name: data_set.name.clone(),
            data_set_class_id: Guid::default(),
            version: ConfigurationVersion::default(),
            source: DataSetSource {
                endpoint_url: session.endpoint_url.clone(),
                application_uri: application_uri.to_owned(),
            },
            fields: data_set.fields.iter().map(|field| describe_field(field, &namespaces)).collect(),
        };
        match self.known.get(&name_of(&wanted)) {
            Some(known) => {
                wanted.writer = known.writer;
                wanted.version = known.version;
                if **known == wanted {
                    return Ok(known.clone());
                }
                let extends = known.fields.len() < wanted.fields.len()
                    && wanted.fields.starts_with(&known.fields)
                    && known.name == wanted.name
                    && known.source == wanted.source;
                let version = self.next_version(now);
                wanted.version.minor = version;
                if !extends {
                    wanted.version.major = version;
                }
            }
            None => {
                wanted.writer = self.allot(&session.group)?;
                let version = self.next_version(now);
                wanted.version = ConfigurationVersion { major: version, minor: version };
            }
        }
        let wanted = Arc::new(wanted);
        self.remember(wanted.clone());
        Ok(wanted)
    }

    fn allot(&mut self, group_name: &str) -> Result<WriterKey, TooManyWriters> {
        let group = match self.groups.get(group_name) {
            Some(group) => *group,
            None => self.next_group,
        };
        if group == u16::MAX || self.next_writer == u16::MAX {
            return Err(TooManyWriters);
        }
        Ok(WriterKey { group, writer: self.next_writer })
    }

    /// VersionTime, but never one that was used: two changes in a second, or a clock that went back, still
    /// give two versions.
    fn next_version(&self, now: DateTime) -> u32 {
        let seconds = now.ticks() / 10_000_000 - VERSION_EPOCH_SECONDS;
        u32::try_from(seconds).unwrap_or(0).max(self.newest_version.saturating_add(1))
    }
}

fn name_of(metadata: &DataSetMetaData) -> WriterName {
    (metadata.writer_group_name.clone(), metadata.writer_name.clone(), metadata.source.endpoint_url.clone())
}

fn describe_field(field: &crate::plan::FieldPlan, namespaces: &[Arc<str>]) -> FieldMetaData {
    let node_id = stable(&field.node.node_id, namespaces);
    let identity = format!("{}\n{node_id}\n{}", field.name, field.node.attribute_id);
    FieldMetaData {
        name: field.name.as_ref().to_owned(),
        data_set_field_id: guid_of(&identity),
        // The type comes with each value; a server may change it at any time.
        built_in_type: BuiltInType::Variant,
        value_rank: -2,
        node_id,
        attribute_id: field.node.attribute_id,
        unit: String::new(),
    }
}

/// The node with its namespace as URI, which survives a restart of the server that shifts indexes.
fn stable(node: &ExpandedNodeId, namespaces: &[Arc<str>]) -> ExpandedNodeId {
    let namespace = match &node.namespace {
        Namespace::Index(index) if *index != 0 => match namespaces.get(usize::from(*index)) {
            Some(uri) => Namespace::Uri(Arc::clone(uri)),
            None => node.namespace.clone(),
        },
        other => other.clone(),
    };
    ExpandedNodeId { namespace, ..node.clone() }
}

/// 128 bits of FNV-1a, marked as a name-based GUID (version 8).
pub(crate) fn guid_of(identity: &str) -> Guid {
    let hash = identity.bytes().fold(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D_u128, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
    });
    let marked = hash & !(0xF000_u128 << 64) & !(0xC000_u128 << 48) | 0x8000_u128 << 64 | 0x8000_u128 << 48;
    Guid(marked.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan;
    use crate::published_nodes::parse;

    fn session(nodes: &str) -> SessionPlan {
        let text = format!(
            r#"[ {{ "EndpointUrl": "opc.tcp://a:1", "DataSetWriterGroup": "g", "DataSetWriterId": "w", "OpcNodes": [ {nodes} ] }} ]"#
        );
        let sessions = plan(&parse(&text).unwrap_or_else(|error| panic!("{error}")));
        sessions.into_values().next().expect("one session")
    }

    fn describe(
        writers: &mut Writers,
        nodes: &str,
        namespaces: &[&str],
        seconds: i64,
    ) -> Arc<DataSetMetaData> {
        let session = session(nodes);
        let namespaces: Vec<String> = namespaces.iter().map(|uri| (*uri).to_owned()).collect();
        let now = DateTime::from_ticks((VERSION_EPOCH_SECONDS + seconds) * 10_000_000);
        writers.describe(&session, &session.data_sets[0], &namespaces, "urn:a", now).expect("ids are left")
    }

    #[test]
    fn a_version_changes_exactly_when_the_description_does() {
        let mut writers = Writers::new(Vec::new());
        let a = r#"{ "Id": "ns=1;s=A" }"#;
        let ab = r#"{ "Id": "ns=1;s=A" }, { "Id": "ns=1;s=B" }"#;
        let namespaces = ["http://opcfoundation.org/UA/", "urn:m"];
        let first = describe(&mut writers, a, &namespaces, 100);
        assert_eq!((first.version.major, first.version.minor), (100, 100));
        assert_eq!(first.fields[0].node_id.to_string(), "nsu=urn:m;s=A");
        assert_eq!(describe(&mut writers, a, &namespaces, 200), first, "nothing changed");
        let more = describe(&mut writers, ab, &namespaces, 200);
        assert_eq!((more.version.major, more.version.minor), (100, 200), "fields were added at the end");
        let less = describe(&mut writers, r#"{ "Id": "ns=1;s=B" }"#, &namespaces, 200);
        assert_eq!(
            (less.version.major, less.version.minor),
            (201, 201),
            "a field was removed in the same second"
        );
        assert_eq!(less.writer, first.writer);
        // After a restart the same file gives the same description.
        let mut again = Writers::new(vec![less.clone()]);
        assert_eq!(describe(&mut again, r#"{ "Id": "ns=1;s=B" }"#, &namespaces, 900), less);
    }

    #[test]
    fn a_shifted_namespace_index_keeps_the_description() {
        let mut writers = Writers::new(Vec::new());
        let before = describe(&mut writers, r#"{ "Id": "nsu=urn:m;s=A" }"#, &["", "urn:m"], 1);
        let after = describe(&mut writers, r#"{ "Id": "nsu=urn:m;s=A" }"#, &["", "urn:x", "urn:m"], 2);
        assert_eq!(before, after);
    }
}
