//! How a decoder finds the description of a data set.

use crate::PublisherId;
use gemba_model::DataSetMetaData;

/// What a message says about the writer of values; `None` where it says nothing.
#[derive(Clone, Copy, Debug)]
pub struct WriterRef<'a> {
    /// Who published it.
    pub publisher_id: Option<&'a PublisherId>,
    /// WriterGroupId (UADP).
    pub group: Option<u16>,
    /// WriterGroupName (JSON).
    pub group_name: Option<&'a str>,
    /// DataSetWriterId; 0 where the message has none.
    pub writer: u16,
    /// Major version of the description.
    pub major_version: Option<u32>,
    /// Minor version of the description.
    pub minor_version: Option<u32>,
}

/// The descriptions that a reader has.
pub trait DataSets {
    /// The description by which the writer's message is to be read, if it is known.
    ///
    /// A message with major version n needs a description with major version n; fields are only ever added
    /// at the end within one major version, so that a higher minor version serves too.
    fn find(&self, writer: &WriterRef<'_>) -> Option<&DataSetMetaData>;
}

/// A reader without descriptions: enough for UADP with DataValues.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDataSets;

impl DataSets for NoDataSets {
    fn find(&self, _: &WriterRef<'_>) -> Option<&DataSetMetaData> {
        None
    }
}

/// A linear search: for tests and a handful of data sets.
impl DataSets for [DataSetMetaData] {
    fn find(&self, writer: &WriterRef<'_>) -> Option<&DataSetMetaData> {
        self.iter()
            .filter(|known| {
                known.writer.writer == writer.writer
                    && writer.group.is_none_or(|group| known.writer.group == group)
                    && writer.group_name.is_none_or(|name| known.writer_group_name == name)
                    && writer.major_version.is_none_or(|major| known.version.major == major)
            })
            .max_by_key(|known| (writer.minor_version == Some(known.version.minor), known.version))
    }
}
