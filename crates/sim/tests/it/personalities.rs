//! Personalities that other people's clients would hide: seen by a client that hides nothing.

use crate::peer::{Folder, Item, PATIENCE, Peer, node, number};
use gemba_base::Tasks;
use gemba_sim::load::{self, LoadOptions, RunningLoad, TagGroup};
use gemba_sim::personality::{self, TWIN};
use gemba_ua::server::EndpointSecurity;
use opcua::client::ClientBuilder;
use opcua::types::{AttributeId, ReadValueId, TimestampsToReturn};
use std::time::{Duration, Instant};
use tokio::time::timeout;

const PERIOD: Duration = Duration::from_millis(20);

async fn load(servers: usize, personalities: &[&str]) -> (RunningLoad, Folder) {
    let folder = Folder::new();
    let mut options = LoadOptions::new(servers, &[TagGroup { tags: 20, period: PERIOD }], &folder.0);
    options.publishing_interval_min = Duration::from_millis(10);
    options.personalities = personalities.iter().map(|text| personality::parse(text).unwrap()).collect();
    (load::run(options, &Tasks::new("test")).await.unwrap(), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_publish_request_sends_the_first_one_away() {
    let (load, _folder) = load(1, &["few-publishes"]).await;
    let peer = Peer::connect(&load.endpoints[0].url).await;
    // A cycle that does not end while this test runs keeps the requests waiting.
    peer.subscribe(Duration::from_secs(3000), 3000).await;
    let (first, second, third) = (peer.publish(None), peer.publish(None), peer.publish(None));
    let refused = async {
        tokio::pin!(first, second, third);
        tokio::select! {
            // They are sent in this order.
            biased;
            answer = &mut first => answer.unwrap_err().status().to_string(),
            _ = &mut second => "the second was answered".to_owned(),
            _ = &mut third => "the third was answered".to_owned(),
        }
    };
    assert_eq!(timeout(PATIENCE, refused).await.unwrap(), "BadTooManyPublishRequests");
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_take_personalities_in_turn() {
    let (load, _folder) = load(3, &["twins+no-timestamps", "slow=0.01"]).await;
    for (endpoint, twins) in load.endpoints.iter().zip([true, false, true]) {
        let peer = Peer::connect(&endpoint.url).await;
        let subscription = peer.subscribe(Duration::from_millis(50), 3000).await;
        peer.watch(subscription, &[Item::new(1, 100)]).await;
        let values = peer.collect(|values| values.len() >= 9).await;
        let twin = values.iter().any(|(_, value)| number(value) >= TWIN);
        let timeless = values.iter().all(|(_, value)| value.source_timestamp.is_none());
        assert_eq!((twin, timeless), (twins, twins), "{}", endpoint.name);
        peer.close().await;
    }
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_liar_leaves_results_out_and_numbers_messages_with_holes() {
    let (load, _folder) = load(1, &["liar"]).await;
    let peer = Peer::connect(&load.endpoints[0].url).await;
    let wanted = [1, 2, 3].map(|tag| ReadValueId::from(node(tag)));
    let answer = peer.session.read(&wanted, TimestampsToReturn::Both, 0.0).await;
    assert_eq!(answer.unwrap().len(), 2);
    let subscription = peer.subscribe(Duration::from_millis(20), 3000).await;
    let items = [Item::new(1, 100), Item::new(2, 100)];
    let short = peer.try_watch(subscription, &items).await.unwrap_err();
    assert!(short.to_string().contains("Got 1, expected 2"), "{short}");
    let (mut numbers, mut strangers, mut unreadable) = (Vec::new(), 0, 0);
    let done = async {
        while numbers.len() + unreadable < 16 {
            let Ok(answer) = peer.publish(None).await else {
                unreadable += 1;
                continue;
            };
            let message = answer.notification_message;
            for body in message.notification_data.iter().flatten() {
                match body.inner_as::<opcua::types::DataChangeNotification>() {
                    Some(change) => {
                        numbers.push(message.sequence_number);
                        let items = change.monitored_items.iter().flatten();
                        strangers += items.filter(|item| item.client_handle == 0xDEAD_BEEF).count();
                    }
                    None => unreadable += 1,
                }
            }
        }
    };
    timeout(PATIENCE, done).await.expect("messages come");
    assert!(numbers.windows(2).any(|pair| pair[1] == pair[0] + 3), "{numbers:?}");
    assert!(strangers > 0);
    assert!(unreadable > 0, "one announces more values than it has");
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_is_more_than_a_client_takes() {
    let (load, _folder) = load(1, &["endless-chunks"]).await;
    let peer = Peer::connect(&load.endpoints[0].url).await;
    // Everything but values of tags is answered as ever.
    let name = peer.read(node(1), AttributeId::BrowseName).await;
    assert!(name.status().is_good());
    let wanted = [ReadValueId::from(node(1))];
    let read = peer.session.read(&wanted, TimestampsToReturn::Both, 0.0);
    let answer = timeout(PATIENCE, read).await.expect("the client gives up by itself");
    assert!(answer.is_err(), "{answer:?}");
    load.stop().await;
}

async fn certificate(url: &str) -> Option<Vec<u8>> {
    let folder = Folder::new();
    let client = ClientBuilder::new()
        .application_name("gemba test peer")
        .application_uri("urn:gemba:test:peer")
        .pki_dir(&folder.0)
        .session_retry_limit(0)
        .client()
        .unwrap();
    let endpoints = client.get_server_endpoints_from_url(url).await.ok()?;
    endpoints.into_iter().next()?.server_certificate.value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_and_connections_are_cut() {
    // On a slow machine the replacement may come before the client: then it gets more time.
    let mut seconds = 4;
    let (load, _folder, peer, before) = loop {
        let began = Instant::now();
        let (load, folder) = load(1, &[&format!("new-certificate={seconds}")]).await;
        let endpoint = load.endpoints[0].clone();
        assert_eq!(endpoint.security, EndpointSecurity::Aes256Sha256RsaPssSignAndEncrypt);
        let peer = Peer::try_connect(&endpoint.url, "Basic256Sha256", None).await;
        let before = certificate(&endpoint.url).await;
        match peer {
            Ok(peer) if began.elapsed() < Duration::from_secs(seconds) => break (load, folder, peer, before),
            _ => load.stop().await,
        }
        seconds *= 2;
        assert!(seconds < 20, "no client comes in");
    };
    let url = load.endpoints[0].url.as_str();
    peer.closed().await;
    let after = async {
        loop {
            let after = certificate(url).await;
            if after.is_some() && after != before {
                return;
            }
        }
    };
    timeout(PATIENCE, after).await.expect("there is another certificate");
    let again = Peer::try_connect(url, "Basic256Sha256", None).await.unwrap();
    assert!(again.value(1).await.status().is_good());
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_is_what_it_says() {
    let (load, _folder) = load(1, &["expired-certificate"]).await;
    let der = certificate(&load.endpoints[0].url).await.unwrap();
    let parsed = opcua::crypto::X509::from_der(&der).unwrap();
    let now = opcua::types::DateTime::now().as_chrono();
    assert!(parsed.not_after().unwrap() < now);
    load.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_survive_the_sessions_that_are_dropped() {
    let (load, _folder) = load(1, &["drops-sessions=4"]).await;
    let url = load.endpoints[0].url.as_str();
    let first = Peer::connect(url).await;
    let subscription = first.subscribe(Duration::from_millis(20), 30_000).await;
    first.watch(subscription, &[Item::new(1, 10_000)]).await;
    let mut values: Vec<u64> = Vec::new();
    let mut acknowledge = None;
    let status = loop {
        match timeout(PATIENCE, first.publish(acknowledge.take())).await.unwrap() {
            Ok(answer) => {
                let changes = crate::peer::data_changes(&answer);
                values.extend(changes.iter().map(|(_, value)| number(value)));
                acknowledge = Some((subscription, answer.notification_message.sequence_number));
            }
            Err(error) => break error.status().to_string(),
        }
    };
    assert!(["BadSessionClosed", "BadSessionIdInvalid"].contains(&status.as_str()), "{status}");
    first.kill().await;
    let second = Peer::connect(url).await;
    let transferred = second.transfer(subscription).await;
    assert_eq!(transferred.0, "Good");
    // What was sent and not acknowledged is asked for again.
    for sequence in transferred.1 {
        let again = second.republish(subscription, sequence).await;
        let known = values.last().copied().unwrap_or(0);
        values.extend(again.iter().map(|(_, value)| number(value)).filter(|value| *value > known));
    }
    let rest = second.collect(|values| values.len() >= 5).await;
    values.extend(rest.iter().map(|(_, value)| number(value)));
    let first = values[0];
    assert_eq!(values, (first..first + values.len() as u64).collect::<Vec<_>>());
    load.stop().await;
}
