//! Batches and descriptions of every kind.

use gemba_model::variant::ExtensionBody;
use gemba_model::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-zA-Z0-9_.:;=%/ ]{1,12}",
        Just("Größe \"°C\"\n\u{1F980}".to_owned()),
        Just("5:a".to_owned()),
        Just("nsu=urn:a;b".to_owned()),
    ]
}

fn guid() -> impl Strategy<Value = Guid> {
    any::<[u8; 16]>().prop_map(Guid)
}

fn identifier() -> impl Strategy<Value = Identifier> {
    prop_oneof![
        any::<u32>().prop_map(Identifier::Numeric),
        (0..300_u32).prop_map(Identifier::Numeric),
        text().prop_map(|text| Identifier::String(text.into())),
        guid().prop_map(Identifier::Guid),
        vec(any::<u8>(), 0..9).prop_map(|bytes| Identifier::Opaque(bytes.into())),
    ]
}

fn node_id() -> impl Strategy<Value = NodeId> {
    (prop_oneof![0..3_u16, any::<u16>()], identifier())
        .prop_map(|(namespace, identifier)| NodeId { namespace, identifier })
}

pub(crate) fn expanded_node_id() -> impl Strategy<Value = ExpandedNodeId> {
    let namespace = prop_oneof![
        (0..3_u16).prop_map(Namespace::Index),
        any::<u16>().prop_map(Namespace::Index),
        "urn:[a-d]".prop_map(|uri| Namespace::Uri(uri.into())),
        Just(Namespace::Uri("http://a/;%b".into())),
    ];
    (prop_oneof![4 => Just(0), 1 => any::<u32>()], namespace, identifier())
        .prop_map(|(server, namespace, identifier)| ExpandedNodeId { server, namespace, identifier })
}

pub(crate) fn date_time() -> impl Strategy<Value = DateTime> {
    prop_oneof![
        (130_000_000_000_000_000..140_000_000_000_000_000_i64),
        any::<i64>(),
        prop_oneof![Just(0), Just(i64::MIN), Just(i64::MAX), Just(-1)],
    ]
    .prop_map(DateTime::from_ticks)
}

fn status() -> impl Strategy<Value = StatusCode> {
    prop_oneof![
        Just(StatusCode::GOOD),
        Just(StatusCode(0x8000_0000)),
        Just(StatusCode(0x0000_0480)),
        any::<u32>().prop_map(StatusCode),
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_map(|v| if v.is_nan() { f64::NAN } else { v }),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-0.0),
        Just(f64::MIN_POSITIVE),
        Just(0.1),
    ]
}

fn float() -> impl Strategy<Value = f32> {
    prop_oneof![
        any::<f32>().prop_map(|v| if v.is_nan() { f32::NAN } else { v }),
        Just(f32::INFINITY),
        Just(f32::MIN_POSITIVE),
        Just(0.1),
    ]
}

fn qualified_name() -> impl Strategy<Value = QualifiedName> {
    prop_oneof![
        Just(QualifiedName::default()),
        (any::<u16>(), text()).prop_map(|(namespace, name)| QualifiedName { namespace, name: Some(name) }),
        text().prop_map(|name| QualifiedName { namespace: 0, name: Some(name) }),
    ]
}

fn extension_object() -> impl Strategy<Value = ExtensionObject> {
    let body = prop_oneof![
        Just(ExtensionBody::None),
        vec(any::<u8>(), 0..20).prop_map(ExtensionBody::Binary),
        vec(any::<u8>(), 0..20).prop_map(ExtensionBody::Xml),
    ];
    (node_id(), body).prop_map(|(type_id, body)| ExtensionObject { type_id, body })
}

