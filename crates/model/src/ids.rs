//! Names of devices, messages and errors.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The id of a device or module at the hub: 1–128 ASCII letters, digits and `-:.+%_#*?!(),=@$'`
/// (Azure IoT Hub, "Device identity properties"), compared exactly.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeviceId(String);

impl DeviceId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text cannot name what it should name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidId(String);

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for InvalidId {}

impl FromStr for DeviceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown: String = text.chars().take(128).collect();
        if text.is_empty() || text.len() > 128 {
            return Err(InvalidId(format!("the device id '{shown}' must have 1 to 128 characters")));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-:.+%_#*?!(),=@$'".contains(c);
        match text.chars().find(|c| !allowed(*c)) {
            Some(c) => Err(InvalidId(format!(
                "the device id '{shown}' contains {c:?}; allowed are ASCII letters, digits and -:.+%_#*?!(),=@$'"
            ))),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Which message this is, for ever: `<producer>-<epoch>-<sequence>` in the property `$.mid`.
///
/// A producer numbers its messages 0, 1, 2 … without holes inside an epoch; a new epoch begins whenever
/// the producer's durable state was lost. Together they make each delivery idempotent and each hole visible.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId {
    /// Who wrote it; unique in the plant. May contain `-`.
    pub producer: String,
    /// Random, chosen when the producer's state is created; 16 hexadecimal digits in text.
    pub epoch: u64,
    /// Position among the producer's messages of this epoch, from 0.
    pub sequence: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}-{}", self.producer, self.epoch, self.sequence)
    }
}

impl FromStr for MessageId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut parts = text.rsplitn(3, '-');
            let sequence = parts.next()?;
            let epoch = parts.next()?;
            let producer = parts.next()?;
            let plain = sequence.bytes().all(|b| b.is_ascii_digit()) && epoch.len() == 16;
            (plain && !producer.is_empty() && producer.len() <= 128).then_some(())?;
            Some(Self {
                producer: producer.to_owned(),
                epoch: u64::from_str_radix(epoch, 16).ok()?,
                sequence: sequence.parse().ok()?,
            })
        };
        parse().ok_or_else(|| {
            InvalidId("a message id has the form <producer>-<16 hex digits>-<number>".to_owned())
        })
    }
}

/// The short name of an error, such as `GMB-UA-003`; each has a page under `docs/errors/`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct ErrorCode(pub &'static str);

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_with_dashes_in_the_producer_parse_back() {
        let id = MessageId { producer: "edge-1-north".into(), epoch: 0xab, sequence: u64::MAX };
        assert_eq!(id.to_string(), "edge-1-north-00000000000000ab-18446744073709551615");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "a-b-c", "edge-00000000000000ab-+1", "-00000000000000ab-1", "edge-ab-1"] {
            assert!(text.parse::<MessageId>().is_err(), "{text}");
        }
    }

    #[test]
    fn device_ids_name_the_wrong_character() {
        assert_eq!(
            "edge/1".parse::<DeviceId>().map_err(|e| e.to_string()).err().as_deref(),
            Some(
                "the device id 'edge/1' contains '/'; allowed are ASCII letters, digits and -:.+%_#*?!(),=@$'"
            )
        );
        assert!("press-1.line@site".parse::<DeviceId>().is_ok());
        assert!("".parse::<DeviceId>().is_err());
    }
}
