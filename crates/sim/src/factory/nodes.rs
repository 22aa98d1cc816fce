//! The address space of a station.

use super::mes::Place;
use super::station::{Signal, Station};
use gemba_model::{BuiltInType, DateTime, Identifier, NodeId, StatusCode, Variant};
use gemba_ua::server::{
    AddressSpaceBuilder, ArgumentDeclaration, DataType, EngineeringUnits, MethodDeclaration, NAMESPACE_INDEX,
    Parent, ServerError, VariableDeclaration, VariableHandle,
};
use std::sync::Arc;
use std::time::Duration;

/// The namespace of all stations' nodes; index 2 on each server.
pub const NAMESPACE_URI: &str = "urn:gemba:sim:station";

const STATION: u32 = 1;
const PRODUCT: u32 = 2;
const TELEMETRY: u32 = 3;
const COMMANDS: u32 = 424;
const EXECUTE: u32 = 426;
const RESET: u32 = 425;
const OPEN_PRESSURE_RELEASE_VALVE: u32 = 435;
/// Properties of a variable have its number plus this, and one more each.
const PROPERTIES: u32 = 10_000;

// UNECE common codes as numbers: the letters' ASCII bytes.
const MILLIBAR: EngineeringUnits =
    EngineeringUnits { unit_id: 0x4D_4252, display_name: "mbar", description: "millibar" };
const KILOWATT_HOUR: EngineeringUnits =
    EngineeringUnits { unit_id: 0x4B_5748, display_name: "kW·h", description: "kilowatt hour" };
const MILLISECOND: EngineeringUnits =
    EngineeringUnits { unit_id: 0x43_3236, display_name: "ms", description: "millisecond" };

/// The node's number.
const fn number(signal: Signal) -> u32 {
    match signal {
        Signal::ProductSerialNumber => 379,
        Signal::NumberOfManufacturedProducts => 385,
        Signal::NumberOfDiscardedProducts => 391,
        Signal::OverallRunningTime => 398,
        Signal::FaultyTime => 399,
        Signal::Status => 400,
        Signal::EnergyConsumption => 406,
        Signal::IdealCycleTime => 412,
        Signal::ActualCycleTime => 418,
        Signal::Pressure => 434,
    }
}

/// The node of a signal on every station.
pub const fn node_id(signal: Signal) -> NodeId {
    NodeId::numeric(NAMESPACE_INDEX, number(signal))
}

/// The name of a signal's node.
pub fn signal_name(signal: Signal) -> String {
    format!("{signal:?}")
}

/// What clients ask of a station through its methods and its writable node.
pub(super) trait Operations: Send + Sync + 'static {
    fn execute(&self, serial: u64) -> Result<(), StatusCode>;
    fn reset(&self) -> Result<(), StatusCode>;
    fn open_pressure_release_valve(&self) -> Result<(), StatusCode>;
    /// Returns what was set.
    fn set_ideal_cycle(&self, wanted: Duration) -> Result<Duration, StatusCode>;
}

/// The handles of a station's variables, in the order of [`Signal::ALL`].
pub(super) type Handles = Vec<(Signal, VariableHandle)>;