/// A DiagnosticInfo's bytes, with one inside.
fn diagnostic_info() -> impl Strategy<Value = Vec<u8>> {
    (any::<[i32; 4]>(), text(), status(), any::<bool>()).prop_map(|(indexes, info, status, nested)| {
        let mut bytes = vec![0x3F | if nested { 0x40 } else { 0 }];
        indexes.iter().for_each(|index| bytes.extend_from_slice(&index.to_le_bytes()));
        binary::encode_string(Some(&info), &mut bytes);
        bytes.extend_from_slice(&status.0.to_le_bytes());
        if nested {
            bytes.extend_from_slice(&[0x01, 7, 0, 0, 0]);
        }
        bytes
    })
}

/// A DataValue's bytes, canonical: no explicit Good, no zero picoseconds.
fn data_value() -> impl Strategy<Value = Vec<u8>> {
    (option::of(any::<i32>()), option::of(date_time()), 0..10_000_u16).prop_map(
        |(value, time, picoseconds)| {
            let mut bytes = vec![0];
            if let Some(value) = value {
                bytes[0] |= 0x01;
                binary::encode_variant(&Variant::Int32(value), &mut bytes);
            }
            bytes[0] |= 0x02;
            bytes.extend_from_slice(&0x8009_0000_u32.to_le_bytes());
            if let Some(time) = time {
                bytes[0] |= 0x04;
                bytes.extend_from_slice(&time.ticks().to_le_bytes());
            }
            if picoseconds > 0 {
                bytes[0] |= 0x10;
                bytes.extend_from_slice(&picoseconds.to_le_bytes());
            }
            bytes
        },
    )
}

fn scalar(built_in_type: BuiltInType) -> BoxedStrategy<Variant> {
    use BuiltInType as T;
    match built_in_type {
        T::Boolean => any::<bool>().prop_map(Variant::Boolean).boxed(),
        T::SByte => any::<i8>().prop_map(Variant::SByte).boxed(),
        T::Byte => any::<u8>().prop_map(Variant::Byte).boxed(),
        T::Int16 => any::<i16>().prop_map(Variant::Int16).boxed(),
        T::UInt16 => any::<u16>().prop_map(Variant::UInt16).boxed(),
        T::Int32 => any::<i32>().prop_map(Variant::Int32).boxed(),
        T::UInt32 => any::<u32>().prop_map(Variant::UInt32).boxed(),
        T::Int64 => any::<i64>().prop_map(Variant::Int64).boxed(),
        T::UInt64 => any::<u64>().prop_map(Variant::UInt64).boxed(),
        T::Float => float().prop_map(Variant::Float).boxed(),
        T::Double => double().prop_map(Variant::Double).boxed(),
        T::String => option::of(text()).prop_map(Variant::String).boxed(),
        T::DateTime => date_time().prop_map(Variant::DateTime).boxed(),
        T::Guid => guid().prop_map(Variant::Guid).boxed(),
        T::ByteString => option::of(vec(any::<u8>(), 0..40)).prop_map(Variant::ByteString).boxed(),
        T::XmlElement => option::of(text()).prop_map(Variant::XmlElement).boxed(),
        T::NodeId => node_id().prop_map(Variant::NodeId).boxed(),
        T::ExpandedNodeId => expanded_node_id().prop_map(Variant::ExpandedNodeId).boxed(),
        T::StatusCode => status().prop_map(Variant::StatusCode).boxed(),
        T::QualifiedName => qualified_name().prop_map(Variant::QualifiedName).boxed(),
        T::LocalizedText => (option::of(text()), option::of(text()))
            .prop_map(|(locale, text)| Variant::LocalizedText(LocalizedText { locale, text }))
            .boxed(),
        T::ExtensionObject => extension_object().prop_map(Variant::ExtensionObject).boxed(),
        T::DataValue => data_value().prop_map(Variant::DataValue).boxed(),
        T::Variant => any_type()
            .prop_filter("no endless nesting", |t| *t != T::Variant)
            .prop_flat_map(scalar)
            .prop_map(|value| Variant::Variant(Box::new(value)))
            .boxed(),
        T::DiagnosticInfo => diagnostic_info().prop_map(Variant::DiagnosticInfo).boxed(),
    }
}

