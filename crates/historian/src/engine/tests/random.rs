//! Random days in the life of a store.

use super::house::House;
use super::model::{Model, text};
use crate::testing::{TestEdge, at};
use gemba_api::log::properties;
use gemba_api::{DeviceMessage, StoredSample};
use gemba_model::{
    BuiltInType, DataSetMetaData, DateTime, Guid, LocalizedText, Sample, SampleBatch, StatusCode, Variant,
    WriterKey,
};
use gemba_testkit::Rng;

const DAY: i64 = 864_000_000_000;

fn variant(rng: &mut Rng) -> Variant {
    let n = rng.number();
    match rng.below(18) {
        0 => Variant::Null,
        1 => Variant::Boolean(n.is_multiple_of(2)),
        2 => Variant::SByte(n as i8),
        3 => Variant::Byte(n as u8),
        4 => Variant::Int16(n as i16),
        5 => Variant::UInt16(n as u16),
        6 => Variant::Int32(n as i32),
        7 => Variant::UInt32(n as u32),
        8 => Variant::Int64(n as i64),
        9 => Variant::UInt64(n),
        10 => Variant::Float(f32::from_bits(n as u32)),
        11 | 12 => Variant::Double([f64::NAN, f64::INFINITY, -0.0, 1.5][(n % 4) as usize]),
        13 => Variant::String([None, Some(String::new()), Some("größe".into())][(n % 3) as usize].clone()),
        14 => Variant::ByteString(Some(n.to_le_bytes().to_vec())),
        15 => Variant::Guid(Guid([n as u8; 16])),
        16 => Variant::LocalizedText(LocalizedText { locale: None, text: Some("t".into()) }),
        _ => Variant::Array {
            element: BuiltInType::Int32,
            values: (0..n % 4).map(|v| Variant::Int32(v as i32)).collect(),
            dimensions: vec![],
        },
    }
}

/// A time on one of three days, often one that was there before; rarely far outside.
fn time(rng: &mut Rng) -> Option<DateTime> {
    match rng.below(20) {
        0..=3 => None,
        4 => Some(DateTime::from_ticks([0, -1, i64::MAX - 1, i64::MAX, i64::MIN][rng.below(5) as usize])),
        5..=9 => Some(at(rng.below(4) as i64)),
        _ => Some(DateTime::from_ticks(at(0).ticks() + rng.below(3 * DAY as u64) as i64 - DAY)),
    }
}

fn batch(rng: &mut Rng, description: &DataSetMetaData) -> SampleBatch {
    let mut batch = SampleBatch::new(description.writer, description.version);
    for _ in 0..rng.below(12) + 1 {
        let value = if rng.one_in(2) { Variant::Double(rng.below(3) as f64) } else { variant(rng) };
        let value = batch.store(&value);
        let (source_timestamp, server_timestamp) = (time(rng), time(rng));
        batch.samples.push(Sample {
            field: rng.below(description.fields.len() as u64) as u16,
            source_picoseconds: if source_timestamp.is_some() && rng.one_in(4) { 9_999 } else { 0 },
            server_picoseconds: if server_timestamp.is_some() && rng.one_in(4) { 1 } else { 0 },
            status: StatusCode([0, 0x8005_0000, 0x4000_0000][rng.below(3) as usize]),
            source_timestamp,
            server_timestamp,
            value,
        });
    }
    batch
}

struct Plant {
    edges: Vec<TestEdge>,
    /// Current description of each edge and writer.
    descriptions: Vec<Vec<DataSetMetaData>>,
    sent: Vec<(usize, DeviceMessage, Option<SampleBatch>)>,
    model: Model,
}

impl Plant {
    fn new(house: &House) -> Self {
        let edges: Vec<TestEdge> = ["north", "south", "west"].map(TestEdge::new).into();
        let mut plant = Self { edges, descriptions: vec![], sent: vec![], model: Model::default() };
        for index in 0..plant.edges.len() {
            let writers =
                (1..3).map(|writer| plant.edges[index].description(WriterKey { group: 1, writer }, 1, 2));
            plant.descriptions.push(writers.collect());
            for writer in 0..2 {
                plant.announce(house, index, writer);
            }
        }
        plant
    }

    fn send(&mut self, house: &House, edge: usize, message: DeviceMessage, batch: Option<SampleBatch>) {
        let device = message.device.clone();
        let id = message.system_property(properties::MESSAGE_ID).expect("has an id").to_owned();
        let enqueued = message.enqueued;
        let offset = house.log.append(edge as u32 % 2, message.clone());
        self.model.take(&device, &id, offset, enqueued, batch.as_ref());
        self.sent.push((edge, message, batch));
    }

