//! What must run for a configuration: sessions, their subscriptions, and the data sets that they fill.
//!
//! Pure: the same entries give the same plan, item handles included, so that a subscription can be taken
//! over after a restart.

use crate::published_nodes::{Identity, PublishedEntry, PublishedNode, Security};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Fields of one data set, at most. The wire allows 65,535; a delta frame stays readable far below.
pub const FIELDS_MAX: usize = 1000;
/// A data set's description must fit one message; names and node ids of its fields stay below this.
const DESCRIPTION_BYTES_MAX: usize = 200 * 1024;
/// A session's name is part of cursor keys, which have 512 bytes (see `gemba_api::CursorUpdate`).
const NAME_BYTES_MAX: usize = 400;
/// What one field's description takes beside its texts.
const FIELD_BYTES: usize = 100;

/// One connection to one server for one writer group.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionPlan {
    /// Stable name; also the key of its cursors.
    pub name: String,
    /// The server.
    pub endpoint_url: String,
    /// Protection of the channel.
    pub security: Security,
    /// Who we are.
    pub identity: Identity,
    /// Writer group name.
    pub group: String,
    /// Subscriptions by their stable name.
    pub subscriptions: BTreeMap<String, SubscriptionPlan>,
    /// Data sets in the order of the file.
    pub data_sets: Vec<DataSetPlan>,
}

/// Items of one publishing interval.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionPlan {
    /// How often the server sends.
    pub publishing_interval: Duration,
    /// The items.
    pub items: Vec<ItemPlan>,
}

/// One item and the field that it fills.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemPlan {
    /// Unique in the session and stable: derived from what the item is.
    pub handle: u32,
    /// The node and its sampling.
    pub node: Arc<PublishedNode>,
    /// Index into [`SessionPlan::data_sets`].
    pub data_set: usize,
    /// Index into the data set's fields.
    pub field: u16,
}

/// One data set writer.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSetPlan {
    /// Unique in the writer group and endpoint; carries a suffix when the file's writer had to be split.
    pub writer: String,
    /// Data set name.
    pub name: String,
    /// The fields.
    pub fields: Vec<FieldPlan>,
    /// Names in use, so that a thousand fields do not cost a million comparisons.
    names: HashSet<Arc<str>>,
}

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPlan {
    /// Unique in the data set.
    pub name: Arc<str>,
    /// The node.
    pub node: Arc<PublishedNode>,
}

impl SessionPlan {
    /// Number of items in all subscriptions.
    pub fn items(&self) -> usize {
        self.subscriptions.values().map(|subscription| subscription.items.len()).sum()
    }
}

/// The sessions for these entries, by name.
pub fn plan(entries: &[PublishedEntry]) -> BTreeMap<String, SessionPlan> {
    let mut sessions: BTreeMap<String, SessionPlan> = BTreeMap::new();
    let mut handles: BTreeMap<String, HashSet<u32>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.nodes.is_empty()) {
        let name = session_name(entry);
        let session = sessions.entry(name.clone()).or_insert_with(|| SessionPlan {
            name: name.clone(),
            endpoint_url: entry.endpoint_url.clone(),
            security: entry.security.clone(),
            identity: entry.identity.clone(),
            group: entry.group.clone(),
            subscriptions: BTreeMap::new(),
            data_sets: Vec::new(),
        });
        let taken = handles.entry(name).or_default();
        for (interval, nodes) in by_publishing_interval(entry) {
            let writer = writer_name(entry, interval);
            add_data_sets(session, entry, &writer, interval, nodes, taken);
        }
    }
    sessions
}

fn session_name(entry: &PublishedEntry) -> String {
    let user = match &entry.identity {
        Identity::Anonymous => "",
        Identity::UserName { user, .. } => user,
        Identity::Certificate { name } => name,
    };
    let Security { mode, policy } = &entry.security;
    // `#` numbers the parts of a split subscription.
    let name = format!("{}|{}|{mode:?}|{policy}|{user}", entry.group, entry.endpoint_url).replace('#', "%23");
    bounded(name)
}

/// A name that is longer than a cursor's key may be ends with a hash of the whole: unique, and still stable.
fn bounded(name: String) -> String {
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let mut end = NAME_BYTES_MAX - 17;
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{hash:016x}", name.get(..end).unwrap_or_default())
}

fn by_publishing_interval(entry: &PublishedEntry) -> BTreeMap<Duration, Vec<&Arc<PublishedNode>>> {
    let mut groups: BTreeMap<Duration, Vec<&Arc<PublishedNode>>> = BTreeMap::new();
    for node in &entry.nodes {
        groups.entry(node.publishing_interval).or_default().push(node);
    }
    groups
}

