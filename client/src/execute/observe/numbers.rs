//! Metrics through the facade `metrics`. The crate's documentation lists them.

use std::time::Instant;

use metrics::{counter, histogram};

use super::{Outcome, Phase};
use crate::execute::error::ExecuteError;
use crate::store::StoreError;

pub(super) struct Numbers {
    command: &'static str,
    started: Instant,
}

/// When a phase began.
pub(super) struct Started(Instant);

impl Numbers {
    pub(super) fn new(command: &'static str) -> Self {
        Self {
            command,
            started: Instant::now(),
        }
    }

    pub(super) fn start(&self) -> Started {
        Started(Instant::now())
    }

    pub(super) fn phase(&self, phase: Phase, started: Started) {
        let seconds = started.0.elapsed().as_secs_f64();
        histogram!("eventcore_phase_duration_seconds", "command" => self.command, "phase" => phase.name())
            .record(seconds);
    }

    pub(super) fn read(&self, events: usize) {
        counter!("eventcore_events_read_total", "command" => self.command).increment(events as u64);
    }

    pub(super) fn failed(&self, error: &StoreError) {
        if error.is_version_conflict() {
            counter!("eventcore_version_conflicts_total", "command" => self.command).increment(1);
        }
    }

    pub(super) fn retry(&self, error: &StoreError) {
        let reason = if error.is_version_conflict() {
            "conflict"
        } else {
            "transient"
        };
        counter!("eventcore_retries_total", "command" => self.command, "reason" => reason)
            .increment(1);
    }

    pub(super) fn snapshot_failed(&self) {
        counter!("eventcore_snapshot_failures_total", "command" => self.command).increment(1);
    }

    pub(super) fn end(&self, name: &'static str, result: Result<Outcome, &ExecuteError>) {
        let seconds = self.started.elapsed().as_secs_f64();
        histogram!("eventcore_execution_duration_seconds", "command" => self.command)
            .record(seconds);
        counter!("eventcore_executions_total", "command" => self.command, "outcome" => name)
            .increment(1);
        if let Ok(outcome) = result {
            counter!("eventcore_events_written_total", "command" => self.command)
                .increment(outcome.events);
        }
    }
}
