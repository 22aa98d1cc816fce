//! The fields of one JSON object, taken one by one without regard to case; what is left over is an error.

use super::{PublishedNodesError, timespan};
use gemba_base::nearest::nearest;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Fields of OPC Publisher's entries.
pub(super) const ENTRY: &[&str] = &[
    "Version",
    "LastChangeDateTime",
    "LastChangeTimespan",
    "EndpointUrl",
    "UseSecurity",
    "EndpointSecurityMode",
    "EndpointSecurityPolicy",
    "UseReverseConnect",
    "OpcAuthenticationMode",
    "OpcAuthenticationUsername",
    "OpcAuthenticationPassword",
    "EncryptedAuthUsername",
    "EncryptedAuthPassword",
    "DataSetWriterGroup",
    "DataSetWriterId",
    "DataSetName",
    "DataSetDescription",
    "DataSetClassId",
    "DataSetExtensionFields",
    "DataSetPublishingInterval",
    "DataSetPublishingIntervalTimespan",
    "DataSetSamplingInterval",
    "DataSetSamplingIntervalTimespan",
    "DataSetKeyFrameCount",
    "DataSetFetchDisplayNames",
    "DefaultHeartbeatInterval",
    "DefaultHeartbeatIntervalTimespan",
    "DefaultHeartbeatBehavior",
    "MetaDataUpdateTime",
    "MetaDataUpdateTimeTimespan",
    "MetaDataQueueName",
    "MetaDataRetention",
    "MetaDataTtlTimespan",
    "SendKeepAliveDataSetMessages",
    "SendKeepAliveAsKeyFrameMessages",
    "MaxKeepAliveCount",
    "Priority",
    "MessagingMode",
    "MessageEncoding",
    "BatchSize",
    "BatchTriggerInterval",
    "BatchTriggerIntervalTimespan",
    "WriterGroupTransport",
    "WriterGroupTransportConfiguration",
    "WriterGroupQueueName",
    "QueueName",
    "WriterGroupQualityOfService",
    "QualityOfService",
    "WriterGroupMessageRetention",
    "MessageRetention",
    "WriterGroupMessageTtlTimepan",
    "WriterGroupMessageTtlTimespan",
    "MessageTtlTimespan",
    "WriterGroupPartitions",
    "DataSetRouting",
    "PublisherId",
    "DataSetSourceUri",
    "DataSetSubject",
    "DataSetType",
    "DataSetRootNodeId",
    "WriterGroupRootNodeId",
    "WriterGroupType",
    "WriterGroupProperties",
    "DisableSubscriptionTransfer",
    "RepublishAfterTransfer",
    "OpcNodeWatchdogTimespan",
    "OpcNodeWatchdogCondition",
    "DataSetWriterWatchdogBehavior",
    "DumpConnectionDiagnostics",
    "OpcNodes",
    "NodeId",
];

/// Fields of OPC Publisher's nodes.
pub(super) const NODE: &[&str] = &[
    "Id",
    "ExpandedNodeId",
    "BrowsePath",
    "AttributeId",
    "IndexRange",
    "OpcSamplingInterval",
    "OpcSamplingIntervalTimespan",
    "OpcPublishingInterval",
    "OpcPublishingIntervalTimespan",
    "DataSetFieldId",
    "DisplayName",
    "DataSetClassFieldId",
    "FetchDisplayName",
    "HeartbeatInterval",
    "HeartbeatIntervalTimespan",
    "HeartbeatBehavior",
    "SkipFirst",
    "QueueSize",
    "DiscardNew",
    "DataChangeTrigger",
    "DeadbandType",
    "DeadbandValue",
    "UseCyclicRead",
    "CyclicReadMaxAge",
    "CyclicReadMaxAgeTimespan",
    "RegisterNode",
    "EventFilter",
    "ConditionHandling",
    "ModelChangeHandling",
    "TriggeredNodes",
    "Topic",
    "QualityOfService",
    "TypeDefinitionId",
    "MethodMetadata",
];

/// The longest interval that is not a slip of the hand: a day.
const INTERVAL_MAX: Duration = Duration::from_secs(86_400);

pub(super) struct Fields {
    place: String,
    known: &'static [&'static str],
    /// Lower-cased name to the name as written and the value.
    left: BTreeMap<String, (String, Value)>,
}

type Result<T> = std::result::Result<T, PublishedNodesError>;

