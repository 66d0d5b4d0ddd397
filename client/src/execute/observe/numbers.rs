//! Metrics through the facade `metrics`. The crate's documentation lists them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metrics::{Key, Level, Metadata, with_recorder};

use super::keys::Keys;
use super::{Ending, Outcome, Phase};
use crate::execute::error::ExecuteError;
use crate::store::StoreError;

pub(super) struct Numbers {
    keys: Arc<Keys>,
    started: Instant,
    /// When the last phase ended, in nanoseconds since the start. A phase lasts from there, so that
    /// each phase reads the clock once.
    ended: AtomicU64,
}

static METADATA: Metadata<'_> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

impl Numbers {
    pub(super) fn new(command: &'static str) -> Self {
        Self {
            keys: Keys::of(command),
            started: Instant::now(),
            ended: AtomicU64::new(0),
        }
    }

    pub(super) fn phase(&self, phase: Phase) {
        let now = self.nanoseconds();
        let began = self.ended.swap(now, Ordering::Relaxed);
        record(self.keys.phase(phase), now.saturating_sub(began));
    }

    pub(super) fn read(&self, events: usize) {
        increment(&self.keys.read, events as u64);
    }

    pub(super) fn failed(&self, error: &StoreError) {
        if error.is_version_conflict() {
            increment(&self.keys.conflicts, 1);
        }
    }

    pub(super) fn retry(&self, error: &StoreError) {
        let key = match error.is_version_conflict() {
            true => &self.keys.retries_after_conflict,
            false => &self.keys.other_retries,
        };
        increment(key, 1);
    }

    pub(super) fn snapshot_failed(&self) {
        increment(&self.keys.snapshot_failures, 1);
    }

    pub(super) fn end(&self, ending: Ending, result: Result<Outcome, &ExecuteError>) {
        record(&self.keys.duration, self.nanoseconds());
        increment(self.keys.ending(ending), 1);
        if let Ok(outcome) = result {
            increment(&self.keys.written, outcome.events);
        }
    }

    fn nanoseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The recorder is asked for its counter each time: an application may install one at any time, and
/// another one for a thread.
fn increment(key: &Key, by: u64) {
    with_recorder(|recorder| recorder.register_counter(key, &METADATA)).increment(by);
}

fn record(key: &Key, nanoseconds: u64) {
    let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
    with_recorder(|recorder| recorder.register_histogram(key, &METADATA)).record(seconds);
}
