use super::*;
use gemba_model::{BuiltInType, DataSetSource, Guid};

fn description(url: &str, uri: &str, nodes: &[&str]) -> DataSetMetaData {
    let field = |node: &&str| FieldMetaData {
        name: format!("name of {node}"),
        data_set_field_id: Guid::default(),
        built_in_type: BuiltInType::Double,
        value_rank: -1,
        node_id: node.parse().expect("a node id"),
        attribute_id: 13,
        unit: "bar".into(),
    };
    DataSetMetaData {
        source: DataSetSource { endpoint_url: url.into(), application_uri: uri.into() },
        fields: nodes.iter().map(field).collect(),
        ..DataSetMetaData::default()
    }
}

fn register(
    dictionary: &mut SeriesDictionary,
    device: &str,
    live: &[u64],
    metadata: &DataSetMetaData,
) -> Vec<u64> {
    let plan = dictionary.plan(device, metadata, &|id| live.contains(&id));
    dictionary.commit(plan)
}

const A: &str = "opc.tcp://a:4840";
const B: &str = "opc.tcp://b:4840";

#[test]
fn ids_stay_whatever_is_learned_about_a_server() {
    let mut all = SeriesDictionary::default();
    let nodes = ["nsu=urn:m;s=x", "nsu=urn:m;s=y", "nsu=urn:m;s=x"];
    assert_eq!(register(&mut all, "d", &[], &description(A, "", &nodes)), [1, 2, 1]);
    assert_eq!(register(&mut all, "d", &[], &description(A, "urn:press", &nodes)), [1, 2, 1]);
    assert_eq!(register(&mut all, "other", &[1, 2], &description(A, "urn:press", &nodes)), [1, 2, 1]);
    assert_eq!(register(&mut all, "d", &[], &description(B, "urn:press", &nodes)), [1, 2, 1], "it moved");
    assert_eq!(register(&mut all, "d", &[], &description(B, "", &["nsu=urn:m;s=z"])), [3]);
}

#[test]
fn cloned_machines_and_shared_addresses_stay_apart() {
    let mut all = SeriesDictionary::default();
    let nodes = ["nsu=urn:m;s=x"];
    assert_eq!(register(&mut all, "d", &[], &description(A, "urn:clone", &nodes)), [1]);
    assert_eq!(register(&mut all, "d", &[1], &description(B, "urn:clone", &nodes)), [2]);
    assert_eq!(register(&mut all, "e", &[1, 2], &description(A, "urn:other", &nodes)), [3]);
    assert_eq!(register(&mut all, "e", &[1, 2], &description(A, "", &nodes)), [3], "the device decides");
}

#[test]
fn fields_without_a_node_are_told_apart_by_writer_and_name() {
    let mut all = SeriesDictionary::default();
    let mut metadata = description("", "", &["i=0"]);
    metadata.writer_name = "w1".into();
    assert_eq!(register(&mut all, "d", &[], &metadata), [1]);
    assert_eq!(register(&mut all, "e", &[], &metadata), [2]);
    metadata.writer_name = "w2".into();
    assert_eq!(register(&mut all, "d", &[], &metadata), [3]);
}

#[test]
fn searches_find_every_word_anywhere() {
    let mut all = SeriesDictionary::default();
    register(&mut all, "edge-1", &[], &description(A, "urn:Press", &["nsu=urn:m;s=Speed"]));
    let entry = all.entry(1).expect("is there");
    let finds = |words: &[&str]| Words::new(&words.join(" ")).match_series(entry);
    assert!(finds(&["SPEED", "press"]) && finds(&[]) && finds(&["edge-1", "a:4840"]));
    assert!(!finds(&["speed", "pump"]));
}

#[test]
fn documents_come_back_as_they_were() {
    let mut all = SeriesDictionary::default();
    register(&mut all, "d", &[], &description(A, "urn:press", &["nsu=urn:m;s=x"]));
    let entry = all.entry(1).expect("is there");
    let json = serde_json::to_value(SeriesDocument::from(entry)).expect("is JSON");
    let read: SeriesDocument = serde_json::from_value(json).expect("reads");
    assert_eq!(read.into_entry(&mut HashSet::new()), *entry);
}
