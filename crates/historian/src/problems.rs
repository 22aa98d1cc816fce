//! What a person should know about the store, kept until it is over.

use gemba_api::Problem;
use gemba_base::Clock;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// Problems of different places that are kept; more are counted in the text of none.
const PROBLEMS_MAX: usize = 64;

/// Current problems by kind and place.
#[derive(Debug, Default)]
pub(crate) struct Problems(Mutex<BTreeMap<(&'static str, String), Problem>>);

impl Problems {
    /// Reports a problem, or gives a known one its newest text.
    pub(crate) fn set(
        &self,
        clock: &dyn Clock,
        code: &'static str,
        place: &str,
        text: String,
        remedy: &str,
        urgency: u8,
    ) {
        let mut problems = self.0.lock();
        let key = (code, place.to_owned());
        if let Some(known) = problems.get_mut(&key) {
            known.text = text;
            known.urgency = urgency;
            return;
        }
        if problems.len() >= PROBLEMS_MAX {
            return;
        }
        tracing::warn!(code, place, text, "historian problem");
        let problem = Problem {
            code: code.to_owned(),
            text,
            place: place.to_owned(),
            remedy: remedy.to_owned(),
            since: clock.now(),
            urgency,
        };
        problems.insert(key, problem);
    }

    /// A problem is over.
    pub(crate) fn clear(&self, code: &'static str, place: &str) {
        self.0.lock().remove(&(code, place.to_owned()));
    }

    pub(crate) fn list(&self) -> Vec<Problem> {
        self.0.lock().values().cloned().collect()
    }
}
