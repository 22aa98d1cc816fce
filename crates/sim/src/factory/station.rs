//! One station: it takes a piece, works on it for about its ideal cycle time, and tells how that went.
//!
//! Time is virtual: the time since the station was switched on, given by whoever drives it. Nothing
//! happens between two calls of [`Station::advance`] that it would not have done at the right instant.

use crate::random::Random;
use gemba_model::{StatusCode, Variant};
use std::collections::VecDeque;
use std::time::Duration;

/// What a station is doing; the numbers are those of its Status node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Waits for a piece.
    Ready = 0,
    /// Works on one.
    WorkInProgress = 1,
    /// Made a good piece, which waits to be taken.
    Done = 2,
    /// Made a bad piece.
    Discarded = 3,
    /// Broken until somebody resets it.
    Fault = 4,
}

/// The nodes of a station.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs)] // The names are those of the nodes.
pub enum Signal {
    ProductSerialNumber,
    NumberOfManufacturedProducts,
    NumberOfDiscardedProducts,
    OverallRunningTime,
    FaultyTime,
    Status,
    EnergyConsumption,
    IdealCycleTime,
    ActualCycleTime,
    Pressure,
}

impl Signal {
    /// All of them, in the order of their node ids.
    pub const ALL: [Self; 10] = [
        Self::ProductSerialNumber,
        Self::NumberOfManufacturedProducts,
        Self::NumberOfDiscardedProducts,
        Self::OverallRunningTime,
        Self::FaultyTime,
        Self::Status,
        Self::EnergyConsumption,
        Self::IdealCycleTime,
        Self::ActualCycleTime,
        Self::Pressure,
    ];
}

/// How a station is built.
#[derive(Clone, Debug)]
pub struct StationSettings {
    /// Drawn power in normal operation.
    pub power_kw: f64,
    /// Ideal cycle time when switched on; half of it is the floor for writes.
    pub ideal_cycle: Duration,
    /// Whether the pressure drifts, which in the end raises an alarm.
    pub alerts: bool,
    /// How often OverallRunningTime is told, in virtual time.
    pub running_time_step: Duration,
}

/// A node's new value.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// When, in virtual time.
    pub at: Duration,
    /// Which node.
    pub signal: Signal,
    /// The value.
    pub value: Variant,
}

/// Where the pressure starts, never falls below, and returns to when the valve opens.
pub const PRESSURE_LOW_MBAR: f64 = 2500.0;
/// Where the pressure stays at the latest.
pub const PRESSURE_HIGH_MBAR: f64 = 6000.0;
/// Above this somebody should open the valve.
pub const PRESSURE_ALERT_MBAR: f64 = 5000.0;
/// The pressure drifts from then on.
const PRESSURE_DRIFTS_AFTER: Duration = Duration::from_secs(30);
/// A fault shows after this and a random time of the same size.
const FAULT_AFTER: Duration = Duration::from_secs(5);
/// Draws beyond so many deviations are faults and discarded pieces.
const FAULT_DEVIATIONS: f64 = 3.0;
const DISCARD_DEVIATIONS: f64 = 2.0;
/// The changes of this many cycles are kept when nobody takes them; the oldest are dropped first.
const CHANGES_MAX: usize = 10_000;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Outcome {
    Finished,
    Fault,
}

/// A station with its clock and its luck.
#[derive(Debug)]
pub struct Station {
    settings: StationSettings,
    random: Random,
    now: Duration,
    status: Status,
    serial: u64,
    manufactured: u64,
    discarded: u64,
    ideal_cycle: Duration,
    pressure: f64,
    work: Option<(Duration, Duration, Outcome)>,
    fault_since: Duration,
    faulty_time: Duration,
    running_time_due: Duration,
    changes: VecDeque<Change>,
}

impl Station {
    /// A station that was switched on just now.
    pub fn new(settings: StationSettings, random: Random) -> Self {
        let running_time_due = settings.running_time_step;
        Self {
            ideal_cycle: settings.ideal_cycle,
            settings,
            random,
            now: Duration::ZERO,
            status: Status::Ready,
            serial: 0,
            manufactured: 0,
            discarded: 0,
            pressure: PRESSURE_LOW_MBAR,
            work: None,
            fault_since: Duration::ZERO,
            faulty_time: Duration::ZERO,
            running_time_due,
            changes: VecDeque::new(),
        }
    }

    /// What it is doing.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The piece it works on or worked on last.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// When something will happen by itself.
    pub fn next_timeout(&self) -> Duration {
        self.work.map_or(self.running_time_due, |(_, end, _)| end.min(self.running_time_due))
    }

