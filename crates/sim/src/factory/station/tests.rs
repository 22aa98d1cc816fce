//! Facts of a station: each rule, with statistics over a fixed seed.

use super::*;
use crate::factory::line::Line;
use crate::factory::mes::Place;
use crate::factory::options::{DEMO_CLOCK_FACTOR, LINES_MAX, settings as settings_of};
use expect_test::expect;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> StationSettings {
    StationSettings {
        power_kw: 200.0,
        ideal_cycle: 6 * SECOND,
        alerts: true,
        running_time_step: 1000 * 3600 * SECOND,
    }
}

fn station(seed: u64) -> Station {
    Station::new(settings(), Random::new(seed, 0))
}

fn changes(station: &mut Station) -> Vec<Change> {
    std::iter::from_fn(|| station.poll_change()).collect()
}

/// Runs pieces through a station and hands out what each one told.
fn run(station: &mut Station, pieces: u64, mut each: impl FnMut(Status, &[Change])) {
    for serial in 1..=pieces {
        station.execute(serial).unwrap();
        station.advance(station.next_timeout());
        let status = station.status();
        each(status, &changes(station));
        station.advance(station.now + SECOND);
        station.reset().unwrap();
    }
}

fn number(changes: &[Change], signal: Signal) -> Option<f64> {
    changes.iter().find(|change| change.signal == signal).map(|change| match change.value {
        Variant::Double(value) => value,
        Variant::UInt64(value) => value as f64,
        Variant::Int32(value) => f64::from(value),
        _ => panic!("{change:?} is no number"),
    })
}