pub(super) fn build(
    station: &Station,
    place: Place,
    started: DateTime,
    operations: &Arc<impl Operations>,
) -> Result<(AddressSpaceBuilder, Handles), ServerError> {
    let mut space = AddressSpaceBuilder::new(NAMESPACE_URI);
    let root = space.object(Parent::Objects, Identifier::Numeric(STATION), &format!("{place:?}"))?;
    let root = Parent::Node(root);
    let product = Parent::Node(space.object(root, Identifier::Numeric(PRODUCT), "StationProduct")?);
    let telemetry = Parent::Node(space.object(root, Identifier::Numeric(TELEMETRY), "StationTelemetry")?);
    let mut handles = Handles::new();
    for signal in Signal::ALL {
        let parent = match signal {
            Signal::ProductSerialNumber
            | Signal::NumberOfManufacturedProducts
            | Signal::NumberOfDiscardedProducts => product,
            _ => telemetry,
        };
        let initial = station.value(signal);
        let declaration = VariableDeclaration {
            id: Identifier::Numeric(number(signal)),
            name: signal_name(signal),
            display_name: None,
            data_type: DataType::BuiltIn(initial.built_in_type().unwrap_or(BuiltInType::UInt64)),
            value_rank: -1,
            initial,
            source_timestamp: Some(started),
            writable: signal == Signal::IdealCycleTime,
        };
        let handle = space.variable(parent, declaration)?;
        describe(&mut space, signal, handle)?;
        handles.push((signal, handle));
        if signal == Signal::IdealCycleTime {
            let operations = operations.clone();
            space.on_write(handle, move |value| ideal_cycle(&*operations, &value));
        }
    }
    commands(&mut space, root, operations)?;
    Ok((space, handles))
}

fn ideal_cycle(operations: &impl Operations, value: &Variant) -> Result<Variant, StatusCode> {
    let Variant::UInt64(milliseconds) = value else {
        return Err(StatusCode::from_name("BadTypeMismatch").unwrap_or(StatusCode::BAD_NO_DATA));
    };
    let set = operations.set_ideal_cycle(Duration::from_millis(*milliseconds))?;
    Ok(Variant::UInt64(u64::try_from(set.as_millis()).unwrap_or(u64::MAX)))
}

fn describe(
    space: &mut AddressSpaceBuilder,
    signal: Signal,
    handle: VariableHandle,
) -> Result<(), ServerError> {
    let units = match signal {
        Signal::Pressure => MILLIBAR,
        Signal::EnergyConsumption => KILOWATT_HOUR,
        Signal::OverallRunningTime
        | Signal::FaultyTime
        | Signal::IdealCycleTime
        | Signal::ActualCycleTime => MILLISECOND,
        _ => return Ok(()),
    };
    let first = PROPERTIES + number(signal) * 2;
    space.engineering_units(handle, Identifier::Numeric(first), units)?;
    let range = match signal {
        Signal::Pressure => (0.0, 10_000.0),
        Signal::EnergyConsumption => (0.0, 10.0),
        _ => return Ok(()),
    };
    space.range(handle, Identifier::Numeric(first + 1), range.0, range.1)
}

fn commands(
    space: &mut AddressSpaceBuilder,
    root: Parent,
    operations: &Arc<impl Operations>,
) -> Result<(), ServerError> {
    let commands = space.object(root, Identifier::Numeric(COMMANDS), "StationCommands")?;
    let commands = Parent::Node(commands);
    let declare = |id, name: &str, inputs| MethodDeclaration {
        id: Identifier::Numeric(id),
        name: name.to_owned(),
        inputs,
        outputs: Vec::new(),
    };
    let serial = ArgumentDeclaration {
        name: "SerialNumber".to_owned(),
        data_type: BuiltInType::UInt64,
        description: "serial number of the piece to work on".to_owned(),
    };
    let target = operations.clone();
    space.method(commands, declare(EXECUTE, "Execute", vec![serial]), move |inputs| match inputs {
        [Variant::UInt64(serial)] => target.execute(*serial).map(|()| Vec::new()),
        _ => Err(StatusCode::from_name("BadInvalidArgument").unwrap_or(StatusCode::BAD_NO_DATA)),
    })?;
    let target = operations.clone();
    let reset = declare(RESET, "Reset", Vec::new());
    space.method(commands, reset, move |_| target.reset().map(|()| Vec::new()))?;
    let target = operations.clone();
    let valve = declare(OPEN_PRESSURE_RELEASE_VALVE, "OpenPressureReleaseValve", Vec::new());
    space.method(commands, valve, move |_| target.open_pressure_release_valve().map(|()| Vec::new()))?;
    Ok(())
}
