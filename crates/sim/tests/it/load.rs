//! Load servers over OPC UA: every value can be recomputed.

use crate::peer::{Folder, Item, Peer, node, number};
use gemba_base::Tasks;
use gemba_model::DateTime;
use gemba_sim::load::{self, Kind, LoadOptions, RunningLoad, TagGroup, counter_at, expected, mixed};
use opcua::types::{DataValue, Variant};
use std::net::SocketAddr;
use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(20);

async fn load(servers: usize, tags: u32, kind: Kind, base_port: u16) -> (RunningLoad, Folder) {
    let folder = Folder::new();
    let mut options = LoadOptions::new(servers, &[TagGroup { tags, period: PERIOD }], &folder.0);
    options.kind = kind;
    options.base_port = base_port;
    options.publishing_interval_min = Duration::from_millis(10);
    (load::run(options, &Tasks::new("test")).await.unwrap(), folder)
}

fn instant(value: &DataValue) -> DateTime {
    DateTime::from_ticks(value.source_timestamp.unwrap().ticks())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_counter_value_is_the_expected_one_with_the_expected_timestamp() {
    const TAGS: u32 = 200;
    let (load, _folder) = load(2, TAGS, Kind::Counter, 0).await;
    for endpoint in &load.endpoints {
        let peer = Peer::connect(&endpoint.url).await;
        let subscription = peer.subscribe(Duration::from_millis(50), 3000).await;
        let items: Vec<Item> = (1..=TAGS).map(|number| Item::new(number, 1000)).collect();
        peer.watch(subscription, &items).await;
        let values = peer.collect(|values| values.len() >= 30 * TAGS as usize).await;
        for tag in 1..=TAGS {
            let of_tag: Vec<&DataValue> =
                values.iter().filter(|(of, _)| *of == tag).map(|(_, value)| value).collect();
            let (first, last) = (instant(of_tag[0]), instant(of_tag[of_tag.len() - 1]));
            let received: Vec<(DateTime, u64)> =
                of_tag.iter().map(|value| (instant(value), number(value))).collect();
            let wanted: Vec<(DateTime, u64)> =
                expected(first, last.saturating_add_ticks(1), PERIOD).collect();
            assert_eq!(received, wanted, "tag {tag} of {}", endpoint.name);
        }
        peer.close().await;
    }
    assert!(load.values_written() > 0);
    assert_eq!(load.ticks_skipped(), 0);
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counters_go_on_after_a_restart_on_the_same_port() {
    let (first, _folder) = load(1, 3, Kind::Counter, 0).await;
    let url = first.endpoints[0].url.clone();
    let peer = Peer::connect(&url).await;
    let before = peer.value(1).await;
    first.stop().await;
    peer.closed().await;
    let address: SocketAddr = url.trim_start_matches("opc.tcp://").trim_end_matches('/').parse().unwrap();
    let (second, _other) = load(1, 3, Kind::Counter, address.port()).await;
    assert_eq!(second.endpoints[0].url, url);
    let peer = Peer::connect(&url).await;
    let after = peer.value(1).await;
    assert!(number(&after) >= number(&before));
    assert_eq!(number(&after), counter_at(instant(&after), PERIOD));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mixed_tags_cover_every_type_and_change_together() {
    let (load, _folder) = load(1, mixed::SHAPES_COUNT, Kind::Mixed, 0).await;
    let peer = Peer::connect(&load.endpoints[0].url).await;
    let subscription = peer.subscribe(Duration::from_millis(50), 3000).await;
    let items: Vec<Item> = (1..=mixed::SHAPES_COUNT).map(|number| Item::new(number, 100)).collect();
    let created = peer.watch(subscription, &items).await;
    assert!(created.iter().all(|item| item.status_code.is_good()));
    let values = peer.collect(|values| values.len() >= 10 * items.len()).await;
    for (tag, value) in &values {
        assert!(value.value.is_some() && value.status().is_good(), "tag {tag}: {value:?}");
    }
    // The matrices keep their dimensions, the structure its type.
    let array = peer.value(30).await.value.unwrap();
    assert!(matches!(&array, Variant::Array(array) if array.dimensions == Some(vec![2, 3])), "{array:?}");
    let structure = peer.value(mixed::SHAPES_COUNT).await.value.unwrap();
    let Variant::ExtensionObject(structure) = structure else { panic!("{structure:?}") };
    assert_eq!(structure.binary_type_id().node_id, node(3_000_000_001));
    load.stop().await;
}
