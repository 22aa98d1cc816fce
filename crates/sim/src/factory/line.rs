//! Three stations and their MES under one virtual clock.

use super::mes::{Command, Mes, Place, Seen};
use super::station::{Change, Station, StationSettings};
use crate::random::Random;
use gemba_model::StatusCode;
use std::time::Duration;

/// A production line. What happens depends on the seed and on the commands alone, never on when it is
/// looked at.
#[derive(Debug)]
pub struct Line {
    stations: [Station; 3],
    mes: Option<Mes>,
    next_tick: Duration,
}

impl Line {
    /// A line that was switched on just now. Without a MES its stations wait for commands.
    pub fn new(settings: [StationSettings; 3], seed: u64, number: u64, with_mes: bool) -> Self {
        let mut stream = number * 3;
        let stations = settings.map(|settings| {
            let station = Station::new(settings, Random::new(seed, stream));
            stream += 1;
            station
        });
        Self { stations, mes: with_mes.then(|| Mes::new(1)), next_tick: Mes::TICK }
    }

    /// When something will happen by itself.
    pub fn next_timeout(&self) -> Duration {
        let stations = self.stations.iter().map(Station::next_timeout).min().unwrap_or(Duration::MAX);
        if self.mes.is_some() { stations.min(self.next_tick) } else { stations }
    }

    /// Lets time pass, event by event.
    pub fn advance(&mut self, now: Duration) {
        while self.next_timeout() <= now {
            let event = self.next_timeout();
            self.advance_stations(event);
            if self.next_tick <= event {
                self.next_tick += Mes::TICK;
                self.tick(event);
            }
        }
        self.advance_stations(now);
    }

    fn advance_stations(&mut self, now: Duration) {
        for station in &mut self.stations {
            station.advance(now);
        }
    }

    fn tick(&mut self, now: Duration) {
        let Some(mes) = &mut self.mes else { return };
        let seen = self
            .stations
            .each_ref()
            .map(|station| Seen { status: station.status(), serial: station.serial() });
        for command in mes.tick(now, seen) {
            let refused = match command {
                Command::Execute(place, serial) => self.station_mut(place).execute(serial).is_err(),
                Command::Reset(place) => self.station_mut(place).reset().is_err(),
            };
            if refused {
                tracing::debug!(?command, "a station refused a command of the MES");
            }
        }
    }

    /// A station to read.
    pub fn station(&self, place: Place) -> &Station {
        let [assembly, test, packaging] = &self.stations;
        match place {
            Place::Assembly => assembly,
            Place::Test => test,
            Place::Packaging => packaging,
        }
    }

    fn station_mut(&mut self, place: Place) -> &mut Station {
        let [assembly, test, packaging] = &mut self.stations;
        match place {
            Place::Assembly => assembly,
            Place::Test => test,
            Place::Packaging => packaging,
        }
    }

    /// Lets time pass and then does something to a station.
    ///
    /// # Errors
    /// As the station answers.
    pub fn command<T>(
        &mut self,
        now: Duration,
        place: Place,
        act: impl FnOnce(&mut Station) -> Result<T, StatusCode>,
    ) -> Result<T, StatusCode> {
        self.advance(now);
        act(self.station_mut(place))
    }

    /// The oldest change of a station that nobody took yet.
    pub fn poll_change(&mut self, place: Place) -> Option<Change> {
        self.station_mut(place).poll_change()
    }
}
