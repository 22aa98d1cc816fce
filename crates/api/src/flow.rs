//! How it flows: what each stage of the chain reports about itself.

use gemba_model::DateTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The four stages, left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// OPC UA servers to the publisher.
    Field,
    /// Store-and-forward.
    Edge,
    /// Identities, front ends and the event log.
    Hub,
    /// The historian.
    Store,
}

/// Counters and state of one stage of one process. Counters start at zero with the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageReport {
    /// Which stage.
    pub stage: Stage,
    /// Which process: the device id of an edge, `platform` for the rest.
    pub instance: String,
    /// When this was true.
    #[schema(value_type = String)]
    pub at: DateTime,
    /// Values that came in.
    pub values_in: u64,
    /// Values that went out, acknowledged by the next stage.
    pub values_out: u64,
    /// Messages that came in.
    pub messages_in: u64,
    /// Messages that went out, acknowledged by the next stage.
    pub messages_out: u64,
    /// Bytes that went out.
    pub bytes_out: u64,
    /// Values known to be lost here.
    pub values_lost: u64,
    /// Messages waiting.
    pub queue_messages: u64,
    /// Bytes waiting.
    pub queue_bytes: u64,
    /// Bytes that may wait before the overflow rule acts; 0 for no own queue.
    pub queue_bytes_max: u64,
    /// Age of the oldest waiting message in milliseconds.
    pub lag_ms: u64,
    /// Servers and their state; the field stage only.
    #[serde(default)]
    pub sources: Vec<SourceReport>,
    /// What needs a person, or will.
    #[serde(default)]
    pub problems: Vec<Problem>,
}

impl StageReport {
    /// An idle stage.
    pub fn idle(stage: Stage, instance: impl Into<String>, at: DateTime) -> Self {
        Self {
            stage,
            instance: instance.into(),
            at,
            values_in: 0,
            values_out: 0,
            messages_in: 0,
            messages_out: 0,
            bytes_out: 0,
            values_lost: 0,
            queue_messages: 0,
            queue_bytes: 0,
            queue_bytes_max: 0,
            lag_ms: 0,
            sources: Vec::new(),
            problems: Vec::new(),
        }
    }
}

/// State of the connection to one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceState {
    /// First connection under way.
    Connecting,
    /// Connected and data flows.
    Live,
    /// Connected, but nothing was heard for longer than it should take.
    Silent,
    /// Lost; trying again.
    Reconnecting,
    /// Stopped until a person acts, such as after a wrong password.
    Stopped,
}

/// One server as its publisher sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceReport {
    /// The endpoint URL that is dialled.
    pub endpoint: String,
    /// The writer group.
    pub group: String,
    /// Its state.
    pub state: SourceState,
    /// Since when it has this state.
    #[schema(value_type = String)]
    pub since: DateTime,
    /// When the last value came.
    #[schema(value_type = Option<String>)]
    pub last_data: Option<DateTime>,
    /// Items wanted.
    pub items: u64,
    /// Items that the server refuses or that do not deliver.
    pub items_bad: u64,
    /// What is wrong, if something is.
    pub problem: Option<Problem>,
}

/// Something that a person should know: what, where, why, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Page under docs/errors, such as `GMB-UA-003`.
    pub code: String,
    /// What happened, in one sentence.
    pub text: String,
    /// Where: endpoint, device, folder.
    pub place: String,
    /// What a person can do, and what Gemba does meanwhile.
    pub remedy: String,
    /// Since when.
    #[schema(value_type = String)]
    pub since: DateTime,
    /// Larger is more urgent: 1 for information, 2 warning, 3 data stops, 4 data is lost.
    pub urgency: u8,
}

/// What an edge sends up about itself every few seconds (`gemba-kind=status`, JSON).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusMessage {
    /// Format version; 1.
    pub version: u32,
    /// The stages of this process.
    pub stages: Vec<StageReport>,
}

/// Somebody who knows how a stage is doing. Cheap; called once a second.
pub trait FlowSource: Send + Sync + 'static {
    /// The reports of the stages that it knows.
    fn reports(&self) -> Vec<StageReport>;
}