    fn announce(&mut self, house: &House, edge: usize, writer: usize) {
        let message = self.edges[edge].metadata(&self.descriptions[edge][writer]);
        self.send(house, edge, message, None);
    }

    fn act(&mut self, rng: &mut Rng, house: &House) {
        let edge = rng.below(3) as usize;
        let writer = rng.below(2) as usize;
        match rng.below(12) {
            0 => {
                let version = self.descriptions[edge][writer].version.major + 1;
                let key = self.descriptions[edge][writer].writer;
                let fields = rng.below(3) as usize + 2;
                self.descriptions[edge][writer] = self.edges[edge].description(key, version, fields);
                self.announce(house, edge, writer);
            }
            1 | 2 => {
                let again = rng.below(self.sent.len() as u64) as usize;
                let (edge, mut message, batch) = self.sent[again].clone();
                message.enqueued = self.edges[edge].now;
                self.send(house, edge, message, batch);
            }
            _ => {
                let description = self.descriptions[edge][writer].clone();
                let batch = batch(rng, &description);
                let message = self.edges[edge].data(&description, &batch);
                self.send(house, edge, message, Some(batch));
            }
        }
    }

    fn check(&self, house: &House, seed: u64, when: &str) {
        let ids: Vec<(u64, String)> = house.engine().with_state(|state| {
            state.series.after(0).map(|entry| (entry.id, entry.node.to_string())).collect()
        });
        for name in self.model.names() {
            let (id, _) = ids.iter().find(|(_, node)| node == name).expect("the series is known");
            let all = |descending| {
                let (from, to) = (DateTime::from_ticks(i64::MIN), DateTime::from_ticks(i64::MAX));
                house.read_range(*id, from, to, descending)
            };
            let shown = |samples: &[StoredSample]| samples.iter().map(text).collect::<Vec<_>>();
            let (up, mut down) = (all(false), all(true));
            down.reverse();
            assert_eq!(shown(&up), self.model.expected(name), "seed {seed}, {when}, {name}");
            assert_eq!(shown(&up), shown(&down), "seed {seed}, {when}, {name}, newest first");
            drop(house.buckets(*id, at(-86_400), at(2 * 86_400), 7));
            let last = house.engine().with_state(|state| state.last(*id).map(|row| row.time));
            assert_eq!(
                last,
                up.last().map(|sample| sample.time().ticks()),
                "seed {seed}, {when}, {name}, last"
            );
        }
        assert!(house.gaps().is_empty(), "seed {seed}, {when}: nothing is missing");
        for edge in &self.edges {
            let account = house.account(&edge.device);
            assert_eq!(account.messages, self.model.messages[&edge.device], "seed {seed}, {when}");
            let values = self.model.values.get(&edge.device).copied().unwrap_or(0);
            assert_eq!((account.received, account.stored), (values, values), "seed {seed}, {when}");
        }
    }
}

fn live(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut house = House::new();
    house.options.memtable_rows_max = 10 + rng.below(60) as usize;
    house.options.day_files_max = 2 + rng.below(3) as usize;
    house.reopen();
    let mut plant = Plant::new(&house);
    for _ in 0..60 {
        match rng.below(16) {
            0..=6 => plant.act(&mut rng, &house),
            7..=9 => drop(house.ingest()),
            10 => drop(house.engine().freeze()),
            11 | 12 => {
                if rng.one_in(3) {
                    house.disk.fail_write_after(rng.below(6_000));
                }
                drop(house.engine().flush_oldest());
            }
            13 => drop(house.engine().compact()),
            14 => house.reopen(),
            _ => {
                if rng.one_in(2) {
                    house.disk.cut_power_after_syncs(rng.below(8));
                    drop(house.engine().flush_all());
                }
                house.crash(rng.number());
            }
        }
    }
    house.disk.fail_write_after(u64::MAX);
    finish(&mut house);
    plant.check(&house, seed, "in memory and files");
    house.engine().flush_all().expect("flushes");
    plant.check(&house, seed, "in files");
    while house.engine().compact().expect("compacts") {}
    plant.check(&house, seed, "compacted");
    house.crash(seed);
    finish(&mut house);
    plant.check(&house, seed, "after a crash");
}

fn finish(house: &mut House) {
    while house.ingest() {
        house.engine().flush_oldest().expect("flushes");
    }
}

#[test]
fn whatever_happens_the_store_is_what_the_log_says() {
    let seeds = std::env::var("GEMBA_TEST_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(12);
    for seed in 0..seeds {
        live(seed);
    }
}
