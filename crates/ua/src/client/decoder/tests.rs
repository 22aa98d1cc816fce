use super::*;
use gemba_model::variant::ExtensionBody;
use gemba_model::{
    BuiltInType, ExpandedNodeId, ExtensionObject, Guid, LocalizedText, NodeId, QualifiedName, binary,
};

/// Repeatable randomness.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    /// What the stock type can hold: the years 1601 to 9999.
    fn time(&mut self) -> DateTime {
        DateTime::from_ticks(1 + (self.next() % 2_600_000_000_000_000_000) as i64)
    }
    fn text(&mut self) -> Option<String> {
        match self.below(4) {
            0 => None,
            1 => Some(String::new()),
            n => Some("Größe 7 ".repeat(n as usize)),
        }
    }
    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(20)).map(|n| n as u8).collect()
    }
    fn node(&mut self) -> NodeId {
        let namespace = self.below(400) as u16;
        match self.below(4) {
            0 => NodeId::numeric(namespace, self.next() as u32),
            1 => NodeId::numeric(0, self.below(300) as u32),
            2 => NodeId { namespace, identifier: gemba_model::Identifier::Opaque([1, 2].into()) },
            _ => NodeId::string(namespace, "s"),
        }
    }

    fn scalar(&mut self, element: BuiltInType) -> Variant {
        use BuiltInType as T;
        match element {
            T::Boolean => Variant::Boolean(self.below(2) == 1),
            T::SByte => Variant::SByte(self.next() as i8),
            T::Byte => Variant::Byte(self.next() as u8),
            T::Int16 => Variant::Int16(self.next() as i16),
            T::UInt16 => Variant::UInt16(self.next() as u16),
            T::Int32 => Variant::Int32(self.next() as i32),
            T::UInt32 => Variant::UInt32(self.next() as u32),
            T::Int64 => Variant::Int64(self.next() as i64 - (1 << 40)),
            T::UInt64 => Variant::UInt64(u64::MAX - self.next()),
            T::Float => Variant::Float(self.next() as f32 / 3.0),
            T::Double => Variant::Double(self.next() as f64 / 7.0),
            T::String => Variant::String(self.text()),
            T::DateTime => Variant::DateTime(self.time()),
            T::Guid => Variant::Guid(Guid(std::array::from_fn(|_| self.next() as u8))),
            T::ByteString => Variant::ByteString((self.below(3) > 0).then(|| self.bytes())),
            T::XmlElement => Variant::XmlElement(self.text()),
            T::NodeId => Variant::NodeId(self.node()),
            T::ExpandedNodeId => Variant::ExpandedNodeId(match self.below(2) {
                0 => ExpandedNodeId::from(self.node()),
                _ => "svr=2;nsu=urn:a;s=b".parse().expect("parses"),
            }),
            T::StatusCode => Variant::StatusCode(StatusCode(self.next() as u32)),
            T::QualifiedName => {
                Variant::QualifiedName(QualifiedName { namespace: self.next() as u16, name: self.text() })
            }
            T::LocalizedText => {
                // A part that is there and null is one that the stock type does not tell from an absent one.
                Variant::LocalizedText(LocalizedText { locale: Some("de".into()), text: Some("x".into()) })
            }
            T::ExtensionObject => Variant::ExtensionObject(ExtensionObject {
                type_id: NodeId::numeric(3, 5001),
                body: ExtensionBody::Binary(vec![1, 2, self.next() as u8]),
            }),
            T::DataValue => Variant::DataValue(vec![0x05, 6, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 1]),
            T::Variant => Variant::Variant(Box::new(Variant::UInt16(self.next() as u16))),
            T::DiagnosticInfo => Variant::DiagnosticInfo(vec![0x01, 5, 0, 0, 0]),
        }
    }

    fn variant(&mut self) -> Variant {
        if self.below(20) == 0 {
            return Variant::Null;
        }
        let element = BuiltInType::ALL[self.below(25) as usize];
        // A Variant in a Variant is legal in arrays alone, and the stock stack reads no DiagnosticInfo arrays well.
        let array = element == BuiltInType::Variant || self.below(4) == 0;
        if !array {
            return self.scalar(element);
        }
        let dimensions = if self.below(2) == 0 { vec![2, 2] } else { Vec::new() };
        Variant::Array { element, values: (0..4).map(|_| self.scalar(element)).collect(), dimensions }
    }

    /// A DataChangeNotification, and what must come out of it.
    fn notification(&mut self) -> (Vec<u8>, Vec<(u32, Variant, Sample)>) {
        let count = self.below(6);
        let mut body = (count as i32).to_le_bytes().to_vec();
        let mut expected = Vec::new();
        for _ in 0..count {
            let handle = self.next() as u32;
            let mask = self.below(64) as u8;
            let mut sample = Sample::default();
            let mut value = Variant::Null;
            body.extend(handle.to_le_bytes());
            body.push(mask);
            if mask & 1 != 0 {
                value = self.variant();
                binary::encode_variant(&value, &mut body);
            }
            if mask & 2 != 0 {
                sample.status = StatusCode(self.next() as u32);
                body.extend(sample.status.0.to_le_bytes());
            }
            let pairs = [
                (4, 16, &mut sample.source_timestamp, &mut sample.source_picoseconds),
                (8, 32, &mut sample.server_timestamp, &mut sample.server_picoseconds),
            ];
            for (time_bit, picoseconds_bit, time, picoseconds) in pairs {
                if mask & time_bit != 0 {
                    let now = self.time();
                    *time = Some(now);
                    body.extend(now.ticks().to_le_bytes());
                }
                if mask & picoseconds_bit != 0 {
                    let found = self.below(10_000) as u16;
                    // Without its timestamp it means nothing.
                    *picoseconds = if mask & time_bit != 0 { found } else { 0 };
                    body.extend(found.to_le_bytes());
                }
            }
            expected.push((handle, value, sample));
        }
        body.extend((-1_i32).to_le_bytes());
        (body, expected)
    }
}

