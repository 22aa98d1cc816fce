//! Status codes with their bits and names.

use crate::status_names::NAMES;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An OPC UA StatusCode (OPC 10000-4 v1.05, 7.39): severity, subcode, flags and info bits, all kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusCode(pub u32);

/// Info type "DataValue" and "NotUsed", and the overflow bit (OPC 10000-4 v1.05, 7.39.1).
const DATA_VALUE_INFO: u32 = 0x0000_0400;
const NO_INFO: u32 = 0x0000_0000;
const INFO_TYPE_MASK: u32 = 0x0000_0C00;
const OVERFLOW: u32 = 0x0000_0080;

impl StatusCode {
    /// The value may be used.
    pub const GOOD: Self = Self(0);
    /// No data came and none can be vouched for.
    pub const BAD_NO_DATA: Self = Self(0x809B_0000);

    /// Severity Good.
    pub const fn is_good(self) -> bool {
        self.0 >> 30 == 0
    }
    /// Severity Uncertain.
    pub const fn is_uncertain(self) -> bool {
        self.0 >> 30 == 1
    }
    /// Severity Bad (both reserved severities count as Bad).
    pub const fn is_bad(self) -> bool {
        self.0 >> 31 == 1
    }
    /// The server's queue for this item overflowed at this value: values before or after it are missing.
    ///
    /// The standard gives the bit its meaning with the info type DataValue alone, and wants all info bits zero
    /// without an info type (OPC 10000-4 v1.05, 7.39.1). Servers are in the field that set the bit and forget the
    /// type; since nothing else can be meant by it then, it counts. A server sets it only for queues longer than
    /// one value: with a queue of one, its absence proves nothing.
    pub const fn overflow(self) -> bool {
        matches!(self.0 & INFO_TYPE_MASK, DATA_VALUE_INFO | NO_INFO) && self.0 & OVERFLOW != 0
    }
    /// The symbolic name of the code without its info bits, if the standard's list has it.
    pub fn name(self) -> Option<&'static str> {
        let code = self.0 & 0xFFFF_0000;
        NAMES
            .binary_search_by_key(&code, |entry| entry.0)
            .ok()
            .and_then(|at| NAMES.get(at))
            .map(|entry| entry.1)
    }
    /// The code of a symbolic name such as `BadTimeout`.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|entry| entry.1 == name).map(|entry| Self(entry.0))
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}(0x{:08X})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_so_that_the_search_finds_all() {
        assert!(NAMES.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0)));
        assert_eq!(StatusCode(0x800A_0000).name(), Some("BadTimeout"));
        assert_eq!(StatusCode(0x800A_0480).name(), Some("BadTimeout"));
        assert_eq!(StatusCode::from_name("BadUserAccessDenied"), Some(StatusCode(0x801F_0000)));
    }

    #[test]
    fn overflow_counts_with_the_data_value_info_type_and_with_none() {
        assert!(StatusCode(0x0000_0480).overflow());
        assert!(StatusCode(0x0000_0080).overflow(), "servers forget the type");
        assert!(StatusCode(0x8000_0480).overflow(), "of bad values, too");
        assert!(!StatusCode(0x0000_0880).overflow() && !StatusCode(0x0000_0C80).overflow(), "reserved types");
        assert!(!StatusCode(0x0000_0400).overflow());
        assert!(!StatusCode::GOOD.overflow());
    }
}
