//! What messages say: the seam to the encodings of OPC UA PubSub.

use crate::descriptions::DeviceDescriptions;
use gemba_model::{DataSetMetaData, SampleBatch};

/// How a message is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Uadp,
    Json,
}

/// What a message holds.
#[derive(Debug)]
pub(crate) enum Decoded {
    Batches(Vec<SampleBatch>),
    MetaData(Box<DataSetMetaData>),
}

/// Why a message cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The description of this writer is needed first.
    NeedsDescription(u16),
    /// It never will be.
    Malformed(String),
}

/// Reads messages; keeps its buffers between calls.
pub(crate) trait MessageDecoder: Send {
    fn decode(
        &mut self,
        encoding: Encoding,
        body: &[u8],
        known: &DeviceDescriptions<'_>,
    ) -> Result<Decoded, Unreadable>;
}
