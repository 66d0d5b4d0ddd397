//! No metrics: the feature `metrics` is off.

use super::{Ending, Outcome, Phase};
use crate::execute::error::ExecuteError;
use crate::store::StoreError;

pub(super) struct Numbers;

impl Numbers {
    pub(super) fn new(_: &'static str) -> Self {
        Self
    }

    pub(super) fn phase(&self, _: Phase) {}

    pub(super) fn read(&self, _: usize) {}

    pub(super) fn failed(&self, _: &StoreError) {}

    pub(super) fn retry(&self, _: &StoreError) {}

    pub(super) fn snapshot_failed(&self) {}

    pub(super) fn end(&self, _: Ending, _: Result<Outcome, &ExecuteError>) {}
}
