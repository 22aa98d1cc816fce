//! The demonstration factory over OPC UA.

use crate::peer::{Folder, Item, Peer, node, number};
use gemba_base::Tasks;
use gemba_sim::factory::{self, DEMO_CLOCK_FACTOR, FactoryOptions, RunningFactory};
use opcua::types::{AttributeId, CallMethodRequest, DataValue, Variant, WriteValue};
use std::time::Duration;

const STATUS: u32 = 400;

async fn factory(adjust: impl FnOnce(&mut FactoryOptions)) -> (RunningFactory, Folder) {
    let folder = Folder::new();
    let mut options = FactoryOptions::new(&folder.0);
    options.lines = 1;
    options.clock_factor = DEMO_CLOCK_FACTOR;
    adjust(&mut options);
    (factory::run(options, &Tasks::new("test")).await.unwrap(), folder)
}

fn status(value: &DataValue) -> i32 {
    match value.value {
        Some(Variant::Int32(status)) => status,
        ref other => panic!("{other:?} is no status"),
    }
}

async fn call(peer: &Peer, method: u32, inputs: Vec<Variant>) -> String {
    let request =
        CallMethodRequest { object_id: node(424), method_id: node(method), input_arguments: Some(inputs) };
    peer.session.call_one(request).await.unwrap().status_code.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_station_works_through_its_states_in_order_and_makes_pieces() {
    let (factory, _folder) = factory(|options| options.lines = 2).await;
    assert_eq!(factory.endpoints.len(), 6);
    let names: Vec<&str> = factory.endpoints.iter().map(|endpoint| endpoint.name.as_str()).take(3).collect();
    assert_eq!(names, ["Brake pads Assembly", "Brake pads Test", "Brake pads Packaging"]);
    for endpoint in &factory.endpoints {
        let peer = Peer::connect(&endpoint.url).await;
        let subscription = peer.subscribe(Duration::from_millis(50), 3000).await;
        peer.watch(subscription, &[Item::new(STATUS, 1000), Item::new(385, 1000)]).await;
        let made = |values: &[(u32, DataValue)]| {
            values.iter().any(|(of, value)| *of == 2 && number(value) > 0)
                && [1, 2]
                    .iter()
                    .all(|wanted| values.iter().any(|(of, value)| *of == 1 && status(value) == *wanted))
        };
        let values = peer.collect(made).await;
        let statuses: Vec<i32> =
            values.iter().filter(|(of, _)| *of == 1).map(|(_, value)| status(value)).collect();
        // 0 Ready, 1 WorkInProgress, then 2 Done, 3 Discarded or 4 Fault, then 0 again.
        for pair in statuses.windows(2) {
            let allowed = matches!((pair[0], pair[1]), (0, 1) | (1, 2..=4) | (2..=4, 0));
            assert!(allowed, "{}: {statuses:?}", endpoint.name);
        }
        peer.close().await;
    }
    factory.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_station_without_a_mes_does_what_its_methods_say() {
    let (factory, _folder) = factory(|options| options.mes = false).await;
    let peer = Peer::connect(&factory.endpoints[0].url).await;
    assert_eq!(call(&peer, 425, vec![]).await, "Good");
    assert_eq!(call(&peer, 426, vec![Variant::UInt64(4711)]).await, "Good");
    assert_eq!(call(&peer, 426, vec![Variant::UInt64(4712)]).await, "BadInvalidState");
    assert_eq!(call(&peer, 426, vec![]).await, "BadArgumentsMissing");
    assert_eq!(call(&peer, 435, vec![]).await, "Good");
    let subscription = peer.subscribe(Duration::from_millis(50), 3000).await;
    peer.watch(subscription, &[Item::new(STATUS, 100)]).await;
    peer.collect(|values| values.iter().any(|(_, value)| status(value) >= 2)).await;
    assert_eq!(number(&peer.value(379).await), 4711);
    assert!(number(&peer.value(418).await) >= 6000, "the ideal cycle is six seconds");
    factory.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ideal_cycle_time_can_be_written_down_to_half_of_it() {
    let (factory, _folder) = factory(|_| {}).await;
    let peer = Peer::connect(&factory.endpoints[0].url).await;
    for (wanted, set) in [(4000, 4000), (10, 3000), (9000, 9000)] {
        let request = WriteValue {
            node_id: node(412),
            attribute_id: AttributeId::Value as u32,
            index_range: Default::default(),
            value: DataValue::value_only(Variant::UInt64(wanted)),
        };
        assert!(peer.session.write(&[request]).await.unwrap()[0].is_good());
        assert_eq!(number(&peer.value(412).await), set);
    }
    factory.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overall_running_time_follows_the_clock() {
    let (factory, _folder) = factory(|options| options.clock_factor = 1000.0).await;
    let peer = Peer::connect(&factory.endpoints[2].url).await;
    let subscription = peer.subscribe(Duration::from_millis(50), 3000).await;
    peer.watch(subscription, &[Item::new(398, 100)]).await;
    let values = peer.collect(|values| values.len() >= 3).await;
    let times: Vec<u64> = values.iter().map(|(_, value)| number(value)).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    // A thousand virtual seconds apart are one real second apart.
    let [.., (_, before), (_, last)] = values.as_slice() else { panic!("{values:?}") };
    let real = last.source_timestamp.unwrap().ticks() - before.source_timestamp.unwrap().ticks();
    assert_eq!(number(last) - number(before), 1_000_000);
    assert!((real - 10_000_000).abs() <= 10, "{real} ticks");
    factory.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_nodes_name_every_signal_of_every_station() {
    let (factory, _folder) = factory(|_| {}).await;
    let document = factory.published_nodes();
    let writers = document.as_array().unwrap();
    assert_eq!(writers.len(), 3);
    for (writer, endpoint) in writers.iter().zip(&factory.endpoints) {
        assert_eq!(writer["EndpointUrl"], endpoint.url);
        let peer = Peer::connect(&endpoint.url).await;
        let namespaces =
            peer.read(opcua::types::NodeId::new(0, 2255), AttributeId::Value).await.value.unwrap();
        let Variant::Array(namespaces) = namespaces else { panic!("{namespaces:?}") };
        let namespace = namespaces.values[2].to_string();
        for published in writer["OpcNodes"].as_array().unwrap() {
            let id = published["Id"].as_str().unwrap();
            let number = id.strip_prefix(&format!("nsu={namespace};i=")).unwrap().parse().unwrap();
            assert!(peer.value(number).await.status().is_good(), "{id}");
        }
        assert_eq!(writer["OpcNodes"].as_array().unwrap().len(), 10);
        peer.close().await;
    }
    factory.stop().await;
}
