//! No metrics: the feature `metrics` is off.

use super::{Outcome, Phase};
use crate::execute::error::ExecuteError;
use crate::store::StoreError;

pub(super) struct Numbers;

/// When a phase began, if metrics are on.
pub(super) struct Started;

impl Numbers {
    pub(super) fn new(_: &'static str) -> Self {
        Self
    }

    pub(super) fn start(&self) -> Started {
        Started
    }

    pub(super) fn phase(&self, _: Phase, _: Started) {}

    pub(super) fn read(&self, _: usize) {}

    pub(super) fn failed(&self, _: &StoreError) {}

    pub(super) fn retry(&self, _: &StoreError) {}

    pub(super) fn snapshot_failed(&self) {}

    pub(super) fn end(&self, _: &'static str, _: Result<Outcome, &ExecuteError>) {}
}