#[test]
fn a_cycle_tells_its_story_in_order() {
    let mut station = station(1);
    station.advance(10 * SECOND);
    station.execute(42).unwrap();
    station.advance(60 * SECOND);
    let line = |change: &Change| {
        let value = match change.value {
            Variant::Double(value) => format!("{value:.6}"),
            ref other => format!("{other:?}"),
        };
        format!("{:.3} {:?} {value}", change.at.as_secs_f64(), change.signal)
    };
    let story: Vec<String> = changes(&mut station).iter().map(line).collect();
    expect![[r#"
        10.000 ProductSerialNumber UInt64(42)
        10.000 Status Int32(1)
        16.412 ActualCycleTime UInt64(6411)
        16.412 EnergyConsumption 0.356217
        16.412 NumberOfManufacturedProducts UInt64(1)
        16.412 Status Int32(2)"#]]
    .assert_eq(&story.join("\n"));
}

#[test]
fn cycles_last_as_long_as_the_half_normal_distribution_says() {
    let mut station = station(2);
    let mut ratios = Vec::new();
    run(&mut station, 20_000, |_, changes| {
        if let Some(actual) = number(changes, Signal::ActualCycleTime) {
            ratios.push(actual / 6000.0);
        }
    });
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    // The mean of |N(0, 0.1)| is 0.1 * sqrt(2 / pi) = 0.0798.
    assert!((mean - 1.0798).abs() < 0.002, "mean {mean}");
    assert!(ratios.iter().all(|ratio| *ratio >= 0.9999), "no cycle is shorter than the ideal one");
}

#[test]
fn faults_and_discarded_pieces_are_as_rare_as_the_tails_of_the_normal_distribution() {
    let mut station = station(3);
    let (mut faults, mut discarded, mut done) = (0, 0, 0);
    run(&mut station, 100_000, |status, _| match status {
        Status::Fault => faults += 1,
        Status::Discarded => discarded += 1,
        Status::Done => done += 1,
        other => panic!("{other:?}"),
    });
    // P(N > 3) = 0.00135, P(N > 2) = 0.02275.
    assert!((90..190).contains(&faults), "{faults} faults");
    assert!((2100..2450).contains(&discarded), "{discarded} discarded");
    assert_eq!(done as u64, station.manufactured);
    assert_eq!(discarded as u64, station.discarded);
    assert_eq!(faults + discarded + done, 100_000);
}

#[test]
fn the_fault_clock_runs_until_reset_and_shows_zero_with_the_next_piece() {
    let mut station = station(4);
    let mut serial = 0;
    while station.status() != Status::Fault {
        station.reset().unwrap();
        serial += 1;
        station.execute(serial).unwrap();
        station.advance(station.next_timeout());
    }
    let began = station.now;
    let (start, shown) = {
        let told = changes(&mut station);
        let work = told.iter().rfind(|change| change.value == Variant::Int32(1)).unwrap().at;
        (work, told.last().unwrap().at)
    };
    assert!(shown - start >= FAULT_AFTER, "a fault shows after five seconds at the earliest");
    assert!(station.execute(99).is_err(), "a broken station takes no piece");
    station.advance(began + 63 * SECOND);
    station.reset().unwrap();
    assert_eq!(number(&changes(&mut station), Signal::FaultyTime), Some(63_000.0));
    station.execute(99).unwrap();
    assert_eq!(number(&changes(&mut station), Signal::FaultyTime), Some(0.0));
}

#[test]
fn energy_follows_time_and_rises_with_the_speed() {
    let mut station = station(5);
    let energy_per_second = |station: &mut Station| {
        let mut ratio = None;
        run(station, 3, |_, changes| {
            if let Some(actual) = number(changes, Signal::ActualCycleTime) {
                ratio = number(changes, Signal::EnergyConsumption).map(|energy| energy / actual * 1000.0);
            }
        });
        ratio.unwrap()
    };
    let normal = energy_per_second(&mut station);
    assert!((normal - 200.0 / 3600.0).abs() < 1e-4, "{normal}");
    assert_eq!(station.set_ideal_cycle(SECOND), 3 * SECOND, "half the built-in cycle is the floor");
    let fast = energy_per_second(&mut station);
    assert!((fast / normal - std::f64::consts::E).abs() < 0.01, "{}", fast / normal);
}

#[test]
fn pressure_drifts_after_half_a_minute_between_its_bounds_until_the_valve_opens() {
    let mut station = station(6);
    station.set_ideal_cycle(SECOND);
    let mut seen = Vec::new();
    let mut early = 0;
    run(&mut station, 2000, |_, changes| {
        for change in changes.iter().filter(|change| change.signal == Signal::Pressure) {
            early += usize::from(change.at < PRESSURE_DRIFTS_AFTER);
            seen.push(number(std::slice::from_ref(change), Signal::Pressure).unwrap());
        }
    });
    assert_eq!(early, 0);
    assert!(seen.iter().all(|mbar| (PRESSURE_LOW_MBAR..=PRESSURE_HIGH_MBAR).contains(mbar)));
    assert!(seen.iter().any(|mbar| *mbar > PRESSURE_ALERT_MBAR), "twice the speed drives the pressure up");
    station.open_pressure_release_valve();
    assert_eq!(number(&changes(&mut station), Signal::Pressure), Some(PRESSURE_LOW_MBAR));
}

#[test]
fn a_station_without_alerts_keeps_its_pressure() {
    let mut calm = Station::new(StationSettings { alerts: false, ..settings() }, Random::new(6, 0));
    run(&mut calm, 500, |_, changes| assert_eq!(number(changes, Signal::Pressure), None));
}

#[test]
fn overall_running_time_grows_with_time_even_when_nothing_is_made() {
    let mut idle =
        Station::new(StationSettings { running_time_step: SECOND, ..settings() }, Random::new(1, 0));
    idle.advance(3 * SECOND + SECOND / 2);
    let told: Vec<(Duration, Variant)> =
        changes(&mut idle).into_iter().map(|change| (change.at, change.value)).collect();
    let expected: Vec<(Duration, Variant)> =
        (1..=3).map(|n| (n as u32 * SECOND, Variant::UInt64(n * 1000))).collect();
    assert_eq!(told, expected);
}

#[test]
fn only_a_ready_station_takes_a_piece_and_a_working_one_is_not_reset() {
    let mut station = station(1);
    station.execute(1).unwrap();
    assert!(station.execute(2).is_err());
    assert!(station.reset().is_err());
    assert_eq!(station.serial(), 1);
}

fn history(seed: u64, steps: &[Duration]) -> Vec<(Place, Change)> {
    let mut line = Line::new([settings(), settings(), settings()], seed, 0, true);
    for step in steps {
        line.advance(*step);
    }
    let mut all = Vec::new();
    for place in Place::ALL {
        all.extend(std::iter::from_fn(|| line.poll_change(place)).map(|change| (place, change)));
    }
    all
}

#[test]
fn the_history_of_a_line_depends_on_the_seed_and_not_on_when_it_is_looked_at() {
    let hour = 3600 * SECOND;
    let fine: Vec<Duration> = (1..=36_000).map(|n| hour / 36_000 * n).collect();
    let coarse = [hour / 7, hour / 2, hour];
    assert_eq!(history(1, &fine), history(1, &coarse));
    assert_ne!(history(1, &coarse), history(2, &coarse));
}

#[test]
fn a_piece_passes_all_stations_of_a_line_with_one_serial_number() {
    let told = history(1, &[600 * SECOND]);
    let serials = |wanted: Place| -> Vec<u64> {
        told.iter()
            .filter(|(place, change)| *place == wanted && change.signal == Signal::ProductSerialNumber)
            .map(|(_, change)| match change.value {
                Variant::UInt64(serial) => serial,
                _ => panic!("{change:?}"),
            })
            .collect()
    };
    let assembled = serials(Place::Assembly);
    let expected: Vec<u64> = (1..=assembled.len() as u64).collect();
    assert_eq!(assembled, expected, "Assembly numbers pieces without a hole");
    let packed = serials(Place::Packaging);
    assert!(packed.len() > 40, "{} pieces in ten minutes", packed.len());
    let tested = serials(Place::Test);
    assert!(packed.iter().all(|serial| tested.contains(serial)), "no piece skips the test");
    assert!(packed.is_sorted_by(|a, b| a < b), "no piece overtakes another");
}

#[test]
fn at_the_demo_factor_every_station_finishes_a_cycle_within_two_seconds() {
    let two_seconds = Duration::from_secs_f64(2.0 * DEMO_CLOCK_FACTOR);
    for number in 0..LINES_MAX {
        let settings = Place::ALL.map(|place| settings_of(number, place, DEMO_CLOCK_FACTOR));
        let mut line = Line::new(settings, 1, number as u64, true);
        line.advance(two_seconds);
        for place in Place::ALL {
            let told = std::iter::from_fn(|| line.poll_change(place));
            let finished = told.filter(|change| change.signal == Signal::ActualCycleTime).count();
            assert!(finished > 0, "line {number} {place:?}");
        }
    }
}
