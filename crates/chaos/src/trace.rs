//! What happened, in order: a hash over all of it, and the last lines for people.

use crate::time::TrueTime;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;

/// Lines that are kept for the report of a failure.
const KEPT: usize = 400;

/// The record of one run. Clones are the same record.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    time: TrueTime,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    hash: u64,
    lines: VecDeque<String>,
    is_loud: bool,
    violations: Vec<String>,
}

impl Trace {
    pub(crate) fn new(time: TrueTime, is_loud: bool) -> Self {
        // The offset basis of FNV-1a with 64 bits.
        let inner =
            Inner { hash: 0xcbf2_9ce4_8422_2325, lines: VecDeque::new(), is_loud, violations: Vec::new() };
        Self { time, inner: Arc::new(Mutex::new(inner)) }
    }

    /// Something happened that must happen again with the same seed.
    pub(crate) fn note(&self, what: impl Display) {
        let line = format!("{:>12.3} s  {what}", self.time.elapsed().as_secs_f64());
        let mut inner = self.inner.lock();
        inner.hash_bytes(line.as_bytes());
        if inner.is_loud {
            crate::say(&line);
        }
        if inner.lines.len() >= KEPT {
            inner.lines.pop_front();
        }
        inner.lines.push_back(line);
    }

    /// Numbers that must be the same again, without a line.
    pub(crate) fn count(&self, numbers: &[u64]) {
        let mut inner = self.inner.lock();
        for number in numbers {
            inner.hash_bytes(&number.to_le_bytes());
        }
    }

    /// A promise was broken.
    pub(crate) fn violation(&self, what: impl Display) {
        let what = what.to_string();
        self.note(format_args!("VIOLATION {what}"));
        self.inner.lock().violations.push(what);
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.inner.lock().violations.is_empty()
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.inner.lock().violations.clone()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.inner.lock().hash
    }

    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.inner.lock().lines.iter().cloned().collect()
    }
}

impl Inner {
    /// FNV-1a.
    fn hash_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
