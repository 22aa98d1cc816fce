//! JSON in which no key stands twice in an object: of two values, nobody can say which was meant.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads a text.
///
/// # Errors
/// With line and column, also of a key that stands twice. Depth is bounded by the parser.
pub(super) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads a text that is an array, one element after the other: what an element was read into is gone before the
/// next one is read. After the first error of `take` the rest is still read, so that a text that is not JSON is
/// always told as such.
///
/// # Errors
/// As [`parse`], and for a text that is no array; inside, what `take` said.
pub(super) fn for_each<E>(
    text: &str,
    take: impl FnMut(Value) -> Result<(), E>,
) -> Result<Result<(), E>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let outcome = reader.deserialize_seq(Elements { take })?;
    reader.end()?;
    Ok(outcome)
}

struct Elements<F> {
    take: F,
}

impl<'de, E, F: FnMut(Value) -> Result<(), E>> Visitor<'de> for Elements<F> {
    type Value = Result<(), E>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut outcome = Ok(());
        while let Some(value) = list.next_element_seed(Strict)? {
            if outcome.is_ok() {
                outcome = (self.take)(value);
            }
        }
        Ok(outcome)
    }
}

#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            if fields.contains_key(&key) {
                let short: String = key.chars().take(120).collect();
                return Err(de::Error::custom(format!("the key '{short}' stands twice in one object")));
            }
            let value = object.next_value_seed(self)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}
