//! A server that gets a new certificate while values flow, and a client that loses none of them.

use crate::peer::{Folder, PATIENCE};
use futures_util::future::BoxFuture;
use gemba_base::Tasks;
use gemba_model::Value;
use gemba_sim::load::{self, LoadOptions, RunningLoad, TagGroup};
use gemba_sim::personality;
use gemba_ua::client::trust::{Application, TrustOptions};
use gemba_ua::client::{
    Delivery, DeliverySink, ItemSpec, Security, SecurityMode, SessionEvent, SessionOptions, SinkError,
    SubscribedSession, SubscriptionSpec, TrustStore,
};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::timeout;

/// Values of the one item, in the order in which they came.
#[derive(Default)]
struct Values(Mutex<Vec<u64>>);

impl Values {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    async fn more_than(&self, count: usize) {
        let more = async {
            while self.count() <= count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, more).await.expect("values flow");
    }
}

impl DeliverySink for Values {
    fn deliver(&self, delivery: Delivery) -> BoxFuture<'static, Result<(), SinkError>> {
        assert!(delivery.gap.is_none(), "{:?}", delivery.gap);
        let samples = delivery.notifications.iter().flat_map(|notification| &notification.change.samples);
        let numbers = samples.map(|sample| match sample.value {
            Value::UInt64(number) => number,
            ref other => panic!("a count is no {other:?}"),
        });
        self.0.lock().unwrap().extend(numbers);
        Box::pin(std::future::ready(Ok(())))
    }

    fn event(&self, _: SessionEvent) {}
}

async fn renewing(seconds: u64) -> (RunningLoad, Folder) {
    let folder = Folder::new();
    let group = TagGroup { tags: 1, period: Duration::from_millis(20) };
    let mut options = LoadOptions::new(1, &[group], &folder.0);
    options.personalities = vec![personality::parse(&format!("new-certificate={seconds}")).unwrap()];
    (load::run(options, &Tasks::new("test")).await.unwrap(), folder)
}

fn strict(folder: &Path) -> Arc<TrustStore> {
    let application = Application {
        uri: "urn:test:client".into(),
        name: "client".into(),
        host_names: Vec::new(),
        addresses: Vec::new(),
    };
    TrustStore::open(folder, &application, TrustOptions::default()).unwrap()
}

fn client(url: &str, folder: &Path, sink: Arc<Values>, tasks: &Tasks) -> SubscribedSession {
    let mut options = SessionOptions::new(url.to_owned(), strict(&folder.join("pki")), folder.join("run"));
    options.security = Security::mode(SecurityMode::SignAndEncrypt);
    let item = ItemSpec {
        handle: 1,
        node: "ns=2;i=1".parse().unwrap(),
        attribute: 13,
        sampling_interval: Duration::ZERO,
        queue_size: 5000,
        discard_oldest: true,
    };
    let spec = SubscriptionSpec {
        name: "all".to_owned(),
        publishing_interval: Duration::from_millis(100),
        items: vec![Arc::new(item)],
        max_items: 1000,
    };
    SubscribedSession::start(options, vec![spec], HashMap::new(), sink, tasks).unwrap()
}

/// Waits until the server's certificate is refused, and trusts it as an operator does.
async fn trust_what_is_refused(session: &SubscribedSession, folder: &Path) {
    let is_refused = || session.status().error.is_some_and(|error| error.starts_with("GMB-UA-020"));
    let refused = async {
        while !is_refused() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE * 2, refused).await.expect("an unknown certificate is refused");
    let pki = folder.join("pki");
    for copy in fs::read_dir(pki.join("rejected/certs")).unwrap().flatten() {
        fs::rename(copy.path(), pki.join("trusted/certs").join(copy.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_new_certificate_waits_for_trust_and_then_nothing_is_missing() {
    // On a slow machine the replacement may come before the first values: then it gets more time.
    for seconds in [4, 12, 36] {
        let (load, _pki) = renewing(seconds).await;
        let (folder, sink, tasks) = (Folder::new(), Arc::new(Values::default()), Tasks::new("test"));
        fs::create_dir_all(&folder.0).unwrap();
        let session = client(&load.endpoints[0].url, &folder.0, sink.clone(), &tasks);
        trust_what_is_refused(&session, &folder.0).await;
        sink.more_than(10).await;
        let is_in_time = session.status().error.is_none();
        trust_what_is_refused(&session, &folder.0).await;
        sink.more_than(sink.count() + 10).await;
        let creations = session.status().counters.creations;
        let skipped = load.ticks_skipped();
        assert!(session.stop(true, PATIENCE).await);
        load.stop().await;
        if !is_in_time || skipped > 0 {
            continue;
        }
        let values = sink.0.lock().unwrap().clone();
        let holes: Vec<_> = values.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
        assert_eq!((holes.len(), creations), (0, 1), "{holes:?}");
        return;
    }
    panic!("no first value came before the certificate was replaced, or the plant itself stood still");
}
