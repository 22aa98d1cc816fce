//! A store with everything around it, in memory.

use crate::day::TimeRange;
use crate::decoder::Decoder;
use crate::engine::Engine;
use crate::error::HistorianError;
use crate::file::read::Wanted;
use crate::options::HistorianOptions;
use crate::read::Scan;
use crate::read::buckets::Buckets;
use crate::testing::at;
use gemba_api::{Bucket, EventLog, GapEntry, GapQuery, StoredSample, WriterCompleteness};
use gemba_model::DateTime;
use gemba_testkit::{FaultyDisk, ManualClock, MemoryDocs, MemoryLog};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FOLDER: &str = "/data/hist";

pub(super) struct House {
    pub(super) disk: FaultyDisk,
    pub(super) docs: MemoryDocs,
    pub(super) log: MemoryLog,
    pub(super) clock: ManualClock,
    pub(super) options: HistorianOptions,
    engine: Option<Engine>,
}

impl House {
    pub(super) fn new() -> Self {
        let disk = FaultyDisk::new(1);
        gemba_base::disk::Disk::create_folder(&disk, Path::new(FOLDER)).expect("creates");
        let mut house = Self {
            disk,
            docs: MemoryDocs::default(),
            log: MemoryLog::new(2),
            clock: ManualClock::new(at(0)),
            options: HistorianOptions::default(),
            engine: None,
        };
        house.reopen();
        house
    }

    pub(super) fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("is open")
    }

    /// Drops the store without any farewell and opens it again.
    pub(super) fn reopen(&mut self) {
        self.try_reopen().expect("opens");
    }

    pub(super) fn try_reopen(&mut self) -> Result<(), HistorianError> {
        self.engine = None;
        let engine = Engine::open(
            Arc::new(self.disk.clone()),
            Path::new(FOLDER),
            Arc::new(self.docs.clone()),
            self.options.clone(),
            Arc::new(self.clock.clone()),
        )?;
        self.engine = Some(engine);
        Ok(())
    }

    /// The power goes; what survives depends on the seed.
    pub(super) fn crash(&mut self, seed: u64) {
        self.disk = self.disk.crash(seed);
        self.reopen();
    }

    /// Takes in what the log holds; true when memory became full before the end.
    pub(super) fn ingest(&mut self) -> bool {
        let mut decoder = Decoder::default();
        let mut full = false;
        for partition in 0..self.log.partitions() {
            let items = self.log.items(partition, self.engine().next_offset(partition));
            full |= self.engine().ingest(partition, &items, &mut decoder).expect("ingests").full;
        }
        full
    }

    pub(super) fn read(&self, series: u64) -> Vec<StoredSample> {
        self.read_range(series, at(-86_400), at(86_400), false)
    }

    pub(super) fn read_range(
        &self,
        series: u64,
        from: DateTime,
        to: DateTime,
        descending: bool,
    ) -> Vec<StoredSample> {
        self.try_read(series, from, to, descending).expect("the disk gives every file")
    }

    /// The same, with what the disk says.
    pub(super) fn try_read(
        &self,
        series: u64,
        from: DateTime,
        to: DateTime,
        descending: bool,
    ) -> crate::error::Result<Vec<StoredSample>> {
        let wanted = Wanted { series, range: TimeRange::new(from.ticks(), to.ticks()) };
        let mut samples = Vec::new();
        let read = self.engine().scan(Scan { wanted, descending }, &mut |row| {
            samples.push(row.stored());
            ControlFlow::Continue(())
        });
        read.map(|()| samples)
    }

    /// Buckets as columns give them, which must be those of the rows.
    pub(super) fn buckets(&self, series: u64, from: DateTime, to: DateTime, count: u32) -> Vec<Bucket> {
        let wanted = Wanted { series, range: TimeRange::new(from.ticks(), to.ticks()) };
        let empty = || Buckets::new(from.ticks(), to.ticks(), count);
        let (mut by_columns, mut by_rows) = (empty(), empty());
        self.engine().aggregate(wanted, &mut by_columns).expect("the disk gives every file");
        let rows = self.engine().scan(Scan { wanted, descending: false }, &mut |row| {
            by_rows.push(&row);
            ControlFlow::Continue(())
        });
        rows.expect("the disk gives every file");
        let (by_columns, by_rows) = (by_columns.finish(), by_rows.finish());
        assert_eq!(format!("{by_columns:?}"), format!("{by_rows:?}"));
        by_columns
    }

    /// All gaps, newest first.
    pub(super) fn gaps(&self) -> Vec<GapEntry> {
        let query = GapQuery { limit: 10_000, ..GapQuery::default() };
        self.engine().with_state(|state| state.ledger().query(&query)).expect("a page").items
    }

    /// The newest account of a device.
    pub(super) fn account(&self, device: &str) -> WriterCompleteness {
        let all = self.engine().with_state(|state| state.producers().completeness());
        all.into_iter().rfind(|account| account.device == device).expect("has an account")
    }

    pub(super) fn sample_paths(&self) -> Vec<PathBuf> {
        let is_sample = |path: &PathBuf| {
            path.extension().is_some_and(|e| e == "parquet") && path.to_string_lossy().contains("/samples/")
        };
        self.disk.paths().into_iter().filter(is_sample).collect()
    }

    /// All manifests and their copies, oldest first.
    pub(super) fn manifest_paths(&self) -> Vec<PathBuf> {
        let number = |path: &PathBuf| -> Option<u64> {
            let name = path.file_name()?.to_str()?;
            name.split('.').next().filter(|_| name.ends_with(".json"))?.parse().ok()
        };
        let mut paths: Vec<PathBuf> =
            self.disk.paths().into_iter().filter(|path| number(path).is_some()).collect();
        paths.sort_by_key(number);
        paths
    }

    /// The file of the manifest in force.
    pub(super) fn manifest_path(&self) -> PathBuf {
        let folder = Path::new(FOLDER).join("v1/_manifest");
        let current = self.disk.contents(&folder.join("CURRENT")).expect("is there");
        folder.join(format!("{}.json", String::from_utf8_lossy(&current).trim()))
    }
}
