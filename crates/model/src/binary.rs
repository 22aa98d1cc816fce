//! OPC UA binary encoding of built-in types (OPC 10000-6 v1.05, 5.2), bounded and without a clock.
//!
//! [`Reader`] walks untrusted bytes: it never panics, never allocates more than the bytes at hand could
//! fill, and stops at [`NESTING_MAX`] levels. [`skip_variant`] measures a Variant without decoding it.

mod decode;
mod encode;

pub use decode::{decode_variant, read_expanded_node_id, read_node_id, skip_data_value, skip_variant};
pub use encode::{
    encode_bytes, encode_expanded_node_id, encode_guid, encode_localized_text, encode_node_id,
    encode_qualified_name, encode_string, encode_variant,
};

use std::fmt;

/// Variants, DataValues and DiagnosticInfos may nest this deep; deeper is refused.
pub const NESTING_MAX: u32 = 16;

/// Why bytes are not what they should be, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecodeError {
    /// Byte position from the start of the reader.
    pub position: usize,
    /// What was expected or exceeded.
    pub reason: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.reason, self.position)
    }
}
impl std::error::Error for DecodeError {}

/// A cursor over bytes from outside.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

macro_rules! read_numbers {
    ($($name:ident $type:ty),*) => {$(
        #[doc = concat!("The next little-endian `", stringify!($type), "`.")]
        ///
        /// # Errors
        /// When too few bytes are left.
        #[inline]
        pub fn $name(&mut self) -> Result<$type, DecodeError> {
            self.array().map(<$type>::from_le_bytes)
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// How many bytes were read.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// An error at the present place.
    pub const fn error(&self, reason: &'static str) -> DecodeError {
        DecodeError { position: self.position, reason }
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let found = self.bytes.get(self.position..).and_then(<[u8]>::first_chunk::<N>);
        let Some(found) = found else { return Err(self.error("the message ends too early")) };
        self.position += N;
        Ok(*found)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let end = self.position.checked_add(count);
        let Some(found) = end.and_then(|end| self.bytes.get(self.position..end)) else {
            return Err(self.error("the message ends too early"));
        };
        self.position += count;
        Ok(found)
    }

    /// The bytes between an earlier position and the present one; empty when `start` lies after it.
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.position).unwrap_or_default()
    }

    read_numbers!(u8 u8, i8 i8, u16 u16, i16 i16, u32 u32, i32 i32, u64 u64, i64 i64, f32 f32, f64 f64);

    /// A ByteString or String body: `None` for the null one.
    ///
    /// # Errors
    /// When the length is below -1 or more than is left.
    pub fn byte_string(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.i32()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(self.error("a length is negative")),
            },
        }
    }

    /// A String: `None` for the null one.
    ///
    /// # Errors
    /// As [`Reader::byte_string`], and when it is not UTF-8.
    pub fn string(&mut self) -> Result<Option<&'a str>, DecodeError> {
        match self.byte_string()? {
            None => Ok(None),
            Some(bytes) => {
                std::str::from_utf8(bytes).map(Some).map_err(|_| self.error("a string is not UTF-8"))
            }
        }
    }

    /// An array's length, checked against what is left: `None` for the null array.
    ///
    /// # Errors
    /// When the bytes left cannot hold as many elements of at least `element_bytes_min` (0 counts as 1).
    pub fn array_length(&mut self, element_bytes_min: usize) -> Result<Option<usize>, DecodeError> {
        let length = self.i32()?;
        if length < 0 {
            return Ok(None);
        }
        let length = length as usize;
        if length > self.remaining() / element_bytes_min.max(1) {
            return Err(self.error("an array is longer than its message"));
        }
        Ok(Some(length))
    }
}

#[cfg(test)]
mod tests;
