//! Spans and events of `tracing`. Each execution has one span, `eventcore.execute`, with one span
//! for each phase inside: `eventcore.read`, `eventcore.handle`, …

use std::error::Error;
use std::time::Duration;

use tracing::field::Empty;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span, debug, debug_span, info_span, warn};

use super::{Outcome, Phase};
use crate::execute::error::ExecuteError;
use crate::store::StoreError;
use crate::values::error_chain::chain;
use crate::values::{CausationId, CorrelationId};

pub(super) struct Traces(Span);

impl Traces {
    pub(super) fn new(
        command: &'static str,
        correlation_id: CorrelationId,
        causation_id: CausationId,
    ) -> Self {
        Self(info_span!(
            "eventcore.execute",
            command,
            %correlation_id,
            %causation_id,
            outcome = Empty,
            attempts = Empty,
        ))
    }

    pub(super) fn whole<F: Future>(&self, work: F) -> Instrumented<F> {
        work.instrument(self.0.clone())
    }

    pub(super) fn phase<F: Future>(&self, phase: Phase, work: F) -> Instrumented<F> {
        work.instrument(self.span(phase))
    }

    pub(super) fn step<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        self.span(phase).in_scope(work)
    }

    pub(super) fn read(&self, streams: usize, events: usize) {
        debug!(parent: &self.0, streams, events, "read");
    }

    pub(super) fn retry(&self, attempts: u32, wait: Duration, error: &StoreError) {
        let error = chain(error);
        debug!(parent: &self.0, attempts, ?wait, error, "the command is tried again");
    }

    pub(super) fn snapshot_failed(&self, error: &dyn Error) {
        let error = chain(error);
        warn!(parent: &self.0, error, "a snapshot could not be used or saved");
    }

    pub(super) fn end(&self, name: &'static str, result: Result<Outcome, &ExecuteError>) {
        self.0.record("outcome", name);
        match result {
            Ok(outcome) => {
                self.0.record("attempts", outcome.attempts);
            }
            Err(error) => {
                self.0.record("attempts", error.attempts());
                let is_expected = error.is_business_rule();
                let error = chain(error);
                if is_expected {
                    debug!(parent: &self.0, error, "the command was rejected");
                } else {
                    warn!(parent: &self.0, error, "the command was not executed");
                }
            }
        }
    }

    fn span(&self, phase: Phase) -> Span {
        let parent = &self.0;
        match phase {
            Phase::Read => debug_span!(parent: parent, "eventcore.read"),
            Phase::Fold => debug_span!(parent: parent, "eventcore.fold"),
            Phase::Discover => debug_span!(parent: parent, "eventcore.discover"),
            Phase::Handle => debug_span!(parent: parent, "eventcore.handle"),
            Phase::Append => debug_span!(parent: parent, "eventcore.append"),
            Phase::SaveSnapshot => debug_span!(parent: parent, "eventcore.save_snapshot"),
            Phase::BackOff => debug_span!(parent: parent, "eventcore.back_off"),
            #[cfg(feature = "postgres")]
            Phase::Call => debug_span!(parent: parent, "eventcore.call"),
        }
    }
}
