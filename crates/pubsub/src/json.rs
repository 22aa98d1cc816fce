//! The JSON message mapping (OPC 10000-14 v1.05, 7.2.5) in CompactEncoding (OPC 10000-6 v1.05, 5.4).
//!
//! Written are `ua-data` messages of delta frames with DataValues, and `ua-metadata`. Read are also key frames,
//! keep-alives, Variants and plain values whose type the description tells. Not read: VerboseEncoding's extra
//! members, the v1.04 forms (`Type`/`Body`), and structures written out as JSON members.
//!
//! Two things go beyond the standard, so that nothing is lost: instants outside the years 1 to 9999 are written
//! `ticks:<n>`, and a QualifiedName that starts like an index (`5:a`) in namespace 0 is written `0:5:a`. JSON
//! itself loses the payload bits of a NaN and the difference of a null and an empty name in a namespace above 0.

mod decoder;
mod encoder;
mod meta_data;
mod payload;
mod read_scalar;
mod read_value;
mod write_text;
mod write_value;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use meta_data::encode_meta_data;
