//! What a background process does after a failure: it shows the failure in a view, logs it once a
//! minute, and tries again after a pause that grows.

use super::log::log_once_a_minute;
use crate::pg::catch::ErrorSummary;
use crate::processes;
use std::time::{Duration, Instant};

/// The pause after the first failure. It doubles with each further failure.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A task that may fail and is retried.
pub struct Retry {
    /// What the process cannot do, for the log.
    what: &'static str,
    pause: Duration,
    until: Option<Instant>,
}

impl Retry {
    pub const fn new(what: &'static str) -> Self {
        Self {
            what,
            pause: PAUSE,
            until: None,
        }
    }

    /// Records a failure; returns how long to wait before the next attempt.
    pub fn failed(&mut self, error: &ErrorSummary) -> Duration {
        processes::failed(error);
        log(self.what, error);
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        self.until = Some(Instant::now() + pause);
        pause
    }

    /// Records a success.
    pub fn succeeded(&mut self) {
        self.pause = PAUSE;
        self.until = None;
    }

    /// How long to wait still; `None` if the task may be tried now.
    pub fn remaining(&self) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }
}

/// Logs that a process cannot do something. For what fails beside a task that has failed: the views
/// show the task's own error, and only that one counts.
pub fn log(what: &str, error: &ErrorSummary) {
    let ErrorSummary {
        sqlstate, message, ..
    } = error;
    log_once_a_minute(&format!("eventcore: {what}: {sqlstate}: {message}"));
}

/// The error for too few background workers: SQLSTATE 53400, configuration_limit_exceeded.
pub fn no_free_worker() -> ErrorSummary {
    ErrorSummary {
        sqlstate: "53400".to_owned(),
        message: "no background worker is free; raise max_worker_processes".to_owned(),
        is_full_queue: false,
    }
}
