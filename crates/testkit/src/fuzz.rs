//! Seeded fuzzing on stable Rust: one driver for every parser of outside bytes.
//!
//! A target is a `fn(&[u8])` that panics when something is wrong. Its inputs are files in
//! `testdata/fuzz/<target>/` at the repository root and what its test hands in; the driver runs them as they are,
//! then mutated. The same seed gives the same inputs on every machine.
//!
//! Short by default, as part of the test suite. `cargo x fuzz` sets these variables:
//!
//! | Variable | What |
//! |---|---|
//! | `GEMBA_FUZZ_SECONDS` | run for so long instead of for a number of executions |
//! | `GEMBA_FUZZ_TARGET` | run this target alone |
//! | `GEMBA_FUZZ_SEED` | begin at this seed |
//! | `GEMBA_FUZZ_INPUT` | run this one input, in hexadecimal digits |
//! | `GEMBA_FUZZ_LIST` | print the targets and run nothing |

mod mutation;

use crate::Rng;
use mutation::Mutator;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A seed makes so many inputs; then the next seed begins. A failure is found again within one of these.
const ROUND: u64 = 1_000;
/// One input that takes longer than this is a hang: the process says which and ends.
const HANG: Duration = Duration::from_secs(120);

/// A parser of outside bytes with what its inputs look like.
pub struct Target {
    name: &'static str,
    run: fn(&[u8]),
    inputs: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    executions: u64,
    bytes_max: usize,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Target {
    /// A target, with the files of its folder as inputs. Names are `crate-what` in small letters.
    pub fn new(name: &'static str, run: fn(&[u8])) -> Self {
        let inputs = files(&folder(name));
        Self { name, run, inputs, words: Vec::new(), executions: 20_000, bytes_max: 64 * 1024 }
    }

    /// More inputs, such as what the encoder writes.
    #[must_use]
    pub fn inputs<T: AsRef<[u8]>>(mut self, inputs: impl IntoIterator<Item = T>) -> Self {
        self.inputs.extend(inputs.into_iter().map(|input| input.as_ref().to_vec()));
        self
    }

    /// Words of the format, put into inputs here and there: names, marks, magic numbers.
    #[must_use]
    pub fn words<T: AsRef<[u8]>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.words.extend(words.into_iter().map(|word| word.as_ref().to_vec()));
        self
    }

    /// How many inputs the test suite runs; 20,000 unless said otherwise. A second of a debug build is enough.
    #[must_use]
    pub const fn executions(mut self, executions: u64) -> Self {
        self.executions = executions;
        self
    }

    /// Inputs grow to at most so many bytes; 64 KiB unless said otherwise.
    #[must_use]
    pub const fn bytes_max(mut self, bytes_max: usize) -> Self {
        self.bytes_max = bytes_max;
        self
    }

    /// Runs the target as the environment says.
    ///
    /// # Panics
    /// As the target does, after the seed, the input and the command that repeats it were printed; and when there
    /// is no input to begin with.
    pub fn run(self) {
        let wish = Wish::of_environment();
        if wish.target.as_deref().is_some_and(|target| target != self.name) {
            return;
        }
        if wish.list {
            return say(&format!("fuzz-target: {}", self.name));
        }
        if let Some(input) = &wish.input {
            return self.execute(input, None);
        }
        assert!(
            !self.inputs.is_empty(),
            "{} has no inputs: put some into {}",
            self.name,
            folder(self.name).display()
        );
        self.mutate(&wish);
    }

    fn mutate(&self, wish: &Wish) {
        let (began, watch) = (Instant::now(), Watch::start(self.name));
        for input in &self.inputs {
            self.execute(input, None);
        }
        self.execute(&[], None);
        let mutator = Mutator { inputs: &self.inputs, words: &self.words, bytes_max: self.bytes_max };
        let (mut seed, mut executions) = (wish.seed, self.inputs.len() as u64 + 1);
        loop {
            watch.look(seed);
            let mut rng = Rng::new(seed);
            for _ in 0..ROUND {
                let input = mutator.input(&mut rng);
                watch.next();
                self.execute(&input, Some(seed));
            }
            executions += ROUND;
            seed = seed.wrapping_add(1);
            let done = match wish.time {
                Some(time) => began.elapsed() >= time,
                None => executions >= self.executions,
            };
            if done {
                break;
            }
        }
        if wish.time.is_some() {
            let seconds = began.elapsed().as_secs_f64();
            say(&format!(
                "fuzz: target={} executions={executions} seconds={seconds:.1} rate={:.0} inputs={} seeds={}..{seed}",
                self.name,
                executions as f64 / seconds,
                self.inputs.len(),
                wish.seed,
            ));
        }
    }

