//! A historian with a log, documents and a folder of its own.

use gemba_api::{EventLog, History, SampleQuery, StoredSample};
use gemba_base::Tasks;
use gemba_historian::{Historian, HistorianOptions};
use gemba_model::DateTime;
use gemba_testkit::{ManualClock, MemoryDocs, MemoryLog};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::testing::at;

/// Long enough for any machine; reached only when something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct House {
    pub(crate) folder: PathBuf,
    pub(crate) docs: MemoryDocs,
    pub(crate) log: MemoryLog,
    pub(crate) clock: ManualClock,
    pub(crate) options: HistorianOptions,
    tasks: Tasks,
    historian: Option<Arc<Historian>>,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("gemba-historian-{}", gemba_base::random::hex::<8>()));
        let mut house = Self {
            folder,
            docs: MemoryDocs::default(),
            log: MemoryLog::new(4),
            clock: ManualClock::new(at(0)),
            options: HistorianOptions::default(),
            tasks: Tasks::new("test"),
            historian: None,
        };
        house.start();
        house
    }

    pub(crate) fn start(&mut self) {
        self.tasks = Tasks::new("test");
        let started = Historian::start(
            Arc::new(self.log.clone()) as Arc<dyn EventLog>,
            Arc::new(self.docs.clone()),
            &self.folder.join("hist"),
            self.options.clone(),
            Arc::new(self.clock.clone()),
            &self.tasks,
        );
        self.historian = Some(started.expect("starts"));
    }

    pub(crate) fn historian(&self) -> &Arc<Historian> {
        self.historian.as_ref().expect("runs")
    }

    /// Waits until everything in the log was taken in.
    pub(crate) async fn caught_up(&self) {
        tokio::time::timeout(PATIENCE, self.historian().caught_up()).await.expect("catches up");
    }

    /// Waits for what the historian does by itself.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// Stops without writing anything.
    pub(crate) async fn kill(&mut self) {
        self.historian = None;
        assert!(self.tasks.drain(PATIENCE).await);
    }

    /// Stops in order.
    pub(crate) async fn stop(&mut self) {
        let historian = self.historian.take().expect("runs");
        assert!(historian.drain(PATIENCE).await);
    }

    pub(crate) fn samples(&self, series: u64, descending: bool) -> Vec<StoredSample> {
        let query = SampleQuery { series, from: at(-86_400), to: at(86_400), descending };
        self.query(&query)
    }

    pub(crate) fn query(&self, query: &SampleQuery) -> Vec<StoredSample> {
        let mut all = Vec::new();
        let read = self.historian().samples(query, &mut |chunk| {
            assert!(!chunk.is_empty() && chunk.len() <= 8_192);
            all.extend(chunk);
            ControlFlow::Continue(())
        });
        read.expect("reads");
        all
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.tasks.stop();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Seconds since [`at`]`(0)`.
pub(crate) fn seconds(time: DateTime) -> i64 {
    (time.ticks() - at(0).ticks()) / 10_000_000
}
