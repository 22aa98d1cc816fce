//! System and application properties of a message, and their place in a property bag.

use crate::bag::{PropertyBag, push_pair};
use crate::error::IotError;
use crate::limits;

/// A property that the service gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SystemProperty {
    /// `$.mid`
    MessageId,
    /// `$.cid`
    CorrelationId,
    /// `$.uid`
    UserId,
    /// `$.ct`
    ContentType,
    /// `$.ce`
    ContentEncoding,
    /// `$.on`, the output of a module
    OutputName,
    /// `$.exp`
    ExpiryTime,
    /// `$.to`
    To,
    /// `$.ctime`
    CreationTime,
    /// `$.ifid`, plug and play
    InterfaceId,
    /// `$.sub`, the component of plug and play
    Subject,
    /// `$.cdid`, who sent it; written by the hub alone
    ConnectionDeviceId,
    /// `$.cmid`, which module sent it; written by the hub alone
    ConnectionModuleId,
}

/// Each property with its key on the wire and its name in Gemba.
const SYSTEM: [(SystemProperty, &str, &str); 13] = [
    (SystemProperty::MessageId, "$.mid", "message-id"),
    (SystemProperty::CorrelationId, "$.cid", "correlation-id"),
    (SystemProperty::UserId, "$.uid", "user-id"),
    (SystemProperty::ContentType, "$.ct", "content-type"),
    (SystemProperty::ContentEncoding, "$.ce", "content-encoding"),
    (SystemProperty::OutputName, "$.on", "output-name"),
    (SystemProperty::ExpiryTime, "$.exp", "expiry-time"),
    (SystemProperty::To, "$.to", "to"),
    (SystemProperty::CreationTime, "$.ctime", "creation-time"),
    (SystemProperty::InterfaceId, "$.ifid", "interface-id"),
    (SystemProperty::Subject, "$.sub", "subject"),
    (SystemProperty::ConnectionDeviceId, "$.cdid", "connection-device-id"),
    (SystemProperty::ConnectionModuleId, "$.cmid", "connection-module-id"),
];

impl SystemProperty {
    /// The property of a key such as `$.mid`.
    pub fn of_key(key: &str) -> Option<Self> {
        SYSTEM.iter().find(|(_, known, _)| *known == key).map(|(property, ..)| *property)
    }

    /// The property of a name such as `message-id`.
    pub fn of_name(name: &str) -> Option<Self> {
        SYSTEM.iter().find(|(.., known)| *known == name).map(|(property, ..)| *property)
    }

    /// Its key in a property bag.
    pub fn key(self) -> &'static str {
        self.row().1
    }

    /// Its name in Gemba, the same on every wire.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static (Self, &'static str, &'static str) {
        SYSTEM.iter().find(|(property, ..)| *property == self).unwrap_or(&SYSTEM[0])
    }
}

/// The properties of a message by their names in Gemba.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageProperties {
    /// System properties: name (`message-id`) and value, in order.
    pub system: Vec<(String, String)>,
    /// Application properties, in order. Keys with an unknown `$.` prefix are here, as they were sent.
    pub application: Vec<(String, String)>,
}

impl MessageProperties {
    /// Reads the bag of a message from a device. What only the hub may say (`$.cdid`, `$.cmid`) is dropped:
    /// the hub knows who is connected.
    ///
    /// # Errors
    /// As [`PropertyBag::parse`].
    pub fn from_device(bag: &str) -> Result<Self, IotError> {
        let mut properties = Self::default();
        if bag.is_empty() {
            return Ok(properties);
        }
        for (key, value) in PropertyBag::parse(bag)?.into_pairs() {
            let value = value.unwrap_or_default();
            match SystemProperty::of_key(&key) {
                Some(SystemProperty::ConnectionDeviceId | SystemProperty::ConnectionModuleId) => {}
                Some(property) => properties.system.push((property.name().to_owned(), value)),
                None => properties.application.push((key, value)),
            }
        }
        Ok(properties)
    }

    /// The bag, system properties first. A system property with an unknown name is written as an
    /// application property.
    pub fn to_bag(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.system {
            let key = SystemProperty::of_name(name).map_or(name.as_str(), |property| property.key());
            push_pair(&mut text, key, Some(value));
        }
        for (name, value) in &self.application {
            push_pair(&mut text, name, Some(value));
        }
        text
    }

    /// Bytes that these properties count towards the size of a message: names and values, decoded.
    pub fn bytes(&self) -> usize {
        self.system.iter().chain(&self.application).map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Checks the size of the whole message.
    ///
    /// # Errors
    /// [`IotError::TooLarge`].
    pub fn check_message_size(&self, body: usize) -> Result<(), IotError> {
        let found = body.saturating_add(self.bytes());
        if found > limits::MESSAGE_BYTES_MAX {
            return Err(IotError::TooLarge { what: "the message", found, limit: limits::MESSAGE_BYTES_MAX });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_system_property_has_its_own_key_and_name() {
        for (property, key, name) in SYSTEM {
            assert_eq!(SystemProperty::of_key(key), Some(property));
            assert_eq!(SystemProperty::of_name(name), Some(property));
            assert_eq!((property.key(), property.name()), (key, name));
        }
    }

    #[test]
    fn keys_become_names_and_the_sender_cannot_be_forged() -> Result<(), IotError> {
        let bag = "%24.mid=m1&$.ct=application%2fjson&%24.cdid=other&$.new=1&a=b&flag";
        let properties = MessageProperties::from_device(bag)?;
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(properties.system, [pair("message-id", "m1"), pair("content-type", "application/json")]);
        assert_eq!(properties.application, [pair("$.new", "1"), pair("a", "b"), pair("flag", "")]);
        assert_eq!(properties.to_bag(), "%24.mid=m1&%24.ct=application%2Fjson&%24.new=1&a=b&flag=");
        Ok(())
    }

    #[test]
    fn a_message_may_have_256_kib_and_not_a_byte_more() -> Result<(), IotError> {
        let properties = MessageProperties::from_device("ab=cd")?;
        assert_eq!(properties.check_message_size(256 * 1024 - 4), Ok(()));
        assert_eq!(
            properties.check_message_size(256 * 1024 - 3).map_err(|error| error.to_string()),
            Err("the message has 262145 bytes, 262144 are allowed; send smaller messages".into())
        );
        Ok(())
    }

    proptest! {
        #[test]
        fn properties_survive_the_bag(
            id in ".{0,20}", pairs in proptest::collection::btree_map("[^$].{0,12}", ".{0,12}", 0..10)
        ) {
            let properties = MessageProperties {
                system: vec![("message-id".into(), id)],
                application: pairs.into_iter().collect(),
            };
            prop_assert_eq!(MessageProperties::from_device(&properties.to_bag())?, properties);
        }
    }
}