    fn execute(&self, input: &[u8], seed: Option<u64>) {
        let run = self.run;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) {
            let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
            let seed = seed.map_or_else(|| "an input as it is".to_owned(), |seed| format!("seed {seed}"));
            say(&format!(
                "fuzz-failure: {} ({seed}, {} bytes)\n  input  {hex}\n  again  cargo x fuzz {} --input {hex}",
                self.name,
                input.len(),
                self.name,
            ));
            resume_unwind(panic);
        }
    }
}

/// What the environment asks for.
struct Wish {
    time: Option<Duration>,
    target: Option<String>,
    seed: u64,
    input: Option<Vec<u8>>,
    list: bool,
}

impl Wish {
    fn of_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str| {
            text(name)
                .map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text} is no number")))
        };
        Self {
            time: number("GEMBA_FUZZ_SECONDS").map(Duration::from_secs),
            target: text("GEMBA_FUZZ_TARGET"),
            seed: number("GEMBA_FUZZ_SEED").unwrap_or(1),
            input: text("GEMBA_FUZZ_INPUT").map(|hex| bytes_of(&hex)),
            list: text("GEMBA_FUZZ_LIST").is_some(),
        }
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs.map(|pair| u8::from_str_radix(&pair, 16).expect("hexadecimal digits")).collect()
}

/// Ends the process when one input takes for ever: a hang is a finding, and a test that waits tells nobody.
struct Watch {
    seed: Arc<AtomicU64>,
    number: Arc<AtomicU64>,
}

impl Watch {
    fn start(name: &'static str) -> Self {
        let watch = Self { seed: Arc::default(), number: Arc::default() };
        let (seed, number) = (Arc::downgrade(&watch.seed), Arc::downgrade(&watch.number));
        std::thread::spawn(move || {
            let (mut seen, mut since) = (u64::MAX, Instant::now());
            // Ends when the run does, which drops the numbers.
            while let (Some(seed), Some(number)) = (seed.upgrade(), number.upgrade()) {
                let now = number.load(Ordering::Relaxed);
                if now != seen {
                    (seen, since) = (now, Instant::now());
                } else if since.elapsed() > HANG {
                    let seed = seed.load(Ordering::Relaxed);
                    say(&format!("fuzz-failure: {name} hangs\n  again  cargo x fuzz {name} --seed {seed}"));
                    std::process::abort();
                }
                drop((seed, number));
                std::thread::sleep(Duration::from_millis(200));
            }
        });
        watch
    }

    fn look(&self, seed: u64) {
        self.seed.store(seed, Ordering::Relaxed);
    }

    fn next(&self) {
        self.number.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where the files of a target are.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/fuzz").join(name)
}

/// The contents of a folder's files in order of their names; none when there is no folder.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("a corpus file can be read")).collect()
}

/// Past the capture of the test harness, which `cargo x fuzz` reads.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejects_the_word(input: &[u8]) {
        assert!(!input.windows(3).any(|window| window == b"bad"), "found");
    }

    fn accepts(input: &[u8]) {
        std::hint::black_box(input.len());
    }

    #[test]
    fn a_target_runs_its_inputs_and_their_mutations() {
        Target::new("testkit-accepts", accepts).inputs([b"x"]).executions(2_000).run();
    }

    #[test]
    fn a_planted_fault_is_found_from_a_word_of_the_dictionary() {
        let (inputs, words) = ([b"harmless".to_vec()], [b"bad".to_vec()]);
        let mutator = Mutator { inputs: &inputs, words: &words, bytes_max: 100 };
        let mut rng = Rng::new(1);
        let found = (0..2_000)
            .map(|_| mutator.input(&mut rng))
            .find(|input| catch_unwind(|| rejects_the_word(input)).is_err());
        assert!(found.is_some_and(|input| input.windows(3).any(|window| window == b"bad")));
    }

    #[test]
    fn hexadecimal_digits_are_bytes() {
        assert_eq!(bytes_of("00ff 1a"), [0, 255, 26]);
    }
}
