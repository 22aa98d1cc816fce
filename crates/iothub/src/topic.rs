//! Topics and filters of the IoT Hub MQTT wire, read by the identity that is connected.
//!
//! SDKs do not escape ids in topics, so a topic cannot be taken apart at its slashes and decoded: it is
//! compared with the texts that the connected identity may use.

use crate::error::{IotError, shortened};
use crate::identity::Identity;
use crate::percent;

/// What a device says by publishing to a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceTopic<'a> {
    /// A message from the device; the bag is not yet decoded.
    Event {
        /// The property bag as sent.
        bag: &'a str,
    },
    /// Give me my twin.
    TwinRead {
        /// Opaque; the answer repeats it.
        request_id: &'a str,
    },
    /// Merge this into my reported properties.
    TwinReported {
        /// Opaque; the answer repeats it.
        request_id: &'a str,
    },
    /// The answer to a direct method.
    MethodResponse {
        /// The status that the method gave.
        status: i32,
        /// That of the call.
        request_id: &'a str,
    },
}

/// A documented topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filter {
    /// `devices/{d}/messages/devicebound/#`
    CloudToDevice,
    /// `devices/{d}/modules/{m}/inputs/#` (or `…/#` below the module)
    ModuleInputs,
    /// `$iothub/twin/res/#`
    TwinResponses,
    /// `$iothub/twin/PATCH/properties/desired/#`
    DesiredProperties,
    /// `$iothub/methods/POST/#`
    Methods,
}

const TWIN_READ: &str = "$iothub/twin/GET/";
const TWIN_REPORTED: &str = "$iothub/twin/PATCH/properties/reported/";
const METHOD_RESPONSE: &str = "$iothub/methods/res/";

/// The topics of one identity.
#[derive(Debug, Clone)]
pub struct Topics {
    events: String,
    inbound: String,
    inputs: Option<String>,
}

impl Topics {
    /// The topics of an identity.
    pub fn of(identity: &Identity) -> Self {
        let base = match &identity.module {
            Some(module) => format!("devices/{}/modules/{module}/", identity.device),
            None => format!("devices/{}/", identity.device),
        };
        Self {
            events: format!("{base}messages/events"),
            inbound: format!("{base}messages/devicebound/"),
            inputs: identity.module.is_some().then(|| format!("{base}inputs/")),
        }
    }

    /// The topic of a message with an encoded property bag.
    pub fn event(&self, bag: &str) -> String {
        format!("{}/{bag}", self.events)
    }

    /// What a publish to this topic says.
    ///
    /// # Errors
    /// [`IotError::RefusedTopic`] with the rule that the topic breaks.
    pub fn read<'a>(&self, topic: &'a str) -> Result<DeviceTopic<'a>, IotError> {
        if let Some(rest) = topic.strip_prefix(self.events.as_str()) {
            if rest.is_empty() {
                return Ok(DeviceTopic::Event { bag: "" });
            }
            if let Some(bag) = rest.strip_prefix('/') {
                return Ok(DeviceTopic::Event { bag });
            }
        }
        if let Some(query) = topic.strip_prefix(TWIN_READ) {
            return Ok(DeviceTopic::TwinRead { request_id: request_id(topic, query)? });
        }
        if let Some(query) = topic.strip_prefix(TWIN_REPORTED) {
            return Ok(DeviceTopic::TwinReported { request_id: request_id(topic, query)? });
        }
        if let Some((status, query)) =
            topic.strip_prefix(METHOD_RESPONSE).and_then(|rest| rest.split_once('/'))
        {
            let status =
                status.parse().map_err(|_| refused(topic, "the status of the method is not a number"))?;
            return Ok(DeviceTopic::MethodResponse { status, request_id: request_id(topic, query)? });
        }
        Err(refused(
            topic,
            if topic.starts_with("devices/") {
                "it is not an events topic of the device or module that is connected"
            } else {
                "no such topic is documented; send messages to devices/<device>/messages/events/"
            },
        ))
    }

    /// The filter that a subscription asks for, or `None` when it is not one of the documented ones for this
    /// identity.
    pub fn filter(&self, filter: &str) -> Option<Filter> {
        match filter {
            "$iothub/twin/res/#" => return Some(Filter::TwinResponses),
            "$iothub/twin/PATCH/properties/desired/#" => return Some(Filter::DesiredProperties),
            "$iothub/methods/POST/#" => return Some(Filter::Methods),
            _ => {}
        }
        let below = |base: &str| filter.strip_prefix(base).is_some_and(|rest| rest == "#");
        if below(&self.inbound) {
            return Some(Filter::CloudToDevice);
        }
        let inputs = self.inputs.as_deref()?;
        // Modules of the older SDKs subscribe to everything below themselves.
        let module = inputs.strip_suffix("inputs/").unwrap_or(inputs);
        (below(inputs) || below(module)).then_some(Filter::ModuleInputs)
    }
}

