//! What a server promises about its nodes: browse, paths, attributes, types, writes and calls.

use crate::peer::{Folder, Peer, node};
use gemba_base::Tasks;
use gemba_model::{BuiltInType, Identifier, StatusCode, Variant};
use gemba_ua::server::{
    AddressSpaceBuilder, ArgumentDeclaration, DataType, EngineeringUnits, MethodDeclaration, Parent,
    RunningServer, Server, ServerError, ServerOptions, StructureDeclaration, StructureField,
    VariableDeclaration,
};
use opcua::types::{
    AttributeId, BrowseDescription, BrowseDirection, BrowsePath, BrowseResultMask, CallMethodRequest,
    DataValue, NodeId, ReferenceDescription, ReferenceTypeId, RelativePath, RelativePathElement,
    StructureDefinition, Variant as StackVariant, WriteValue,
};

fn variable(number: u32, name: &str, initial: Variant, writable: bool) -> VariableDeclaration {
    VariableDeclaration {
        id: Identifier::Numeric(number),
        name: name.to_owned(),
        display_name: Some(format!("the {name}")),
        data_type: DataType::BuiltIn(initial.built_in_type().unwrap()),
        value_rank: -1,
        initial,
        source_timestamp: None,
        writable,
    }
}

fn argument(name: &str, data_type: BuiltInType) -> ArgumentDeclaration {
    ArgumentDeclaration { name: name.to_owned(), data_type, description: String::new() }
}

fn space() -> Result<AddressSpaceBuilder, ServerError> {
    let mut space = AddressSpaceBuilder::new("urn:gemba:test:space");
    let plant = Parent::Node(space.folder(Parent::Objects, Identifier::Numeric(1), "Plant")?);
    let pump = Parent::Node(space.object(plant, Identifier::String("pump".into()), "Pump")?);
    let speed = space.variable(pump, variable(10, "Speed", Variant::Double(1.5), true))?;
    space.range(speed, Identifier::Numeric(11), 0.0, 100.0)?;
    let units = EngineeringUnits { unit_id: 5_067_858, display_name: "mm", description: "millimetre" };
    space.engineering_units(speed, Identifier::Numeric(12), units)?;
    space.on_write(speed, |value| match value {
        Variant::Double(speed) if speed < 0.0 => Err(StatusCode::from_name("BadOutOfRange").unwrap()),
        Variant::Double(speed) => Ok(Variant::Double(speed.min(100.0))),
        other => Ok(other),
    });
    space.variable(pump, variable(13, "Serial", Variant::UInt32(7), false))?;
    let add = MethodDeclaration {
        id: Identifier::Numeric(20),
        name: "Add".to_owned(),
        inputs: vec![argument("a", BuiltInType::Int32), argument("b", BuiltInType::Int32)],
        outputs: vec![argument("sum", BuiltInType::Int32)],
    };
    space.method(pump, add, |inputs| match inputs {
        [Variant::Int32(a), Variant::Int32(b)] => Ok(vec![Variant::Int32(a + b)]),
        _ => Err(StatusCode::from_name("BadInternalError").unwrap()),
    })?;
    let field = |name: &str, data_type| StructureField { name: name.to_owned(), data_type, value_rank: -1 };
    space.structure(StructureDeclaration {
        id: Identifier::Numeric(30),
        encoding_id: Identifier::Numeric(31),
        name: "Reading".to_owned(),
        fields: vec![field("Count", BuiltInType::UInt64), field("Label", BuiltInType::String)],
    })?;
    Ok(space)
}

async fn plant() -> (RunningServer, Peer, Folder) {
    let folder = Folder::new();
    let options = ServerOptions::new("nodes", "urn:gemba:test:nodes", &folder.0);
    let server = Server::start(options, space().unwrap(), &Tasks::new("test")).await.unwrap();
    let peer = Peer::connect(server.endpoint_url()).await;
    (server, peer, folder)
}

fn pump() -> NodeId {
    NodeId::new(2, "pump")
}

