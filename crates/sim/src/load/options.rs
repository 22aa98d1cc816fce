//! How many servers, how many tags, how often.

use crate::error::SimError;
use crate::factory::options::check_ports;
use crate::personality::Personality;
use gemba_ua::server::{EndpointSecurity, User};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// What the tags show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Counters that a checker can recompute: [`super::counter`].
    Counter,
    /// Waves for the eye: [`super::waveform`].
    Waveform,
    /// Every type there is: [`super::mixed`].
    Mixed,
}

/// Tags that change together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TagGroup {
    /// How many.
    pub tags: u32,
    /// How often, 1 ms to 1 day.
    pub period: Duration,
}

/// What load to make.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Servers, 1 to 1,000.
    pub servers: usize,
    /// The tags of each server, 1 to 1,000,000 in all; they are numbered from 1 across the groups.
    pub groups: Vec<TagGroup>,
    /// What the tags show.
    pub kind: Kind,
    /// Determines the waves.
    pub seed: u64,
    /// Where to listen.
    pub listen: IpAddr,
    /// The first server's port, the others follow; 0 takes free ones.
    pub base_port: u16,
    /// Names of this machine for certificates and endpoint URLs.
    pub host_names: Vec<String>,
    /// Holds a folder with key and certificate for each server.
    pub pki: PathBuf,
    /// The endpoints of each server.
    pub security: Vec<EndpointSecurity>,
    /// Whether one may come in without a name.
    pub anonymous: bool,
    /// Who else may come in.
    pub users: Vec<User>,
    /// Shortest publishing interval.
    pub publishing_interval_min: Duration,
    /// What servers are like: the first is as the first list says, and so on, and then from the beginning
    /// again. Without any they behave.
    pub personalities: Vec<Vec<Personality>>,
}

/// Sizes with a name, and what stands behind it.
pub const PRESETS: [(&str, usize, &[TagGroup]); 4] = [
    ("small", 25, &[seconds(250, 10), seconds(50, 1)]),
    ("medium", 50, &[seconds(1250, 10), seconds(250, 1)]),
    ("large", 75, &[seconds(3750, 10), seconds(750, 1)]),
    ("one-125k", 1, &[seconds(125_000, 10)]),
];

const fn seconds(tags: u32, period: u64) -> TagGroup {
    TagGroup { tags, period: Duration::from_secs(period) }
}

impl LoadOptions {
    /// Counters on free ports of the loopback interface, without security.
    pub fn new(servers: usize, groups: &[TagGroup], pki: impl Into<PathBuf>) -> Self {
        Self {
            servers,
            groups: groups.to_vec(),
            kind: Kind::Counter,
            seed: 1,
            listen: IpAddr::V4(Ipv4Addr::LOCALHOST),
            base_port: 0,
            host_names: Vec::new(),
            pki: pki.into(),
            security: vec![EndpointSecurity::None],
            anonymous: true,
            users: Vec::new(),
            publishing_interval_min: Duration::from_millis(50),
            personalities: Vec::new(),
        }
    }

    /// A size with a name: `small` (25 servers × 75 values/s), `medium` (50 × 375), `large` (75 × 1,125)
    /// or `one-125k` (one server with 125,000 tags, 12,500 values/s).
    ///
    /// # Errors
    /// When there is no such name.
    pub fn preset(name: &str, pki: impl Into<PathBuf>) -> Result<Self, SimError> {
        match PRESETS.iter().find(|(known, _, _)| *known == name) {
            Some((_, servers, groups)) => Ok(Self::new(*servers, groups, pki)),
            None => Err(SimError::Option {
                option: "preset",
                given: name.to_owned(),
                range: "small, medium, large or one-125k",
            }),
        }
    }

    /// Tags of one server.
    pub fn tags(&self) -> u64 {
        self.groups.iter().map(|group| u64::from(group.tags)).sum()
    }

    /// Values a second of all servers.
    pub fn values_per_second(&self) -> f64 {
        let one: f64 =
            self.groups.iter().map(|group| f64::from(group.tags) / group.period.as_secs_f64()).sum();
        one * self.servers as f64
    }

    /// What a server is like, counted from 0.
    pub fn personalities_of(&self, server: usize) -> &[Personality] {
        match self.personalities.len() {
            0 => &[],
            count => self.personalities.get(server % count).map(Vec::as_slice).unwrap_or_default(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), SimError> {
        let error = |option, given, range| Err(SimError::Option { option, given, range });
        if !(1..=1000).contains(&self.servers) {
            return error("servers", self.servers.to_string(), "1 to 1000");
        }
        if !(1..=1_000_000).contains(&self.tags()) {
            return error("tags", self.tags().to_string(), "1 to 1000000 on each server");
        }
        let periods = Duration::from_millis(1)..=Duration::from_secs(86_400);
        if let Some(group) = self.groups.iter().find(|group| !periods.contains(&group.period)) {
            return error("period", format!("{:?}", group.period), "1 ms to 1 day");
        }
        check_ports(self.base_port, self.servers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_make_the_load_of_the_reference_plants() {
        let rate = |name| LoadOptions::preset(name, "pki").unwrap().values_per_second();
        assert_eq!(rate("small"), 1875.0);
        assert_eq!(rate("medium"), 18_750.0);
        assert_eq!(rate("large"), 84_375.0);
        assert_eq!(rate("one-125k"), 12_500.0);
        assert_eq!(
            LoadOptions::preset("huge", "pki").unwrap_err().to_string(),
            "preset is huge, but must be small, medium, large or one-125k"
        );
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let group = |tags, milliseconds| TagGroup { tags, period: Duration::from_millis(milliseconds) };
        for (servers, groups) in [
            (0, vec![group(1, 1)]),
            (1001, vec![group(1, 1)]),
            (1, vec![]),
            (1, vec![group(1, 0)]),
            (1, vec![group(600_000, 1), group(600_000, 1)]),
        ] {
            let options = LoadOptions::new(servers, &groups, "pki");
            assert_eq!(options.check().unwrap_err().code().to_string(), "GMB-SIM-001", "{options:?}");
        }
    }
}