    /// Lets time pass. Time that goes back is ignored.
    pub fn advance(&mut self, now: Duration) {
        while self.next_timeout() <= now {
            self.now = self.next_timeout();
            if let Some((start, end, outcome)) = self.work
                && end <= self.now
            {
                self.work = None;
                match outcome {
                    Outcome::Finished => self.finish(end - start),
                    Outcome::Fault => {
                        self.fault_since = self.now;
                        self.set_status(Status::Fault);
                    }
                }
            }
            if self.running_time_due <= self.now {
                self.tell(Signal::OverallRunningTime, Variant::UInt64(milliseconds(self.now)));
                self.running_time_due += self.settings.running_time_step;
            }
        }
        self.now = self.now.max(now);
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// BadInvalidState unless it is Ready.
    pub fn execute(&mut self, serial: u64) -> Result<(), StatusCode> {
        if self.status != Status::Ready {
            return Err(bad_invalid_state());
        }
        self.serial = serial;
        self.tell(Signal::ProductSerialNumber, Variant::UInt64(serial));
        if !self.faulty_time.is_zero() {
            self.faulty_time = Duration::ZERO;
            self.tell(Signal::FaultyTime, Variant::UInt64(0));
        }
        let (length, outcome) = if self.random.normal(0.0, 1.0) > FAULT_DEVIATIONS {
            (FAULT_AFTER + FAULT_AFTER.mul_f64(self.random.normal(0.0, 1.0).abs()), Outcome::Fault)
        } else {
            (self.ideal_cycle.mul_f64(1.0 + self.random.normal(0.0, 0.1).abs()), Outcome::Finished)
        };
        self.work = Some((self.now, self.now + length, outcome));
        self.set_status(Status::WorkInProgress);
        Ok(())
    }

    /// Makes it ready for the next piece.
    ///
    /// # Errors
    /// BadInvalidState while it works.
    pub fn reset(&mut self) -> Result<(), StatusCode> {
        match self.status {
            Status::WorkInProgress => return Err(bad_invalid_state()),
            Status::Fault => {
                self.faulty_time = self.now - self.fault_since;
                self.tell(Signal::FaultyTime, Variant::UInt64(milliseconds(self.faulty_time)));
            }
            Status::Ready | Status::Done | Status::Discarded => {}
        }
        self.set_status(Status::Ready);
        Ok(())
    }

    /// Lets the pressure go.
    pub fn open_pressure_release_valve(&mut self) {
        self.set_pressure(PRESSURE_LOW_MBAR);
    }

    /// Sets the ideal cycle time of the next pieces, never below half of the built-in one. Returns what
    /// was set. No change is told: the caller stores it.
    pub fn set_ideal_cycle(&mut self, wanted: Duration) -> Duration {
        self.ideal_cycle = wanted.max(self.settings.ideal_cycle / 2);
        self.ideal_cycle
    }

    /// The oldest change that nobody took yet.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// The present value of a node.
    pub fn value(&self, signal: Signal) -> Variant {
        match signal {
            Signal::ProductSerialNumber => Variant::UInt64(self.serial),
            Signal::NumberOfManufacturedProducts => Variant::UInt64(self.manufactured),
            Signal::NumberOfDiscardedProducts => Variant::UInt64(self.discarded),
            Signal::OverallRunningTime => Variant::UInt64(milliseconds(self.now)),
            Signal::FaultyTime => Variant::UInt64(milliseconds(self.faulty_time)),
            Signal::Status => Variant::Int32(self.status as i32),
            Signal::EnergyConsumption => Variant::Double(0.0),
            Signal::IdealCycleTime => Variant::UInt64(milliseconds(self.ideal_cycle)),
            Signal::ActualCycleTime => Variant::UInt64(0),
            Signal::Pressure => Variant::Double(self.pressure),
        }
    }

    fn finish(&mut self, took: Duration) {
        // Faster than built costs power: e^(built / wanted) / e, which is 1 at the built-in cycle time.
        let built = self.settings.ideal_cycle.as_secs_f64();
        let factor = (built / self.ideal_cycle.as_secs_f64() - 1.0).exp();
        let energy = self.settings.power_kw * factor * took.as_secs_f64() / 3600.0;
        self.tell(Signal::ActualCycleTime, Variant::UInt64(milliseconds(took)));
        self.tell(Signal::EnergyConsumption, Variant::Double(energy));
        if self.settings.alerts && self.now >= PRESSURE_DRIFTS_AFTER {
            let drift = self.random.normal((factor - 1.0) * 10.0, 10.0);
            self.set_pressure((self.pressure + drift).clamp(PRESSURE_LOW_MBAR, PRESSURE_HIGH_MBAR));
        }
        if self.random.normal(0.0, 1.0) > DISCARD_DEVIATIONS {
            self.discarded += 1;
            self.tell(Signal::NumberOfDiscardedProducts, Variant::UInt64(self.discarded));
            self.set_status(Status::Discarded);
        } else {
            self.manufactured += 1;
            self.tell(Signal::NumberOfManufacturedProducts, Variant::UInt64(self.manufactured));
            self.set_status(Status::Done);
        }
    }

    fn set_status(&mut self, status: Status) {
        if self.status != status {
            self.status = status;
            self.tell(Signal::Status, Variant::Int32(status as i32));
        }
    }

    fn set_pressure(&mut self, pressure: f64) {
        self.pressure = pressure;
        self.tell(Signal::Pressure, Variant::Double(pressure));
    }

    fn tell(&mut self, signal: Signal, value: Variant) {
        if self.changes.len() >= CHANGES_MAX {
            self.changes.pop_front();
        }
        self.changes.push_back(Change { at: self.now, signal, value });
    }
}

fn bad_invalid_state() -> StatusCode {
    StatusCode::from_name("BadInvalidState").unwrap_or(StatusCode::BAD_NO_DATA)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