/// What a change says, with its values owned.
fn shown(change: &DataChange) -> Vec<(u32, Variant, Sample)> {
    let pairs = change.handles.iter().zip(&change.samples);
    pairs
        .map(|(handle, sample)| {
            let value = change.variant(sample.value).expect("a value");
            (*handle, value, Sample { value: Value::Null, ..*sample })
        })
        .collect()
}

fn stock(body: &[u8]) -> DataChange {
    let context = stack::ContextOwned::default();
    let context = context.context();
    let read =
        stack::DataChangeNotification::decode(&mut &*body, &context).expect("the stock stack reads it");
    DataChange::from_stock(read.monitored_items.unwrap_or_default(), &context).expect("converted")
}

#[test]
fn our_decoder_reads_every_notification_as_it_was_written() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let (body, expected) = random.notification();
        let change = DataChange::parse(&body).expect("parses");
        assert_eq!(shown(&change), expected);
    }
}

#[test]
fn our_decoder_and_the_stock_stack_agree_on_every_notification() {
    let mut random = Random(2);
    for _ in 0..5_000 {
        let (body, _) = random.notification();
        let ours = DataChange::parse(&body).expect("parses");
        assert_eq!(shown(&ours), shown(&stock(&body)));
    }
}

#[test]
fn ticks_survive_whatever_they_are() {
    for ticks in [1, 133_000_000_000_000_001, -7, i64::MIN, i64::MAX, i64::MAX - 1] {
        let mut body = 1_i32.to_le_bytes().to_vec();
        body.extend(5_u32.to_le_bytes());
        body.push(0x0D);
        body.push(13);
        body.extend(ticks.to_le_bytes());
        body.extend(ticks.to_le_bytes());
        body.extend(ticks.to_le_bytes());
        let change = DataChange::parse(&body).expect("parses");
        let time = Some(DateTime::from_ticks(ticks));
        let sample = change.samples[0];
        assert_eq!((sample.source_timestamp, sample.server_timestamp), (time, time));
        assert_eq!(sample.value, Value::DateTime(DateTime::from_ticks(ticks)));
    }
}

#[test]
fn scalars_are_inline_and_need_no_bytes() {
    let mut random = Random(3);
    for element in BuiltInType::ALL {
        let value = random.scalar(element);
        let mut body = 1_i32.to_le_bytes().to_vec();
        body.extend([5, 0, 0, 0, 0x01]);
        binary::encode_variant(&value, &mut body);
        let Ok(change) = DataChange::parse(&body) else { continue };
        let inline = element.id() <= 11 || matches!(element, BuiltInType::DateTime | BuiltInType::StatusCode);
        assert_eq!(change.bytes.is_empty(), inline, "{element}");
    }
}

#[test]
fn two_bodies_of_a_message_become_one() {
    let mut random = Random(4);
    for _ in 0..1_000 {
        let (first, mut expected) = random.notification();
        let (second, more) = random.notification();
        let mut change = DataChange::parse(&first).expect("parses");
        change.append(DataChange::parse(&second).expect("parses"));
        expected.extend(more);
        assert_eq!(shown(&change), expected);
    }
}

/// Whatever it is, the loader has an answer and no error that would close the channel.
fn fuzz_with_loader(bytes: &[u8]) {
    fuzz(bytes);
    let context = stack::ContextOwned::default();
    let _: HotBody = decode(bytes, &context.context());
}

#[test]
fn fuzz_notification() {
    let mut random = Random(5);
    let inputs = (0..20).map(|_| random.notification().0);
    gemba_testkit::fuzz::Target::new("ua-notification", fuzz_with_loader).inputs(inputs).run();
}

#[test]
fn the_loader_stands_before_the_built_in_ones() {
    let mut random = Random(6);
    let (body, expected) = loop {
        let made = random.notification();
        if made.1.len() > 3 {
            break made;
        }
    };
    let mut wire = Vec::new();
    wire.extend([0x01, 0x00, 0x2B, 0x03, 0x01]);
    wire.extend((body.len() as i32).to_le_bytes());
    wire.extend(&body);
    let mut context = stack::ContextOwned::default();
    *context.loaders_mut() = loaders();
    let object = stack::ExtensionObject::decode(&mut wire.as_slice(), &context.context()).expect("decodes");
    let Some(HotBody::Change(change)) = object.inner_as::<HotBody>() else { panic!("not ours: {object:?}") };
    assert_eq!(shown(change), expected);
}

#[test]
fn a_body_that_nobody_reads_is_refused_without_an_error_of_the_loader() {
    let context = stack::ContextOwned::default();
    let body = [1, 0, 0, 0, 5, 0, 0, 0, 0x01, 0x3F];
    assert!(matches!(decode(&body, &context.context()), HotBody::Refused(_)));
}

#[test]
fn more_items_than_anybody_publishes_are_refused_by_both_decoders() {
    let count = ITEMS_MAX + 1;
    let mut body = (count as i32).to_le_bytes().to_vec();
    body.resize(4 + count * ITEM_BYTES_MIN, 0);
    assert!(DataChange::parse(&body).is_err());
}