fn any_type() -> impl Strategy<Value = BuiltInType> {
    (0..BuiltInType::ALL.len()).prop_map(|index| BuiltInType::ALL[index])
}

pub(crate) fn variant() -> impl Strategy<Value = Variant> {
    let array = any_type().prop_flat_map(|element| {
        (vec(scalar(element), 0..5), vec(0..4_i32, 0..3))
            .prop_map(move |(values, dimensions)| Variant::Array { element, values, dimensions })
    });
    prop_oneof![1 => Just(Variant::Null), 6 => any_type().prop_flat_map(scalar), 2 => array]
}

/// A batch over `fields` fields, some of which may come more than once.
pub(crate) fn batch(fields: u16) -> impl Strategy<Value = SampleBatch> {
    let sample = (
        0..fields,
        variant(),
        status(),
        option::of(date_time()),
        option::of(date_time()),
        prop_oneof![2 => Just(0), 1 => 0..10_000_u16],
        prop_oneof![2 => Just(0), 1 => 0..10_000_u16],
    );
    let version = (any::<u32>(), any::<u32>());
    (1..4_u16, version, vec(sample, 0..30)).prop_map(|(writer, (major, minor), samples)| {
        let mut batch =
            SampleBatch::new(WriterKey { group: 7, writer }, ConfigurationVersion { major, minor });
        for (field, variant, status, source_timestamp, server_timestamp, source, server) in samples {
            let value = batch.store(&variant);
            batch.samples.push(Sample {
                field,
                source_picoseconds: source,
                server_picoseconds: server,
                status,
                source_timestamp,
                server_timestamp,
                value,
            });
        }
        batch
    })
}

fn field(index: usize) -> impl Strategy<Value = FieldMetaData> {
    let attribute_id = prop_oneof![Just(13), any::<u32>()];
    (text(), guid(), any_type(), -3..5_i32, expanded_node_id(), attribute_id, text()).prop_map(
        move |(name, data_set_field_id, built_in_type, value_rank, node_id, attribute_id, unit)| {
            FieldMetaData {
                name: format!("{index} {name}"),
                data_set_field_id,
                built_in_type,
                value_rank,
                node_id,
                attribute_id,
                unit,
            }
        },
    )
}

pub(crate) fn data_set() -> impl Strategy<Value = DataSetMetaData> {
    let fields = (0..6_usize).prop_flat_map(|count| (0..count).map(field).collect::<Vec<_>>());
    let version = (any::<u32>(), any::<u32>());
    ((any::<u16>(), any::<u16>()), vec(text(), 5), guid(), version, fields).prop_map(
        |((group, writer), texts, data_set_class_id, (major, minor), fields)| DataSetMetaData {
            writer: WriterKey { group, writer },
            writer_group_name: texts[0].clone(),
            writer_name: texts[1].clone(),
            name: texts[2].clone(),
            data_set_class_id,
            version: ConfigurationVersion { major, minor },
            source: DataSetSource { endpoint_url: texts[3].clone(), application_uri: texts[4].clone() },
            fields,
        },
    )
}

/// A description with fields `f0`, `f1`, … for any batch of the writer.
pub(crate) fn plain_data_set(batch: &SampleBatch, fields: u16) -> DataSetMetaData {
    DataSetMetaData {
        writer: batch.writer,
        version: batch.version,
        writer_group_name: "north".to_owned(),
        fields: (0..fields)
            .map(|index| FieldMetaData {
                name: format!("f{index}"),
                data_set_field_id: Guid::default(),
                built_in_type: BuiltInType::Variant,
                value_rank: -1,
                node_id: NodeId::numeric(0, u32::from(index)).into(),
                attribute_id: 13,
                unit: String::new(),
            })
            .collect(),
        ..DataSetMetaData::default()
    }
}
