//! What the server says of itself in the standard's nodes: namespaces, state, limits (OPC 10000-5 v1.05, 6.3).

use super::application::PRODUCT_URI;
use super::convert;
use super::session::POINTS_MAX;
use super::shared::Shared;
use gemba_model::DateTime;
use opcua::types::{
    BuildInfo, ExtensionObject, LocalizedText, ServerState, ServerStatusDataType, UAString, Variant,
};

// Numbers in the OPC UA namespace (OPC 10000-6 v1.05, NodeIds.csv).
const SERVER_ARRAY: u32 = 2254;
const NAMESPACE_ARRAY: u32 = 2255;
const SERVER_STATUS: u32 = 2256;
const CURRENT_TIME: u32 = 2258;
const OPC_UA: &str = "http://opcfoundation.org/UA/";

/// Whether a variable of the standard changes by itself.
pub(super) const fn changes(number: u32) -> bool {
    matches!(number, SERVER_STATUS | CURRENT_TIME)
}

/// What such a variable shows now.
pub(super) fn now(shared: &Shared, number: u32, now: DateTime) -> Option<Variant> {
    match number {
        CURRENT_TIME => Some(Variant::from(convert::date_time(now))),
        SERVER_STATUS => {
            Some(Variant::ExtensionObject(ExtensionObject::from_message(ServerStatusDataType {
                start_time: convert::date_time(shared.started),
                current_time: convert::date_time(now),
                state: ServerState::Running,
                build_info: build_info(shared),
                seconds_till_shutdown: 0,
                shutdown_reason: LocalizedText::null(),
            })))
        }
        _ => None,
    }
}

fn build_info(shared: &Shared) -> BuildInfo {
    BuildInfo {
        product_uri: UAString::from(PRODUCT_URI),
        manufacturer_name: UAString::from("Gemba"),
        product_name: UAString::from(&shared.options.application_name),
        software_version: UAString::from(env!("CARGO_PKG_VERSION")),
        ..BuildInfo::default()
    }
}

/// The values that are this server's own and never change; others have the standard's.
pub(super) fn value(shared: &Shared, number: u32) -> Option<Variant> {
    let limits = &shared.options.limits;
    let text = |text: &str| Variant::String(UAString::from(text));
    let count = |count: usize| Variant::UInt32(u32::try_from(count).unwrap_or(u32::MAX));
    let texts = |texts: &[&str]| {
        Variant::from(texts.iter().map(|text| UAString::from(*text)).collect::<Vec<UAString>>())
    };
    let own = shared.options.application_uri.as_str();
    let build = || build_info(shared);
    Some(match number {
        SERVER_ARRAY => texts(&[own]),
        NAMESPACE_ARRAY => texts(&[OPC_UA, own, &shared.space.namespace_uri]),
        2257 => Variant::from(convert::date_time(shared.started)),
        2259 => Variant::Int32(ServerState::Running as i32),
        2260 => Variant::ExtensionObject(ExtensionObject::from_message(build())),
        2261 => text(&shared.options.application_name),
        2262 => Variant::String(build().product_uri),
        2263 => Variant::String(build().manufacturer_name),
        2264 => Variant::String(build().software_version),
        2265 => Variant::String(UAString::null()),
        2267 => Variant::Byte(255),
        2269 => texts(&[]),
        2271 => texts(&["en"]),
        // Zero is "reported by exception".
        2272 => Variant::Double(0.0),
        2735 | 2737 => Variant::UInt16(POINTS_MAX as u16),
        2736 => Variant::UInt16(0),
        2992 => Variant::UInt32(0),
        2993 => Variant::from(LocalizedText::null()),
        2994 => Variant::Boolean(false),
        3709 => Variant::Int32(0),
        11702 => Variant::UInt32(1_000_000),
        11703 => Variant::UInt32(1 << 20),
        12911 => Variant::UInt32(16 << 20),
        // OperationLimits.
        11705 => count(limits.nodes_per_read.min(limits.items_per_call)),
        11714 => count(limits.monitored_items_per_call.min(limits.items_per_call)),
        11707 | 11709 | 11710 | 11711 | 11712 => count(limits.items_per_call),
        12165 if !shared.options.history.is_zero() => count(limits.nodes_per_read.min(limits.items_per_call)),
        11713 | 12165 | 12166 | 12167 | 12168 => Variant::UInt32(0),
        24095 => count(limits.sessions),
        24096 => count(limits.sessions.saturating_mul(limits.subscriptions_per_session)),
        24098 => count(limits.subscriptions_per_session),
        24104 => count(limits.items_per_subscription),
        31916 => count(limits.queue_size),
        _ => return None,
    })
}
