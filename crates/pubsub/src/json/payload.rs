//! The payload of a JSON DataSetMessage: fields by name.

use super::read_scalar::parse;
use super::read_value;
use crate::{DataSetMessage, DecodeError};
use gemba_model::DataSetMetaData;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

/// The members of a payload, in order.
struct PayloadText<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for PayloadText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = PayloadText<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(PayloadText(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A text, borrowed from the message unless it has escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Reads a payload into the message's batch.
pub(super) fn read_payload(
    raw: &str,
    data_set: &DataSetMetaData,
    message: &mut DataSetMessage,
) -> Result<(), DecodeError> {
    let PayloadText(members) = parse(raw, "a payload")?;
    let mut fields = FieldIndex::new(data_set);
    let mut seen = vec![false; data_set.fields.len()];
    message.batch.samples.reserve(members.len());
    for (name, raw) in members {
        let Some(field) = fields.find(&name) else {
            let (place, data_set) = (String::new(), data_set.name.clone());
            return Err(DecodeError::UnknownField {
                place,
                data_set,
                field: name.chars().take(256).collect(),
            });
        };
        let described = data_set.fields.get(usize::from(field));
        let Some((described, seen)) = described.zip(seen.get_mut(usize::from(field))) else { continue };
        if std::mem::replace(seen, true) {
            return Err(DecodeError::json("the field comes twice").within(&name));
        }
        let mut sample = read_value::field(raw.get(), described.built_in_type, &mut message.batch)
            .map_err(|error| error.within(&name))?;
        sample.field = field;
        message.batch.samples.push(sample);
    }
    Ok(())
}

/// Finds fields by name: mostly each is the one after the last, so that the map is rarely made.
struct FieldIndex<'a> {
    data_set: &'a DataSetMetaData,
    next: usize,
    by_name: Option<HashMap<&'a str, u16>>,
}

impl<'a> FieldIndex<'a> {
    fn new(data_set: &'a DataSetMetaData) -> Self {
        Self { data_set, next: 0, by_name: None }
    }

    fn find(&mut self, name: &str) -> Option<u16> {
        let at_next = self.data_set.fields.get(self.next).is_some_and(|field| field.name == name);
        let index = if at_next {
            u16::try_from(self.next).ok()?
        } else {
            let fields = &self.data_set.fields;
            let by_name = self.by_name.get_or_insert_with(|| {
                (0..=u16::MAX).zip(fields).map(|(index, field)| (field.name.as_str(), index)).collect()
            });
            *by_name.get(name)?
        };
        self.next = usize::from(index) + 1;
        Some(index)
    }
}
