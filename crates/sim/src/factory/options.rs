//! How many lines, how fast, and who may come in.

use super::mes::Place;
use super::station::StationSettings;
use crate::error::SimError;
use gemba_ua::server::{EndpointSecurity, User};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// With this factor every station of every line finishes a cycle within two seconds of real time.
pub const DEMO_CLOCK_FACTOR: f64 = 30.0;

/// Lines at most; a line has three stations.
pub const LINES_MAX: usize = 8;

/// What each line makes, and its ideal cycle in seconds.
const PRODUCTS: [(&str, u64); LINES_MAX] = [
    ("Brake pads", 6),
    ("Carburetor", 8),
    ("Gasket", 4),
    ("Needle bearing", 5),
    ("Condenser", 9),
    ("Compressor", 11),
    ("Cooler", 7),
    ("Beam axle", 10),
];

/// How a factory is built.
#[derive(Clone, Debug)]
pub struct FactoryOptions {
    /// Production lines, 1 to 8.
    pub lines: usize,
    /// Determines everything that happens, in virtual time.
    pub seed: u64,
    /// How many virtual seconds pass in a real one, 0.01 to 1000.
    pub clock_factor: f64,
    /// Whether each line has a MES; without one its stations wait for calls of their methods.
    pub mes: bool,
    /// Where to listen.
    pub listen: IpAddr,
    /// The first station's port, the others follow; 0 takes free ones.
    pub base_port: u16,
    /// Names of this machine for certificates and endpoint URLs.
    pub host_names: Vec<String>,
    /// Holds a folder with key and certificate for each station.
    pub pki: PathBuf,
    /// The endpoints of each station.
    pub security: Vec<EndpointSecurity>,
    /// Whether one may come in without a name.
    pub anonymous: bool,
    /// Who else may come in.
    pub users: Vec<User>,
}

impl FactoryOptions {
    /// Two lines with a MES, in real time, on free ports of the loopback interface, without security.
    pub fn new(pki: impl Into<PathBuf>) -> Self {
        Self {
            lines: 2,
            seed: 1,
            clock_factor: 1.0,
            mes: true,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            base_port: 0,
            host_names: Vec::new(),
            pki: pki.into(),
            security: vec![EndpointSecurity::None],
            anonymous: true,
            users: Vec::new(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), SimError> {
        if !(1..=LINES_MAX).contains(&self.lines) {
            let given = self.lines.to_string();
            return Err(SimError::Option { option: "lines", given, range: "1 to 8" });
        }
        if !(0.01..=1000.0).contains(&self.clock_factor) {
            let given = self.clock_factor.to_string();
            return Err(SimError::Option { option: "clock_factor", given, range: "0.01 to 1000" });
        }
        check_ports(self.base_port, self.lines * 3)
    }
}

/// Whether so many ports follow the first one.
pub(crate) fn check_ports(base_port: u16, count: usize) -> Result<(), SimError> {
    if base_port != 0 && usize::from(base_port) + count > 65536 {
        let given = format!("{base_port} for {count} servers");
        return Err(SimError::Option { option: "base_port", given, range: "low enough for all servers" });
    }
    Ok(())
}

/// The product of a line.
pub(crate) fn product(line: usize) -> &'static str {
    PRODUCTS.get(line % LINES_MAX).map_or("Piece", |(name, _)| name)
}

/// How a station of a line is built: Assembly is the strong one that drifts.
pub(crate) fn settings(line: usize, place: Place, clock_factor: f64) -> StationSettings {
    let cycle = PRODUCTS.get(line % LINES_MAX).map_or(6, |(_, seconds)| *seconds);
    let assembly = place == Place::Assembly;
    StationSettings {
        power_kw: if assembly { 200.0 } else { 100.0 },
        ideal_cycle: Duration::from_secs(cycle),
        alerts: assembly,
        // At most once a second in both virtual and real time.
        running_time_step: Duration::from_secs_f64(clock_factor.max(1.0)),
    }
}
