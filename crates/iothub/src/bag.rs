//! Property bags: `key=value&key=value` at the end of a topic, each part percent-encoded.

use crate::error::IotError;
use crate::{limits, percent};

/// Keys with their values, in order, each key once. `None` is a key without `=`, `Some("")` one with
/// nothing behind it; the wire keeps them apart.
///
/// A key that is sent twice keeps its first place and takes its last value: refusing the message would make a
/// client that repeats a key send the same message for ever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PropertyBag(Vec<(String, Option<String>)>);

impl PropertyBag {
    /// Reads a bag as it stands in a topic. One leading `?` is skipped, as some clients write it; empty parts
    /// between `&` are too.
    ///
    /// # Errors
    /// [`IotError::MalformedBag`], [`IotError::TooLarge`] or [`IotError::TooManyProperties`].
    pub fn parse(text: &str) -> Result<Self, IotError> {
        if text.len() > limits::BAG_BYTES_MAX {
            return Err(IotError::TooLarge {
                what: "the property bag",
                found: text.len(),
                limit: limits::BAG_BYTES_MAX,
            });
        }
        let mut bag = Self::default();
        for part in text.strip_prefix('?').unwrap_or(text).split('&').filter(|part| !part.is_empty()) {
            let decoded = |text| {
                percent::decode(text)
                    .map(std::borrow::Cow::into_owned)
                    .ok_or(IotError::MalformedBag("a part is not percent-encoded UTF-8"))
            };
            let (key, value) = match part.split_once('=') {
                Some((key, value)) => (decoded(key)?, Some(decoded(value)?)),
                None => (decoded(part)?, None),
            };
            if key.is_empty() {
                return Err(IotError::MalformedBag("a value has no key"));
            }
            bag.put(key, value)?;
        }
        Ok(bag)
    }

    /// Adds a key, or gives the one that is there a new value.
    ///
    /// # Errors
    /// [`IotError::TooManyProperties`].
    pub fn put(&mut self, key: String, value: Option<String>) -> Result<(), IotError> {
        if let Some((_, old)) = self.0.iter_mut().find(|(known, _)| *known == key) {
            *old = value;
        } else if self.0.len() >= limits::PROPERTIES_MAX {
            return Err(IotError::TooManyProperties {
                found: self.0.len() + 1,
                limit: limits::PROPERTIES_MAX,
            });
        } else {
            self.0.push((key, value));
        }
        Ok(())
    }

    /// The value of a key; a key without value has the empty one.
    pub fn value(&self, key: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| known == key)?;
        Some(value.as_deref().unwrap_or_default())
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// Keys and values in order, moved out.
    pub fn into_pairs(self) -> Vec<(String, Option<String>)> {
        self.0
    }

    /// The bag as it stands in a topic.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.0 {
            push_pair(&mut text, key, value.as_deref());
        }
        text
    }
}

/// Appends one pair to an encoded bag.
pub(crate) fn push_pair(text: &mut String, key: &str, value: Option<&str>) {
    if !text.is_empty() {
        text.push('&');
    }
    percent::encode_into(key, text);
    if let Some(value) = value {
        text.push('=');
        percent::encode_into(value, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(text: &str, expect: &Expect) {
        expect.assert_eq(&match PropertyBag::parse(text) {
            Ok(bag) => format!("{:?}", bag.0),
            Err(error) => format!("{} {error}", error.code()),
        });
    }

    #[test]
    fn bags_are_read_in_order() {
        check("", &expect!["[]"]);
        check(
            "%24.mid=a%20b&x=1+1&y=&z&",
            &expect![[r#"[("$.mid", Some("a b")), ("x", Some("1+1")), ("y", Some("")), ("z", None)]"#]],
        );
        check("?a=b=c", &expect![[r#"[("a", Some("b=c"))]"#]]);
        check("a=1&b=2&a=3", &expect![[r#"[("a", Some("3")), ("b", Some("2"))]"#]]);
    }

    #[test]
    fn broken_bags_are_refused() {
        check(
            "=1",
            &expect![
                "GMB-IOT-010 the property bag is malformed: a value has no key; expected 'key=value&key=value', each percent-encoded"
            ],
        );
        check(
            "a=%2",
            &expect![
                "GMB-IOT-010 the property bag is malformed: a part is not percent-encoded UTF-8; expected 'key=value&key=value', each percent-encoded"
            ],
        );
        let many: Vec<String> = (0..513).map(|number| format!("k{number}=v")).collect();
        check(&many.join("&"), &expect!["GMB-IOT-011 the message has 513 properties, 512 are allowed"]);
    }

    proptest! {
        #[test]
        fn every_bag_comes_back(pairs in proptest::collection::vec((".{1,12}", proptest::option::of(".{0,12}")), 0..20)) {
            let mut bag = PropertyBag::default();
            for (key, value) in pairs {
                bag.put(key, value)?;
            }
            prop_assert_eq!(PropertyBag::parse(&bag.encode())?, bag);
        }
    }
}
