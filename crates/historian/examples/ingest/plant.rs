//! The plant of the measurement: 10,000 series on 4 edges.

use crate::common::{Edge, VERSION, description};
use gemba_api::DeviceMessage;
use gemba_model::{DataSetSource, DateTime, Sample, SampleBatch, StatusCode, Value, WriterKey};
use gemba_testkit::{MemoryLog, Rng};
use std::collections::BTreeMap;

const SECOND: i64 = 10_000_000;
/// The first ten are fast.
const SERIES: u64 = 10_000;
const FIELDS: u16 = 100;
const WRITERS: u16 = 100;
const EDGES: u32 = 4;
/// Values that the edges collect together before each sends its part.
const BATCH: usize = 2_000;

pub(crate) struct Plant {
    rng: Rng,
    values: Vec<f64>,
    edges: Vec<Edge>,
    both: bool,
}

impl Plant {
    pub(crate) fn new(both: bool) -> Self {
        Self {
            rng: Rng::new(7),
            values: vec![50.0; SERIES as usize],
            edges: (0..EDGES).map(|index| Edge::new(format!("edge{index}"))).collect(),
            both,
        }
    }

    /// Midnight at the beginning of the first day.
    pub(crate) fn start(&self) -> DateTime {
        DateTime::from_date(2025, 10, 20).unwrap_or(DateTime::MIN)
    }

    pub(crate) fn announce(&mut self, log: &MemoryLog) {
        let now = self.start();
        for writer in 1..=WRITERS {
            let source = DataSetSource {
                endpoint_url: "opc.tcp://plant:4840".to_owned(),
                application_uri: String::new(),
            };
            let names = ("f", format!("w{writer}.f"));
            let description = description(writer, FIELDS.into(), source, (names.0, &names.1));
            let edge = u32::from(writer) % EDGES;
            if let Some(from) = self.edges.get_mut(edge as usize) {
                log.append(edge, from.announce(&description, now));
            }
        }
    }

    /// The messages of one day, in time order, with their partitions, and how many values they hold.
    pub(crate) fn day(&mut self, day: i64) -> (Vec<(u32, DeviceMessage)>, u64) {
        let mut due: Vec<(i64, u64)> = Vec::new();
        for series in 0..SERIES {
            let (period, phase) = if series < 10 { (10, 0) } else { (3_480, series as i64 * 7 % 3_480) };
            let first = day * 86_400 - phase;
            let start = first.div_euclid(period) + i64::from(first.rem_euclid(period) != 0);
            let times = (start..).map(|n| n * period + phase).take_while(|t| *t < (day + 1) * 86_400);
            due.extend(times.map(|time| (time, series)));
        }
        due.sort_unstable();
        let values = due.len() as u64;
        let mut messages = Vec::new();
        for part in due.chunks(BATCH) {
            let now = part.last().map_or(0, |(second, _)| *second);
            for edge in 0..EDGES {
                let mut batches: BTreeMap<u16, SampleBatch> = BTreeMap::new();
                for (second, series) in part.iter().filter(|(_, series)| edge_of(*series) == edge) {
                    let (writer, field) = place(*series);
                    let sample = self.sample(*series, field, *second);
                    let empty = || SampleBatch::new(WriterKey { group: 1, writer }, VERSION);
                    batches.entry(writer).or_insert_with(empty).samples.push(sample);
                }
                self.send(edge, &batches, now, &mut messages);
            }
        }
        (messages, values)
    }

    fn sample(&mut self, series: u64, field: u16, second: i64) -> Sample {
        let n = self.rng.number();
        let noise = (n >> 11) as f64 / (1_u64 << 53) as f64;
        let value = self.values.get_mut(series as usize).map_or(0.0, |value| {
            let step = noise * 2.0 - 1.0;
            *value = match series % 4 {
                0 => ((*value + step) * 100.0).round() / 100.0,
                1 => 50.0 + step,
                2 if n.is_multiple_of(50) => (noise * 10.0).round(),
                2 => *value,
                _ => ((*value + step) * 10.0).round() / 10.0,
            };
            *value
        });
        let jitter = if series.is_multiple_of(2) { self.rng.below(50) as i64 * 10_000 } else { 0 };
        let odd = if self.both { self.rng.below(10_000) as i64 } else { 0 };
        let time = self.start().saturating_add_ticks(second * SECOND + jitter + odd);
        let late = self.rng.below(50_000) as i64;
        Sample {
            field,
            status: if self.rng.one_in(1_000) { StatusCode(0x8005_0000) } else { StatusCode::GOOD },
            source_timestamp: Some(time),
            server_timestamp: self.both.then(|| time.saturating_add_ticks(late)),
            value: Value::Double(value),
            ..Sample::default()
        }
    }

    fn send(
        &mut self,
        edge: u32,
        batches: &BTreeMap<u16, SampleBatch>,
        second: i64,
        messages: &mut Vec<(u32, DeviceMessage)>,
    ) {
        let jitter = self.rng.below(50 * 10_000) as i64;
        let enqueued = self.start().saturating_add_ticks((second + 1) * SECOND + jitter);
        let Some(from) = self.edges.get_mut(edge as usize) else { return };
        messages.extend(from.data(batches.values(), enqueued).into_iter().map(|message| (edge, message)));
    }
}

/// Writer and field of a series.
const fn place(series: u64) -> (u16, u16) {
    (series as u16 / FIELDS + 1, series as u16 % FIELDS)
}

const fn edge_of(series: u64) -> u32 {
    place(series).0 as u32 % EDGES
}
