//! The shapes of `/api/v1`.

use crate::auth::principal::{Principal, Via};
use crate::auth::tokens::Token;
use crate::auth::users::User;
use crate::value::Sample;
use gemba_api::flow::{Problem, StageReport};
use gemba_api::rest::Role;
use gemba_api::{Bucket, GapEntry, SeriesInfo};
use gemba_base::Secret;
use gemba_model::DateTime;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

/// One page of a listing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Hand it back as continuationToken to go on; null at the end.
    #[schema(required = true)]
    pub(crate) continuation_token: Option<String>,
}

/// A listing that is always whole.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
}

/// One series: a value of one node, for ever.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Series {
    /// Never changes and is never given to another series.
    id: u64,
    /// Field name in its data set.
    name: String,
    /// The node in nsu= form.
    node_id: String,
    /// The attribute; 13 is Value.
    attribute_id: u32,
    /// Endpoint URL of the server.
    source: String,
    /// Application URI of the server; empty when unknown.
    application_uri: String,
    /// The edge that delivers it.
    device: String,
    /// Writer group.
    writer_group: String,
    /// Data set writer.
    writer: String,
    /// Engineering unit; empty for none.
    unit: String,
    /// The newest sample; null when no value ever came.
    #[schema(required = true)]
    last: Option<Sample>,
}

impl From<SeriesInfo> for Series {
    fn from(info: SeriesInfo) -> Self {
        Self {
            id: info.id,
            name: info.name,
            node_id: info.node_id,
            attribute_id: info.attribute_id,
            source: info.source,
            application_uri: info.application_uri,
            device: info.device,
            writer_group: info.writer_group,
            writer: info.writer,
            unit: info.unit,
            last: info.last.map(Sample::from),
        }
    }
}

/// A number with its time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Point {
    #[schema(value_type = String)]
    time: DateTime,
    value: Number,
}

/// A floating-point number whose non-finite values are strings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number(f64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        crate::value::Json(&gemba_model::Variant::Double(self.0)).serialize(to)
    }
}

impl utoipa::PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let types = SchemaType::Array(vec![Type::Number, Type::String]);
        let text = "A number; \"NaN\", \"Infinity\" and \"-Infinity\" are strings.";
        RefOr::T(ObjectBuilder::new().schema_type(types).description(Some(text)).into())
    }
}

impl ToSchema for Number {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Number")
    }
}

/// Aggregates of one interval; numbers of Good and Uncertain samples only.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BucketItem {
    /// Start of the interval; it ends where the next one starts.
    #[schema(value_type = String)]
    start: DateTime,
    #[schema(required = true)]
    min: Option<Number>,
    #[schema(required = true)]
    max: Option<Number>,
    #[schema(required = true)]
    avg: Option<Number>,
    /// Samples of any status.
    count: u64,
    /// Samples with status Bad.
    bad: u64,
    #[schema(required = true)]
    first: Option<Point>,
    #[schema(required = true)]
    last: Option<Point>,
}

impl From<Bucket> for BucketItem {
    fn from(bucket: Bucket) -> Self {
        let point = |(time, value)| Point { time, value: Number(value) };
        Self {
            start: bucket.start,
            min: bucket.min.map(Number),
            max: bucket.max.map(Number),
            avg: bucket.avg.map(Number),
            count: bucket.count,
            bad: bucket.bad,
            first: bucket.first.map(point),
            last: bucket.last.map(point),
        }
    }
}

/// Intervals of equal width over a range.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Buckets {
    /// First instant.
    #[schema(value_type = String)]
    pub(crate) from: DateTime,
    /// First instant after the range.
    #[schema(value_type = String)]
    pub(crate) to: DateTime,
    pub(crate) items: Vec<BucketItem>,
}

/// A statement that values of a series are missing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Gap {
    series: u64,
    /// Source time of the last value before; null when there was none.
    #[schema(value_type = Option<String>, required = true)]
    from: Option<DateTime>,
    /// Source time of the first value after; null while there is none.
    #[schema(value_type = Option<String>, required = true)]
    to: Option<DateTime>,
    /// Why.
    #[schema(example = "disconnection")]
    reason: &'static str,
    /// Where: field, edge, hub or store.
    hop: &'static str,
    /// How many values, where that is known.
    #[schema(required = true)]
    count: Option<u64>,
    /// Whether values flow again.
    closed: bool,
}

impl From<GapEntry> for Gap {
    fn from(gap: GapEntry) -> Self {
        Self {
            series: gap.series,
            from: gap.from,
            to: gap.to,
            reason: gap.reason.as_str(),
            hop: gap.hop.as_str(),
            count: gap.count,
            closed: gap.closed,
        }
    }
}

/// Values per second of a stage, over about the last ten seconds, all instances together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rate {
    pub(crate) values_in: f64,
    pub(crate) values_out: f64,
}