async fn browse(peer: &Peer, node: NodeId, direction: BrowseDirection, page: u32) -> Vec<String> {
    let description = BrowseDescription {
        node_id: node,
        browse_direction: direction,
        reference_type_id: ReferenceTypeId::References.into(),
        include_subtypes: true,
        node_class_mask: 0,
        result_mask: BrowseResultMask::All as u32,
    };
    let mut result = peer.session.browse(&[description], page, None).await.unwrap().remove(0);
    let mut references: Vec<ReferenceDescription> = Vec::new();
    loop {
        assert!(result.status_code.is_good(), "{}", result.status_code);
        let found = result.references.take().unwrap_or_default();
        assert!(page == 0 || found.len() <= page as usize);
        references.extend(found);
        if result.continuation_point.is_null() {
            break;
        }
        let point = result.continuation_point.clone();
        result = peer.session.browse_next(false, &[point]).await.unwrap().remove(0);
    }
    let mut shown: Vec<String> = references
        .iter()
        .map(|reference| {
            let arrow = if reference.is_forward { "->" } else { "<-" };
            format!(
                "{} {arrow} {} {:?}",
                reference.reference_type_id, reference.browse_name.name, reference.node_class
            )
        })
        .collect();
    shown.sort();
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_found_from_the_objects_folder_down_and_back_up() {
    let (server, peer, _folder) = plant().await;
    let objects = browse(&peer, NodeId::objects_folder_id(), BrowseDirection::Forward, 0).await;
    assert!(objects.contains(&"i=35 -> Plant Object".to_owned()), "{objects:?}");
    let expected = [
        "i=40 -> BaseObjectType ObjectType",
        "i=47 -> Add Method",
        "i=47 -> Serial Variable",
        "i=47 -> Speed Variable",
        "i=47 <- Plant Object",
    ];
    for page in [0, 1, 2, 100] {
        assert_eq!(browse(&peer, pump(), BrowseDirection::Both, page).await, expected, "pages of {page}");
    }
    let speed = browse(&peer, node(10), BrowseDirection::Forward, 0).await;
    let properties = [
        "i=40 -> AnalogItemType VariableType",
        "i=46 -> EURange Variable",
        "i=46 -> EngineeringUnits Variable",
    ];
    assert_eq!(speed, properties);
    let plant = browse(&peer, node(1), BrowseDirection::Inverse, 0).await;
    assert_eq!(plant, ["i=35 <- Objects Object"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browse_paths_lead_to_nodes() {
    let (server, peer, _folder) = plant().await;
    let path = |start: NodeId, names: &[(u16, &str)]| BrowsePath {
        starting_node: start,
        relative_path: RelativePath {
            elements: Some(
                names
                    .iter()
                    .map(|(namespace, name)| RelativePathElement {
                        reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
                        is_inverse: false,
                        include_subtypes: true,
                        target_name: opcua::types::QualifiedName::new(*namespace, *name),
                    })
                    .collect(),
            ),
        },
    };
    let paths = [
        path(NodeId::objects_folder_id(), &[(2, "Plant"), (2, "Pump"), (2, "Speed"), (0, "EURange")]),
        path(pump(), &[(2, "Speed")]),
        path(pump(), &[(2, "Serial")]),
        path(NodeId::root_folder_id(), &[(0, "Objects"), (2, "Plant")]),
        path(pump(), &[(0, "Speed")]),
    ];
    let found = peer.session.translate_browse_paths_to_node_ids(&paths).await.unwrap();
    let targets: Vec<String> = found
        .iter()
        .map(|result| match &result.targets {
            Some(targets) => targets
                .iter()
                .map(|target| target.target_id.node_id.to_string())
                .collect::<Vec<_>>()
                .join(" "),
            None => result.status_code.to_string(),
        })
        .collect();
    assert_eq!(targets, ["ns=2;i=11", "ns=2;i=10", "ns=2;i=13", "ns=2;i=1", "BadNoMatch"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_describe_a_variable() {
    let (server, peer, _folder) = plant().await;
    let mut shown = Vec::new();
    for attribute in [
        AttributeId::BrowseName,
        AttributeId::DisplayName,
        AttributeId::DataType,
        AttributeId::ValueRank,
        AttributeId::AccessLevel,
        AttributeId::MinimumSamplingInterval,
        AttributeId::Executable,
    ] {
        let value = peer.read(node(10), attribute).await;
        shown.push(match value.value {
            Some(StackVariant::QualifiedName(name)) => format!("{}:{}", name.namespace_index, name.name),
            Some(StackVariant::LocalizedText(text)) => text.text.to_string(),
            Some(value) => format!("{value}"),
            None => value.status().to_string(),
        });
    }
    assert_eq!(shown, ["2:Speed", "the Speed", "i=11", "-1", "3", "0", "BadAttributeIdInvalid"]);
    assert_eq!(peer.value(9999).await.status().to_string(), "BadNodeIdUnknown");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_structure_can_be_read_from_its_definition() {
    let (server, peer, _folder) = plant().await;
    let definition = peer.read(node(30), AttributeId::DataTypeDefinition).await.value.unwrap();
    let StackVariant::ExtensionObject(definition) = definition else { panic!("{definition:?}") };
    let definition = definition.into_inner_as::<StructureDefinition>().unwrap();
    assert_eq!(definition.default_encoding_id, node(31));
    let fields: Vec<String> = definition
        .fields
        .unwrap()
        .iter()
        .map(|field| format!("{} {}", field.name, field.data_type))
        .collect();
    assert_eq!(fields, ["Count i=9", "Label i=12"]);
    let encoding = browse(&peer, node(30), BrowseDirection::Both, 0).await;
    assert_eq!(encoding, ["i=38 -> Default Binary Object", "i=45 <- Structure DataType"]);
    let structures = browse(&peer, NodeId::new(0, 22), BrowseDirection::Forward, 0).await;
    assert!(structures.contains(&"i=45 -> Reading DataType".to_owned()));
    server.stop().await;
}

async fn write(peer: &Peer, number: u32, value: StackVariant) -> String {
    let wanted = WriteValue {
        node_id: node(number),
        attribute_id: AttributeId::Value as u32,
        index_range: Default::default(),
        value: DataValue::value_only(value),
    };
    peer.session.write(&[wanted]).await.unwrap()[0].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_checked_and_may_be_corrected() {
    let (server, peer, _folder) = plant().await;
    assert_eq!(write(&peer, 10, StackVariant::Double(42.0)).await, "Good");
    assert_eq!(peer.value(10).await.value, Some(StackVariant::Double(42.0)));
    assert_eq!(write(&peer, 10, StackVariant::Double(1e9)).await, "Good");
    assert_eq!(peer.value(10).await.value, Some(StackVariant::Double(100.0)));
    assert_eq!(write(&peer, 10, StackVariant::Double(-1.0)).await, "BadOutOfRange");
    assert_eq!(write(&peer, 10, StackVariant::Int32(1)).await, "BadTypeMismatch");
    assert_eq!(write(&peer, 10, StackVariant::from(vec![1.0, 2.0])).await, "BadTypeMismatch");
    assert_eq!(write(&peer, 13, StackVariant::UInt32(1)).await, "BadNotWritable");
    assert_eq!(write(&peer, 9999, StackVariant::UInt32(1)).await, "BadNodeIdUnknown");
    assert_eq!(peer.value(10).await.value, Some(StackVariant::Double(100.0)));
    server.stop().await;
}

async fn call(peer: &Peer, object: NodeId, inputs: Vec<StackVariant>) -> (String, Vec<StackVariant>) {
    let request = CallMethodRequest { object_id: object, method_id: node(20), input_arguments: Some(inputs) };
    let answer = peer.session.call_one(request).await.unwrap();
    (answer.status_code.to_string(), answer.output_arguments.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_called_with_checked_arguments() {
    let (server, peer, _folder) = plant().await;
    let int = StackVariant::Int32;
    assert_eq!(call(&peer, pump(), vec![int(2), int(3)]).await, ("Good".to_owned(), vec![int(5)]));
    let statuses = [
        (pump(), vec![int(1)], "BadArgumentsMissing"),
        (pump(), vec![int(1), int(2), int(3)], "BadTooManyArguments"),
        (pump(), vec![int(1), StackVariant::Double(2.0)], "BadInvalidArgument"),
        (node(1), vec![int(1), int(2)], "BadMethodInvalid"),
        (node(777), vec![int(1), int(2)], "BadNodeIdUnknown"),
    ];
    for (object, inputs, status) in statuses {
        assert_eq!(call(&peer, object, inputs).await.0, status);
    }
    server.stop().await;
}

#[test]
fn an_id_can_be_given_once() {
    let mut space = space().unwrap();
    let error = space.folder(Parent::Objects, Identifier::Numeric(10), "Again").unwrap_err();
    assert_eq!(error.code().to_string(), "GMB-UA-102");
    assert_eq!(error.to_string(), "the node id ns=2;i=10 is declared twice; ids must be unique in a server");
}
