//! What operators can observe of an execution: spans and events of `tracing` (feature `tracing`),
//! and metrics through the facade `metrics` (feature `metrics`). Without these features it does
//! nothing.

#[cfg(feature = "metrics")]
mod keys;
#[cfg(feature = "metrics")]
mod numbers;
#[cfg(not(feature = "metrics"))]
#[path = "no_numbers.rs"]
mod numbers;

#[cfg(feature = "tracing")]
mod traces;
#[cfg(not(feature = "tracing"))]
#[path = "no_traces.rs"]
mod traces;

use std::time::Duration;

use self::numbers::Numbers;
use self::traces::Traces;
use crate::execute::error::ExecuteError;
use crate::execute::execution::Execution;
use crate::store::StoreError;
use crate::values::{CausationId, CorrelationId};

/// Observes one execution of a command.
pub(crate) struct Observer {
    traces: Traces,
    numbers: Numbers,
}

/// A part of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Read,
    Fold,
    Discover,
    Handle,
    Append,
    SaveSnapshot,
    BackOff,
    /// The server executes the command itself.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "only that store has commands in the server")
    )]
    Call,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Written,
    Nothing,
    Rejected,
    Conflict,
    Deadline,
    Failed,
}

/// The result of a successful execution.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(all(feature = "metrics", feature = "tracing")),
    allow(dead_code, reason = "each field is for one of the features")
)]
pub(crate) struct Outcome {
    pub(crate) wrote: bool,
    /// How many events it has written.
    pub(crate) events: u64,
    pub(crate) attempts: u32,
}

impl Outcome {
    pub(crate) fn of(execution: &Execution) -> Self {
        Self {
            wrote: execution.wrote(),
            events: execution.written.len() as u64,
            attempts: execution.attempts,
        }
    }
}

impl Observer {
    pub(crate) fn new(
        command: &'static str,
        correlation_id: CorrelationId,
        causation_id: CausationId,
    ) -> Self {
        Self {
            traces: Traces::new(command, correlation_id, causation_id),
            numbers: Numbers::new(command),
        }
    }

    /// Observes the whole execution.
    pub(crate) fn whole<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.traces.whole(work)
    }

    pub(crate) async fn phase<F: Future>(&self, phase: Phase, work: F) -> F::Output {
        let output = self.traces.phase(phase, work).await;
        self.numbers.phase(phase);
        output
    }

    /// Observes a phase that awaits nothing.
    pub(crate) fn step<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let output = self.traces.step(phase, work);
        self.numbers.phase(phase);
        output
    }

    /// This many events of this many streams were read.
    pub(crate) fn read(&self, streams: usize, events: usize) {
        self.traces.read(streams, events);
        self.numbers.read(events);
    }

    /// An attempt failed.
    pub(crate) fn failed(&self, error: &StoreError) {
        self.numbers.failed(error);
    }

    /// An attempt failed and is repeated after this wait.
    pub(crate) fn retry(&self, attempts: u32, wait: Duration, error: &StoreError) {
        self.traces.retry(attempts, wait, error);
        self.numbers.retry(error);
    }

    /// A snapshot could not be used or saved. This only costs time.
    pub(crate) fn snapshot_failed(&self, error: &dyn std::error::Error) {
        self.traces.snapshot_failed(error);
        self.numbers.snapshot_failed();
    }

    pub(crate) fn end(&self, result: Result<Outcome, &ExecuteError>) {
        let ending = Ending::of(result);
        self.traces.end(ending.name(), result);
        self.numbers.end(ending, result);
    }
}

#[cfg_attr(
    not(feature = "metrics"),
    allow(dead_code, reason = "only metrics name the phases")
)]
impl Phase {
    /// In the order of their declaration.
    const ALL: [Self; 8] = [
        Self::Read,
        Self::Fold,
        Self::Discover,
        Self::Handle,
        Self::Append,
        Self::SaveSnapshot,
        Self::BackOff,
        Self::Call,
    ];
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Fold => "fold",
            Self::Discover => "discover",
            Self::Handle => "handle",
            Self::Append => "append",
            Self::SaveSnapshot => "save_snapshot",
            Self::BackOff => "back_off",
            Self::Call => "call",
        }
    }
}

impl Ending {
    #[cfg_attr(
        not(feature = "metrics"),
        allow(dead_code, reason = "only metrics need all of them")
    )]
    const ALL: [Self; 6] = [
        Self::Written,
        Self::Nothing,
        Self::Rejected,
        Self::Conflict,
        Self::Deadline,
        Self::Failed,
    ];

    fn of(result: Result<Outcome, &ExecuteError>) -> Self {
        match result {
            Ok(outcome) if outcome.wrote => Self::Written,
            Ok(_) => Self::Nothing,
            Err(error) if error.is_business_rule() => Self::Rejected,
            Err(error) if error.is_version_conflict() => Self::Conflict,
            Err(error) if error.is_deadline() => Self::Deadline,
            Err(_) => Self::Failed,
        }
    }

    /// Its name in traces and metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Nothing => "nothing",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Deadline => "deadline",
            Self::Failed => "failed",
        }
    }
}