/// The last hour of a stage in steps; the last step is still in progress.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sparkline {
    /// Start of the first step.
    #[schema(value_type = String)]
    pub(crate) from: DateTime,
    pub(crate) step_seconds: u32,
    /// Values per second of each step, oldest first; null where nothing is known.
    pub(crate) values_in: Vec<Option<f64>>,
    /// Values per second of each step, oldest first; null where nothing is known.
    pub(crate) values_out: Vec<Option<f64>>,
}

/// How it flows.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Flow {
    #[schema(value_type = String)]
    pub(crate) at: DateTime,
    /// Version of the platform.
    pub(crate) version: String,
    /// One report per stage and instance.
    pub(crate) stages: Vec<StageReport>,
    /// By stage: field, edge, hub, store; only those that have reported.
    pub(crate) rates: BTreeMap<&'static str, Rate>,
    /// By stage; only those that have reported.
    pub(crate) history: BTreeMap<&'static str, Sparkline>,
    pub(crate) open_gaps: u64,
    /// What needs a person, or will: most urgent first, at most 200.
    pub(crate) problems: Vec<Problem>,
    /// How many there are in all.
    pub(crate) problems_total: usize,
}

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FirstStartRequest {
    /// The secret of the link.
    #[schema(value_type = String)]
    pub(crate) token: Secret,
    pub(crate) user: String,
    /// 12 to 256 characters.
    #[schema(value_type = String, min_length = 12, max_length = 256)]
    pub(crate) password: Secret,
}

/// Whether the first start is still to be done.
#[derive(Serialize, ToSchema)]
pub(crate) struct FirstStartState {
    /// True while there is no user.
    pub(crate) open: bool,
}

/// A log-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogIn {
    pub(crate) user: String,
    #[schema(value_type = String)]
    pub(crate) password: Secret,
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionInfo {
    /// Name of the user or of the token.
    user: String,
    role: Role,
    /// session or token.
    kind: &'static str,
    /// For the header X-CSRF-Token of unsafe requests; null with a token, which needs none.
    #[schema(required = true)]
    csrf_token: Option<String>,
    /// When the session ends unless it is used again; null with a token.
    #[schema(value_type = Option<String>, required = true)]
    expires_at: Option<DateTime>,
    /// IANA name of the plant's time zone; left out where none is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    time_zone: Option<String>,
}

impl SessionInfo {
    pub(crate) fn new(principal: Principal, time_zone: Option<String>) -> Self {
        let (kind, csrf_token, expires_at) = match principal.via {
            Via::Session { csrf, expires, .. } => ("session", Some(csrf), Some(expires)),
            Via::Token { .. } => ("token", None, None),
        };
        Self { user: principal.name, role: principal.role, kind, csrf_token, expires_at, time_zone }
    }
}

/// A new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    #[schema(value_type = String)]
    pub(crate) current: Secret,
    /// 12 to 256 characters.
    #[schema(value_type = String, min_length = 12, max_length = 256)]
    pub(crate) new: Secret,
}

/// A user without its secrets.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserItem {
    name: String,
    role: Role,
    disabled: bool,
    #[schema(value_type = String)]
    created_at: DateTime,
}

impl From<User> for UserItem {
    fn from(user: User) -> Self {
        Self { name: user.name, role: user.role, disabled: user.disabled, created_at: user.created_at }
    }
}

/// A user to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// 1 to 64 letters, digits and - _ . @ +; case makes no difference.
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) name: String,
    /// 12 to 256 characters.
    #[schema(value_type = String, min_length = 12, max_length = 256)]
    pub(crate) password: Secret,
    pub(crate) role: Role,
}

/// What to change; members that are left out stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserChange {
    pub(crate) role: Option<Role>,
    /// 12 to 256 characters; ends the user's sessions.
    #[schema(value_type = Option<String>, min_length = 12, max_length = 256)]
    pub(crate) password: Option<Secret>,
    /// True ends the user's sessions.
    pub(crate) disabled: Option<bool>,
}

/// A token without its text.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenItem {
    id: String,
    name: String,
    role: Role,
    created_by: String,
    #[schema(value_type = String)]
    created_at: DateTime,
    #[schema(value_type = Option<String>, required = true)]
    expires_at: Option<DateTime>,
}

impl TokenItem {
    pub(crate) fn new(id: String, token: Token) -> Self {
        Self {
            id,
            name: token.name,
            role: token.role,
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
        }
    }
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct NewToken {
    /// 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Null or left out: it does not expire.
    #[schema(value_type = Option<String>)]
    pub(crate) expires_at: Option<DateTime>,
}

/// A token with its text, which is told once.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedToken {
    #[serde(flatten)]
    pub(crate) item: TokenItem,
    /// For `Authorization: Bearer`.
    pub(crate) token: String,
}

/// What runs here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct System {
    pub(crate) version: String,
    #[schema(value_type = String)]
    pub(crate) started_at: DateTime,
    #[schema(value_type = String)]
    pub(crate) now: DateTime,
}