/// A writer with several publishing intervals becomes one writer for each.
fn writer_name(entry: &PublishedEntry, interval: Duration) -> String {
    let mixed = entry.nodes.iter().any(|node| node.publishing_interval != interval);
    if mixed { format!("{}_{}ms", entry.writer, interval.as_millis()) } else { entry.writer.clone() }
}

fn add_data_sets(
    session: &mut SessionPlan,
    entry: &PublishedEntry,
    writer: &str,
    interval: Duration,
    nodes: Vec<&Arc<PublishedNode>>,
    taken: &mut HashSet<u32>,
) {
    let subscription_name = format!("{}|{}ms", session.name, interval.as_millis());
    for node in nodes {
        let data_set = data_set_with_room(session, entry, writer, node);
        let Some(plan) = session.data_sets.get_mut(data_set) else { continue };
        let name = unique_field_name(plan, node);
        plan.names.insert(name.clone());
        let field = plan.fields.len() as u16;
        plan.fields.push(FieldPlan { name: name.clone(), node: node.clone() });
        let handle = handle(&plan.writer, &name, node, taken);
        let item = ItemPlan { handle, node: node.clone(), data_set, field };
        session
            .subscriptions
            .entry(subscription_name.clone())
            .or_insert_with(|| SubscriptionPlan { publishing_interval: interval, items: Vec::new() })
            .items
            .push(item);
    }
}

fn description_bytes(fields: &[FieldPlan]) -> usize {
    fields.iter().map(|field| FIELD_BYTES + field.name.len() + text_bytes(&field.node)).sum()
}

fn text_bytes(node: &PublishedNode) -> usize {
    node.node_id.to_string().len()
}

/// The newest data set of this writer if it has room for one more field, else a new one.
fn data_set_with_room(
    session: &mut SessionPlan,
    entry: &PublishedEntry,
    writer: &str,
    node: &PublishedNode,
) -> usize {
    let last = session.data_sets.iter().rposition(|set| is_part_of(&set.writer, writer));
    if let Some(index) = last
        && let Some(set) = session.data_sets.get(index)
        && set.fields.len() < FIELDS_MAX
        // Measuring all fields each time would be quadratic: only every 64th field may close a set.
        && (!set.fields.len().is_multiple_of(64)
            || description_bytes(&set.fields) + 64 * (FIELD_BYTES + text_bytes(node)) < DESCRIPTION_BYTES_MAX)
    {
        return index;
    }
    let parts = session.data_sets.iter().filter(|set| is_part_of(&set.writer, writer)).count();
    let suffix = if parts == 0 { String::new() } else { format!("~{}", parts + 1) };
    session.data_sets.push(DataSetPlan {
        writer: format!("{writer}{suffix}"),
        name: format!("{}{suffix}", entry.data_set),
        fields: Vec::new(),
        names: HashSet::new(),
    });
    session.data_sets.len() - 1
}

fn is_part_of(name: &str, writer: &str) -> bool {
    match name.strip_prefix(writer) {
        Some("") => true,
        Some(rest) => rest.strip_prefix('~').is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())),
        None => false,
    }
}

/// Field names are unique in a data set: a second `Speed` becomes `Speed (ns=2;s=Pump2.Speed)`, and a third
/// one of the same node gets a number.
fn unique_field_name(set: &DataSetPlan, node: &PublishedNode) -> Arc<str> {
    let is_free = |name: &str| !set.names.contains(name);
    if is_free(&node.field_name) {
        return node.field_name.clone();
    }
    let with_node = format!("{} ({})", node.field_name, node.node_id);
    if is_free(&with_node) {
        return with_node.into();
    }
    let numbered = (2..=FIELDS_MAX).map(|n| format!("{with_node} {n}")).find(|name| is_free(name));
    numbered.unwrap_or(with_node).into()
}

/// FNV-1a over what the item is; taken handles move on by one, in the order of the file.
fn handle(writer: &str, field: &str, node: &PublishedNode, taken: &mut HashSet<u32>) -> u32 {
    let identity = format!("{writer}\n{field}\n{}\n{}", node.node_id, node.attribute_id);
    let hash = identity
        .bytes()
        .fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let mut handle = hash.max(1);
    while !taken.insert(handle) {
        handle = handle.wrapping_add(1).max(1);
    }
    handle
}

#[cfg(test)]
mod tests;
