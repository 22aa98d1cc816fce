//! `cargo x sim`: runs seeds and says which of them break a promise.

use anyhow::{Result, bail};
use gemba_chaos::{Outcome, Plan, run, say};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
cargo x sim [--seed N] [--seeds COUNT] [--hours H] [--jobs N] [--trace]

  --seed N        the first seed (default 1)
  --seeds COUNT   how many seeds in a row (default 1)
  --hours H       virtual hours of each (default 6)
  --jobs N        threads (default: as many as the machine has processors)
  --trace         print everything that happens
";

struct Arguments {
    first: u64,
    count: u64,
    hours: f64,
    jobs: usize,
    is_loud: bool,
}

fn main() -> ExitCode {
    match go() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(64)
        }
    }
}

fn arguments() -> Result<Arguments> {
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut found = Arguments { first: 1, count: 1, hours: 6.0, jobs, is_loud: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| anyhow::anyhow!("{word} needs a value\n\n{HELP}"));
        match word.as_str() {
            "--seed" => found.first = value()?.parse()?,
            "--seeds" => found.count = value()?.parse()?,
            "--hours" => found.hours = value()?.parse()?,
            "--jobs" => found.jobs = value()?.parse::<usize>()?.max(1),
            "--trace" => found.is_loud = true,
            _ => bail!("'{word}' is not known\n\n{HELP}"),
        }
    }
    Ok(found)
}

fn go() -> Result<bool> {
    let Arguments { first, count, hours, jobs, is_loud } = arguments()?;
    let (next, failed) = (AtomicU64::new(first), AtomicU64::new(0));
    let begun = Instant::now();
    let virtual_millis = AtomicU64::new(0);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                return;
            }
            let begun = cpu_seconds();
            let outcome = run(Plan { seed, hours, is_loud });
            virtual_millis.fetch_add(outcome.virtual_time.as_millis() as u64, Ordering::Relaxed);
            failed.fetch_add(u64::from(!outcome.is_clean()), Ordering::Relaxed);
            say(&report(&outcome, cpu_seconds() - begun));
        }
    };
    thread::scope(|scope| {
        let extra = (count as usize).min(jobs).saturating_sub(1);
        (0..extra).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let failed = failed.into_inner();
    let hours = Duration::from_millis(virtual_millis.into_inner()).as_secs_f64() / 3_600.0;
    let seconds = begun.elapsed().as_secs_f64();
    say(&format!("{count} seed(s), {hours:.1} h of virtual time in {seconds:.1} s, {failed} failed"));
    Ok(failed == 0)
}

/// CPU time of this thread so far, as Linux tells it; 0 elsewhere.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos: u64 = text.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0);
    nanos as f64 / 1e9
}

fn report(outcome: &Outcome, took: f64) -> String {
    let speed = outcome.virtual_time.as_secs_f64() / took.max(1e-9);
    let line = format!(
        "seed {}: {} faults, {} values accepted, {} stored, {} missing and explained, trace {:016x}, {:.1} h in {:.2} CPU s ({:.0} x real time)",
        outcome.plan.seed,
        outcome.faults,
        outcome.accepted,
        outcome.stored,
        outcome.explained,
        outcome.hash,
        outcome.virtual_time.as_secs_f64() / 3_600.0,
        took,
        speed,
    );
    if outcome.is_clean() {
        return line;
    }
    let tail = outcome.last_lines.len().saturating_sub(60);
    let lines = outcome.last_lines.get(tail..).unwrap_or_default().join("\n");
    let broken = outcome.violations.join("\n  ");
    format!("{lines}\nFAILED {line}\n  {broken}\n  again: {}", outcome.command())
}
