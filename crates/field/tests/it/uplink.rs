//! An uplink that takes everything and keeps the newest report.

use gemba_api::{BoxFuture, Delivery, StageReport, Uplink, UplinkError};
use gemba_model::DataSetMetaData;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

pub(crate) struct Reports(watch::Sender<Option<StageReport>>);

impl Reports {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(watch::channel(None).0))
    }

    /// Waits for a report that is as wanted; shows the last one when it takes too long.
    pub(crate) async fn until<T>(&self, what: &str, wanted: impl Fn(&StageReport) -> Option<T>) -> T {
        let mut reports = self.0.subscribe();
        let waiting = async {
            loop {
                if let Some(found) = reports.borrow_and_update().as_ref().and_then(&wanted) {
                    return found;
                }
                reports.changed().await.expect("the publisher lives");
            }
        };
        match tokio::time::timeout(Duration::from_secs(60), waiting).await {
            Ok(found) => found,
            Err(_) => panic!("waited in vain until {what}: {:#?}", self.0.borrow()),
        }
    }
}

impl Uplink for Reports {
    fn announce(&self, _: Arc<DataSetMetaData>) -> BoxFuture<'static, Result<(), UplinkError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn publish(&self, _: Delivery) -> BoxFuture<'static, Result<(), UplinkError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn cursors(&self) -> HashMap<String, Vec<u8>> {
        HashMap::new()
    }
    fn announced(&self) -> Vec<Arc<DataSetMetaData>> {
        Vec::new()
    }
    fn report(&self, report: StageReport) {
        self.0.send_replace(Some(report));
    }
}
