//! What a process of ours does about what goes wrong: it notes it where a view shows it, says so in the log once a
//! minute, and tries again after a pause that grows.

use crate::pg::catch::ErrorSummary;
use crate::pg::transaction;
use crate::processes;
use std::time::{Duration, Instant};

/// The pause after the first failure; twice as long after each that follows it.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How often the log says the same thing.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// One thing that goes wrong, or not.
pub struct Retry {
    /// What the process cannot do, for the log.
    what: &'static str,
    pause: Duration,
    until: Option<Instant>,
    said: Option<(String, Instant)>,
}

impl Retry {
    pub const fn new(what: &'static str) -> Self {
        Self {
            what,
            pause: PAUSE,
            until: None,
            said: None,
        }
    }

    /// It has gone wrong; returns for how long to leave it.
    pub fn failed(&mut self, error: &ErrorSummary) -> Duration {
        processes::failed(error);
        self.say(&format!("{}: {}", error.sqlstate, error.message));
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        self.until = Some(Instant::now() + pause);
        pause
    }

    /// It has gone well.
    pub fn succeeded(&mut self) {
        self.pause = PAUSE;
        self.until = None;
    }

    /// For how long to leave it still; `None` when it may be tried.
    pub fn remaining(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    fn say(&mut self, text: &str) {
        let said = self.said.as_ref();
        if said.is_some_and(|(same, at)| same == text && at.elapsed() < SAY_EVERY) {
            return;
        }
        transaction::log(&format!("eventcore: {}: {text}", self.what));
        self.said = Some((text.to_owned(), Instant::now()));
    }
}

/// Too few background workers: SQLSTATE 53400, configuration_limit_exceeded.
pub fn no_free_worker() -> ErrorSummary {
    ErrorSummary {
        sqlstate: "53400".to_owned(),
        message: "no background worker is free; raise max_worker_processes".to_owned(),
    }
}
