//! No traces: the feature `tracing` is off.

use std::time::Duration;

use super::{Outcome, Phase};
use crate::execute::error::ExecuteError;
use crate::store::StoreError;
use crate::values::{CausationId, CorrelationId};

pub(super) struct Traces;

impl Traces {
    pub(super) fn new(_: &'static str, _: CorrelationId, _: CausationId) -> Self {
        Self
    }

    pub(super) fn whole<F: Future>(&self, work: F) -> F {
        work
    }

    pub(super) fn phase<F: Future>(&self, _: Phase, work: F) -> F {
        work
    }

    pub(super) fn step<T>(&self, _: Phase, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(super) fn read(&self, _: usize, _: usize) {}

    pub(super) fn retry(&self, _: u32, _: Duration, _: &StoreError) {}

    pub(super) fn snapshot_failed(&self, _: &dyn std::error::Error) {}

    pub(super) fn end(&self, _: &'static str, _: Result<Outcome, &ExecuteError>) {}
}
