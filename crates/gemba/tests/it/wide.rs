//! Every type that a variable can have travels: scalars, arrays, matrices and a structure, from the simulator
//! through the whole path to REST, none of it narrowed.

use crate::support::chain::{FREE_PORTS, Gemba};
use crate::support::checker::{self, series};
use crate::support::process::{Process, gemba};
use crate::support::{Folder, alone, wait_for};
use gemba_model::text::base64;
use gemba_model::{BuiltInType, DateTime, Variant};
use gemba_sim::load::counter::counter_at;
use gemba_sim::load::mixed::{self, SHAPES_COUNT, Shape};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(500);
/// Samples of each series that are compared at least.
const SAMPLES: usize = 6;

#[test]
fn values_of_every_type_arrive_as_they_were() {
    let _alone = alone();
    let folder = Folder::new("wide");
    let published = folder.path().join("publishednodes.json").display().to_string();
    let mut plant = gemba();
    plant.args(["sim", "load", "--kind", "mixed", "--servers", "1", "--published-nodes", &published]);
    plant.args(["--tags", &SHAPES_COUNT.to_string(), "--period", &PERIOD.as_millis().to_string()]);
    let plant = Process::start(&mut plant, &folder.path().join("plant.txt"));
    wait_for("the plant", Duration::from_secs(60), || plant.printed().contains("ready").then_some(()));
    let nodes = nodes_by_name(&published);
    let mut arguments = vec!["--role", "platform,edge", "--published-nodes", &published];
    arguments.extend(FREE_PORTS);
    let mut gemba = Gemba::run("gemba", folder.path(), &folder.path().join("data"), &arguments);
    let rest = gemba.rest();
    let samples = |id: u64| rest.lines(&format!("/api/v1/series/{id}/samples?from=2020-01-01T00:00:00Z"));
    let all = wait_for("all shapes with enough samples", Duration::from_secs(90), || {
        let all = series(&rest);
        let enough = all.len() == nodes.len() && all.iter().all(|one| samples(one.id).len() >= SAMPLES);
        enough.then_some(all)
    });
    let mut seen = BTreeSet::new();
    for one in &all {
        let node = nodes.iter().find(|(name, _)| *name == one.name).map(|(_, node)| *node);
        let node = node.unwrap_or_else(|| panic!("nobody publishes {one:?}"));
        for sample in samples(one.id) {
            check(node, &sample);
        }
        seen.insert(node);
    }
    assert_eq!(seen.len(), SHAPES_COUNT as usize, "each shape once");
    gemba.stop();
}

/// The display names of the published nodes, and the number of each node.
fn nodes_by_name(published: &str) -> Vec<(String, u32)> {
    let text = std::fs::read_to_string(published).expect("the simulator wrote what to publish");
    let entries: Value = serde_json::from_str(&text).expect("JSON");
    let nodes = entries.as_array().expect("entries").iter().filter_map(|entry| entry["OpcNodes"].as_array());
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let number = |id: &str| id.rsplit_once("i=").and_then(|(_, number)| number.parse().ok());
    nodes
        .flatten()
        .map(|node| (text(&node["DisplayName"]), number(&text(&node["Id"])).expect("a numeric node")))
        .collect()
}

/// A sample is what the simulator's node had at the tick that its source timestamp names.
fn check(node: u32, sample: &Value) {
    let at: DateTime = checker::time(&sample["sourceTimestamp"]);
    let expected = as_json(&mixed::value(node, counter_at(at, PERIOD)));
    let shape = mixed::shape(node);
    assert_eq!(sample["value"], expected, "node {node}, {shape:?}, at {at}");
    assert_eq!(sample["status"], 0, "node {node}, {shape:?}, at {at}");
    if shape == Shape::Scalar(BuiltInType::UInt64) {
        assert!(sample["value"].as_u64().is_some_and(|value| value > u64::MAX / 2), "all 64 bits: {sample}");
    }
}

/// What REST is to give for a value, written down apart from the code that does it.
fn as_json(value: &Variant) -> Value {
    match value {
        Variant::Boolean(v) => json!(v),
        Variant::SByte(v) => json!(v),
        Variant::Byte(v) => json!(v),
        Variant::Int16(v) => json!(v),
        Variant::UInt16(v) => json!(v),
        Variant::Int32(v) => json!(v),
        Variant::UInt32(v) => json!(v),
        Variant::Int64(v) => json!(v),
        Variant::UInt64(v) => json!(v),
        // Eighths are exact in both widths.
        Variant::Float(v) => json!(f64::from(*v)),
        Variant::Double(v) => json!(v),
        Variant::String(v) | Variant::XmlElement(v) => json!(v),
        Variant::DateTime(v) => json!(v.to_string()),
        Variant::Guid(v) => json!(v.to_string()),
        Variant::ByteString(v) => json!(v.as_deref().map(base64)),
        Variant::NodeId(v) => json!(v.to_string()),
        Variant::ExpandedNodeId(v) => json!(v.to_string()),
        Variant::StatusCode(v) => json!(v.0),
        Variant::QualifiedName(v) => json!(format!("{}:{}", v.namespace, v.name.as_deref().expect("a name"))),
        Variant::LocalizedText(v) => json!({ "locale": v.locale, "text": v.text }),
        Variant::ExtensionObject(v) => {
            let gemba_model::variant::ExtensionBody::Binary(body) = &v.body else {
                panic!("the simulator's structures are binary")
            };
            json!({ "typeId": v.type_id.to_string(), "body": base64(body) })
        }
        Variant::Array { values, dimensions, .. } => match dimensions.as_slice() {
            [_, columns] => {
                let rows = values.chunks(usize::try_from(*columns).expect("columns"));
                rows.map(|row| row.iter().map(as_json).collect::<Value>()).collect()
            }
            _ => values.iter().map(as_json).collect(),
        },
        other => panic!("the simulator makes no {other:?}"),
    }
}