/// The topic of the answer to a twin operation.
pub fn twin_response(status: u16, request_id: &str, version: Option<u64>) -> String {
    match version {
        Some(version) => format!("$iothub/twin/res/{status}/?$rid={request_id}&$version={version}"),
        None => format!("$iothub/twin/res/{status}/?$rid={request_id}"),
    }
}

/// The topic of a direct method's call.
pub fn method_request(name: &str, request_id: &str) -> String {
    format!("$iothub/methods/POST/{}/?$rid={request_id}", percent::encode(name))
}

fn request_id<'a>(topic: &str, query: &'a str) -> Result<&'a str, IotError> {
    let query = query.strip_prefix('?').unwrap_or(query);
    query
        .split('&')
        .find_map(|part| part.strip_prefix("$rid=").or_else(|| part.strip_prefix("%24rid=")))
        .filter(|id| !id.is_empty() && id.len() <= 256 && !id.contains(['/', '#', '+']))
        .ok_or_else(|| refused(topic, "it has no request id such as ?$rid=1"))
}

fn refused(topic: &str, why: &'static str) -> IotError {
    IotError::RefusedTopic { topic: shortened(topic, 256), why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn topics(identity: &str) -> Topics {
        Topics::of(&Identity::parse(identity).expect("is an identity"))
    }

    #[test]
    fn topics_are_read_by_the_identity() {
        use DeviceTopic::{Event, MethodResponse, TwinRead, TwinReported};
        for (identity, topic, expected) in [
            ("d", "devices/d/messages/events/", Event { bag: "" }),
            ("d", "devices/d/messages/events", Event { bag: "" }),
            ("d", "devices/d/messages/events/a=b&%24.mid=1", Event { bag: "a=b&%24.mid=1" }),
            ("a%20b", "devices/a%20b/messages/events/x=/y", Event { bag: "x=/y" }),
            ("d/m", "devices/d/modules/m/messages/events/%24.on=o", Event { bag: "%24.on=o" }),
            ("d", "$iothub/twin/GET/?$rid=7", TwinRead { request_id: "7" }),
            ("d", "$iothub/twin/PATCH/properties/reported/?$rid=a-b", TwinReported { request_id: "a-b" }),
            ("d/m", "$iothub/methods/res/-200/?$rid=1&x=y", MethodResponse { status: -200, request_id: "1" }),
        ] {
            assert_eq!(topics(identity).read(topic), Ok(expected), "{topic}");
        }
    }

    #[test]
    fn foreign_and_unknown_topics_are_refused() {
        for (identity, topic) in [
            ("d", "devices/e/messages/events/"),
            ("d", "devices/d/messages/eventsX"),
            ("d", "devices/d/modules/m/messages/events/"),
            ("d/m", "devices/d/messages/events/"),
            ("a b".trim_start_matches("a "), "devices/%62/messages/events/"),
            ("d", "$iothub/twin/GET/"),
            ("d", "$iothub/twin/GET/?$rid="),
            ("d", "$iothub/twin/GET/?$rid=a/b"),
            ("d", "$iothub/methods/res/ok/?$rid=1"),
            ("d", "plant/line1"),
        ] {
            assert!(matches!(topics(identity).read(topic), Err(IotError::RefusedTopic { .. })), "{topic}");
        }
    }

    #[test]
    fn documented_filters_are_known_and_no_others() {
        for (identity, filter, expected) in [
            ("d", "devices/d/messages/devicebound/#", Some(Filter::CloudToDevice)),
            ("d/m", "devices/d/modules/m/inputs/#", Some(Filter::ModuleInputs)),
            ("d/m", "devices/d/modules/m/#", Some(Filter::ModuleInputs)),
            ("d", "$iothub/twin/res/#", Some(Filter::TwinResponses)),
            ("d", "$iothub/twin/PATCH/properties/desired/#", Some(Filter::DesiredProperties)),
            ("d", "$iothub/methods/POST/#", Some(Filter::Methods)),
            ("d", "#", None),
            ("d", "+/+/messages/devicebound/#", None),
            ("d", "devices/e/messages/devicebound/#", None),
            ("d", "devices/d/messages/devicebound/+", None),
            ("d", "devices/d/messages/events/#", None),
            ("d", "$iothub/#", None),
        ] {
            assert_eq!(topics(identity).filter(filter), expected, "{filter}");
        }
    }

    proptest! {
        #[test]
        fn every_events_topic_is_read_by_its_identity(
            identity in "[A-Za-z0-9:.+%_#*?!(),=@$'-]{1,20}(/[A-Za-z0-9:.+%_#*?!(),=@$'-]{1,20})?",
            bag in "[a-z0-9%=&.$]{0,30}"
        ) {
            let topics = topics(&identity);
            let topic = topics.event(&bag);
            prop_assert_eq!(topics.read(&topic), Ok(DeviceTopic::Event { bag: &bag }));
        }
    }
}
