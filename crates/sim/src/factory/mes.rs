//! The manufacturing execution system of a line: moves pieces from station to station.

use super::station::Status;
use std::time::Duration;

/// The stations of a line, in the order of work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)] // The names say it.
pub enum Place {
    Assembly,
    Test,
    Packaging,
}

impl Place {
    /// All of them, in the order of work.
    pub const ALL: [Self; 3] = [Self::Assembly, Self::Test, Self::Packaging];
}

/// What a station is told to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Take this piece.
    Execute(Place, u64),
    /// Get ready for the next one.
    Reset(Place),
}

/// What the system sees of a station.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Its Status node.
    pub status: Status,
    /// Its ProductSerialNumber node.
    pub serial: u64,
}

/// How long somebody needs to repair a station.
const REPAIR: Duration = Duration::from_secs(60);

/// Looks at the stations and decides; holds no more than the next serial number and when faults began.
#[derive(Debug)]
pub struct Mes {
    next_serial: u64,
    faults: [Option<Duration>; 3],
}

impl Mes {
    /// How often it looks.
    pub const TICK: Duration = Duration::from_secs(1);

    /// The first piece gets this serial number.
    pub const fn new(first_serial: u64) -> Self {
        Self { next_serial: first_serial, faults: [None; 3] }
    }

    /// Decides from what is seen in this instant. The commands are to be carried out in their order;
    /// one that a station refuses is simply decided again at the next tick.
    pub fn tick(&mut self, now: Duration, [assembly, test, packaging]: [Seen; 3]) -> Vec<Command> {
        let mut commands = Vec::new();
        for ((place, seen), fault) in
            Place::ALL.into_iter().zip([assembly, test, packaging]).zip(&mut self.faults)
        {
            if seen.status != Status::Fault {
                *fault = None;
            }
            match seen.status {
                Status::Discarded => commands.push(Command::Reset(place)),
                Status::Fault if now >= *fault.get_or_insert(now) + REPAIR => {
                    commands.push(Command::Reset(place));
                }
                _ => {}
            }
        }
        if packaging.status == Status::Done {
            commands.push(Command::Reset(Place::Packaging));
        }
        if test.status == Status::Done && packaging.status == Status::Ready {
            commands.push(Command::Execute(Place::Packaging, test.serial));
            commands.push(Command::Reset(Place::Test));
        }
        if assembly.status == Status::Done && test.status == Status::Ready {
            commands.push(Command::Execute(Place::Test, assembly.serial));
            commands.push(Command::Reset(Place::Assembly));
        }
        if assembly.status == Status::Ready {
            commands.push(Command::Execute(Place::Assembly, self.next_serial));
            self.next_serial += 1;
        }
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Discarded, Done, Fault, Ready, WorkInProgress};
    use expect_test::{Expect, expect};

    fn check(statuses: [Status; 3], expected: Expect) {
        let mut mes = Mes::new(100);
        let seen = [(statuses[0], 3), (statuses[1], 2), (statuses[2], 1)]
            .map(|(status, serial)| Seen { status, serial });
        let commands: Vec<String> =
            mes.tick(Duration::ZERO, seen).iter().map(|command| format!("{command:?}")).collect();
        expected.assert_eq(&commands.join("; "));
    }

    #[test]
    fn pieces_move_on_when_the_next_station_is_ready() {
        check([Ready, Ready, Ready], expect!["Execute(Assembly, 100)"]);
        check([Done, Ready, Ready], expect!["Execute(Test, 3); Reset(Assembly)"]);
        check([Done, Done, Ready], expect!["Execute(Packaging, 2); Reset(Test)"]);
        check([Done, WorkInProgress, Done], expect!["Reset(Packaging)"]);
        check([WorkInProgress, Discarded, WorkInProgress], expect!["Reset(Test)"]);
        check([WorkInProgress; 3], expect![""]);
    }

    #[test]
    fn a_fault_is_reset_after_a_minute() {
        let mut mes = Mes::new(1);
        let seen = [WorkInProgress, Fault, WorkInProgress].map(|status| Seen { status, serial: 0 });
        for second in 10..70 {
            assert_eq!(mes.tick(Duration::from_secs(second), seen), [], "second {second}");
        }
        assert_eq!(mes.tick(Duration::from_secs(70), seen), [Command::Reset(Place::Test)]);
    }
}
