//! What the load servers cost: `serve SERVERS TAGS PERIOD_MS [PERSONALITIES]` prints endpoints, then CPU and memory;
//! `drain URL ITEMS PUBLISHING_MS SECONDS` in another process subscribes and counts what arrives.

// It is a tool for a terminal, and there is nobody to recover for.
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing)]

use futures_util::stream::{FuturesUnordered, StreamExt};
use gemba_base::Tasks;
use gemba_sim::load::{self, Kind, LoadOptions, TagGroup};
use gemba_sim::personality;
use opcua::client::services::{CreateMonitoredItems, CreateSubscription, Publish};
use opcua::client::{ClientBuilder, IdentityToken, Session, UARequest};
use opcua::types::{
    DataChangeNotification, MonitoredItemCreateRequest, MonitoringMode, MonitoringParameters, NodeId,
    ReadValueId, TimestampsToReturn,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Publish requests that are out at the same time.
const REQUESTS_OUT: usize = 6;
const ITEMS_PER_CALL: usize = 5000;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| -> u64 { arguments[index].parse().unwrap() };
    match arguments.first().map(String::as_str) {
        Some("serve") => {
            let personalities = arguments.get(4).map(String::as_str);
            serve(number(1) as usize, number(2) as u32, number(3), personalities).await;
        }
        Some("drain") => drain(&arguments[1], number(2) as u32, number(3), number(4)).await,
        _ => println!("serve SERVERS TAGS PERIOD_MS [PERSONALITIES] | drain URL ITEMS PUBLISHING_MS SECONDS"),
    }
}

async fn serve(servers: usize, tags: u32, period_ms: u64, personalities: Option<&str>) {
    let began = Instant::now();
    let group = TagGroup { tags, period: Duration::from_millis(period_ms) };
    let mut options = LoadOptions::new(servers, &[group], std::env::temp_dir().join("gemba-figures"));
    options.kind = Kind::Counter;
    options.personalities = personalities.map(|text| personality::parse(text).unwrap()).into_iter().collect();
    options.publishing_interval_min = Duration::from_millis(10);
    let empty = memory();
    let load = load::run(options, &Tasks::new("figures")).await.unwrap();
    for endpoint in &load.endpoints {
        println!("{}", endpoint.url);
    }
    println!("started in {:?}, {} MB, {} MB before", began.elapsed(), memory(), empty);
    let (mut cpu, mut written) = (cpu_seconds(), load.values_written());
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (cpu_now, written_now) = (cpu_seconds(), load.values_written());
        let millions = (written_now - written) as f64 / 1e6;
        println!(
            "{:.0} values/s, {:.3} CPU s per million written, {:.2} cores, {} MB, {} ticks skipped",
            millions * 1e6 / 5.0,
            (cpu_now - cpu) / millions,
            (cpu_now - cpu) / 5.0,
            memory(),
            load.ticks_skipped(),
        );
        (cpu, written) = (cpu_now, written_now);
    }
}

async fn drain(url: &str, items: u32, publishing_ms: u64, seconds: u64) {
    let session = connect(url).await;
    let began = Instant::now();
    let subscription = CreateSubscription::new(&session)
        .publishing_interval(Duration::from_millis(publishing_ms))
        .max_keep_alive_count(20)
        .max_lifetime_count(600)
        .send(session.channel())
        .await
        .unwrap()
        .subscription_id;
    let all: Vec<u32> = (1..=items).collect();
    for part in all.chunks(ITEMS_PER_CALL) {
        let requests = part.iter().map(|number| MonitoredItemCreateRequest {
            item_to_monitor: ReadValueId::from(NodeId::new(2, *number)),
            monitoring_mode: MonitoringMode::Reporting,
            requested_parameters: MonitoringParameters {
                client_handle: *number,
                sampling_interval: 0.0,
                queue_size: 10,
                discard_oldest: true,
                ..Default::default()
            },
        });
        let request = CreateMonitoredItems::new(subscription, &session)
            .timestamps_to_return(TimestampsToReturn::Both)
            .items_to_create(requests.collect());
        let created = request.send(session.channel()).await.unwrap();
        assert!(created.results.iter().all(|item| item.result.status_code.is_good()));
    }
    println!("{items} items subscribed in {:?}", began.elapsed());
    count(&session, subscription, Duration::from_secs(seconds)).await;
}

async fn count(session: &Arc<Session>, subscription: u32, length: Duration) {
    let mut out = FuturesUnordered::new();
    let publish = |acknowledged: Option<u32>| {
        let session = session.clone();
        async move {
            let mut request = Publish::new(&session).timeout(Duration::from_secs(60));
            if let Some(sequence) = acknowledged {
                request = request.ack(subscription, sequence);
            }
            request.send(session.channel()).await.unwrap()
        }
    };
    for _ in 0..REQUESTS_OUT {
        out.push(publish(None));
    }
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let (mut values, mut messages, mut overflows) = (0_u64, 0_u64, 0_u64);
    while began.elapsed() < length {
        let answer = out.next().await.unwrap();
        let message = answer.notification_message;
        let bodies = message.notification_data.unwrap_or_default();
        out.push(publish((!bodies.is_empty()).then_some(message.sequence_number)));
        messages += u64::from(!bodies.is_empty());
        for change in bodies.iter().filter_map(|body| body.inner_as::<DataChangeNotification>()) {
            for item in change.monitored_items.iter().flatten() {
                values += 1;
                overflows += u64::from(item.value.status().overflow());
            }
        }
    }
    let millions = values as f64 / 1e6;
    println!(
        "{:.0} values/s in {messages} messages, {overflows} overflows, client {:.3} CPU s per million",
        values as f64 / began.elapsed().as_secs_f64(),
        (cpu_seconds() - cpu) / millions,
    );
}

async fn connect(url: &str) -> Arc<Session> {
    let client = ClientBuilder::new()
        .application_name("gemba figures")
        .application_uri("urn:gemba:figures")
        .pki_dir(std::env::temp_dir().join("gemba-figures-client"))
        .session_retry_limit(0)
        .recreate_subscriptions(false)
        .request_timeout(Duration::from_secs(60))
        .max_array_length(10_000_000)
        .max_message_size(256 << 20)
        .max_chunk_count(100_000)
        .client()
        .unwrap();
    let endpoint = client.get_server_endpoints_from_url(url).await.unwrap().remove(0);
    let builder = client.session_builder().connect_to_endpoint_directly(endpoint).unwrap();
    let (session, event_loop) = builder
        .user_identity_token(IdentityToken::new_anonymous())
        .build(client.certificate_store().clone())
        .unwrap();
    event_loop.spawn();
    session.wait_for_connection().await;
    session
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // After the name in parentheses; fields 14 and 15 in hundredths of a second.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// Resident memory in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