impl Fields {
    pub(super) fn new(place: String, value: Value, known: &'static [&'static str]) -> Result<Self> {
        let Value::Object(object) = value else {
            let reason = "expected an object: { … }".to_owned();
            return Err(PublishedNodesError::Invalid { place, reason });
        };
        let mut left = BTreeMap::new();
        for (name, value) in object {
            if let Some((other, _)) = left.insert(name.to_ascii_lowercase(), (name.clone(), value)) {
                let reason = format!("'{name}' is there twice (also as '{other}')");
                return Err(PublishedNodesError::Invalid { place, reason });
            }
        }
        Ok(Self { place, known, left })
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Adds what the object is about to its place.
    pub(super) fn name(&mut self, name: &str) {
        let short: String = name.chars().take(120).collect();
        self.place = format!("{} ({short})", self.place);
    }

    pub(super) fn missing(&self, field: &str) -> PublishedNodesError {
        let strangers = self.left.values().map(|(name, _)| name.as_str());
        let strangers =
            strangers.filter(|name| !self.known.iter().any(|known| known.eq_ignore_ascii_case(name)));
        match nearest(field, strangers) {
            Some(near) => self.invalid(field, &format!("is missing; did you mean it with '{near}'?")),
            None => self.invalid(field, "is missing"),
        }
    }

    pub(super) fn invalid(&self, field: &str, reason: &str) -> PublishedNodesError {
        PublishedNodesError::Invalid { place: self.place.clone(), reason: format!("'{field}' {reason}") }
    }

    pub(super) fn not_supported(&self, field: &str) -> PublishedNodesError {
        PublishedNodesError::NotSupported { place: self.place.clone(), field: field.to_owned() }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        let (_, value) = self.left.remove(&field.to_ascii_lowercase())?;
        (!value.is_null()).then_some(value)
    }

    pub(super) fn text(&mut self, field: &str) -> Result<Option<String>> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= 4096 => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Value::String(_)) => Err(self.invalid(field, "is longer than 4096 bytes")),
            Some(_) => Err(self.invalid(field, "must be a text in quotes")),
        }
    }

    pub(super) fn flag(&mut self, field: &str) -> Result<Option<bool>> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.invalid(field, "must be true or false")),
        }
    }

    pub(super) fn number(&mut self, field: &str) -> Result<Option<u32>> {
        match self.take(field) {
            None => Ok(None),
            Some(value) => match value.as_u64().and_then(|number| u32::try_from(number).ok()) {
                Some(number) => Ok(Some(number)),
                None => Err(self.invalid(field, "must be a whole number from 0 to 4294967295")),
            },
        }
    }

    /// Milliseconds in `field`, or a TimeSpan in `<field>Timespan`, which wins.
    pub(super) fn interval(&mut self, field: &str) -> Result<Option<Duration>> {
        let millis = self.take(field);
        let span_field = format!("{field}Timespan");
        let interval = match (self.text(&span_field)?, millis) {
            (Some(text), _) => Some(
                timespan::parse(&text)
                    .ok_or_else(|| self.invalid(&span_field, "must be a TimeSpan such as 00:00:01.5"))?,
            ),
            (None, None) => None,
            (None, Some(value)) => {
                match value.as_f64().filter(|millis| (0.0..=86_400_000.0).contains(millis)) {
                    Some(millis) => Some(Duration::from_secs_f64(millis / 1000.0)),
                    None => {
                        return Err(self.invalid(field, "must be milliseconds from 0 to 86400000 (one day)"));
                    }
                }
            }
        };
        match interval {
            Some(interval) if interval > INTERVAL_MAX => Err(self.invalid(field, "must be at most one day")),
            interval => Ok(interval),
        }
    }

    pub(super) fn list(&mut self, field: &str) -> Result<Vec<Value>> {
        match self.take(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(values),
            Some(_) => Err(self.invalid(field, "must be an array: [ … ]")),
        }
    }

    pub(super) fn ignore(&mut self, fields: &[&str]) {
        for field in fields {
            self.left.remove(&field.to_ascii_lowercase());
        }
    }

    /// Everything must have been taken; what was not is unknown or not supported. Defaults pass.
    pub(super) fn finish(self) -> Result<()> {
        for (lower, (name, value)) in &self.left {
            let known = self.known.iter().any(|known| known.eq_ignore_ascii_case(lower));
            let is_default = match value {
                Value::Null | Value::Bool(false) => true,
                Value::Number(number) => number.as_f64() == Some(0.0),
                Value::String(text) => text.is_empty(),
                Value::Array(list) => list.is_empty(),
                Value::Bool(true) | Value::Object(_) => false,
            };
            if !known {
                let hint = nearest(name, self.known.iter().copied())
                    .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                return Err(self.invalid(name, &format!("is not a field of publishednodes.json{hint}")));
            }
            if !is_default {
                return Err(self.not_supported(name));
            }
        }
        Ok(())
    }
}
