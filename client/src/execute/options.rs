//! How to execute a command: [`ExecuteOptions`].

use std::time::Instant;

use serde::Serialize;

use super::retry::RetryPolicy;
use crate::snapshot::StateCache;
use crate::values::{CausationId, CorrelationId, InvalidValue, Metadata};

/// How to execute a command.
///
/// ```
/// # use eventcore::*;
/// # use serde::Serialize;
/// # use std::time::{Duration, Instant};
/// #[derive(Serialize)]
/// struct Audit {
///     actor: String,
/// }
///
/// # fn options(correlation_id: CorrelationId) -> Result<ExecuteOptions, InvalidValue> {
/// let options = ExecuteOptions::new()
///     .retry(RetryPolicy::default().attempts(5))
///     .correlation_id(correlation_id)
///     .metadata(&Audit { actor: "ada".to_owned() })?
///     .deadline(Instant::now() + Duration::from_secs(2));
/// # Ok(options)
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ExecuteOptions {
    /// How often to try.
    pub retry: RetryPolicy,
    /// The logical operation that the command belongs to; by default its own, with the same UUID as the
    /// causation id.
    pub correlation_id: Option<CorrelationId>,
    /// What causes the events; by default this execution.
    pub causation_id: Option<CausationId>,
    /// What to keep with every event beside its payload; by default nothing.
    pub metadata: Option<Metadata>,
    /// When to give up; by default never.
    pub deadline: Option<Instant>,
    /// Whether a command that writes no events has its streams checked too, so that what it decided on
    /// held at one moment; by default not. It costs one more round trip.
    pub always_check: bool,
    /// Where this process keeps the states of commands that have [`Snapshots`](crate::Snapshots); by
    /// default nowhere.
    pub state_cache: Option<StateCache>,
}

impl ExecuteOptions {
    /// The default policy and new ids.
    pub fn new() -> Self {
        Self::default()
    }

    /// The ids of the execution: one for it is both, where the caller gives neither.
    pub(crate) fn ids(&self) -> (CorrelationId, CausationId) {
        let causation_id = self.causation_id.unwrap_or_else(CausationId::new);
        let own = || CorrelationId::from_uuid(causation_id.as_uuid());
        (self.correlation_id.unwrap_or_else(own), causation_id)
    }

    /// Sets how often to try.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the logical operation that the command belongs to.
    #[must_use]
    pub fn correlation_id(mut self, id: CorrelationId) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Sets what causes the events.
    #[must_use]
    pub fn causation_id(mut self, id: CausationId) -> Self {
        self.causation_id = Some(id);
        self
    }

    /// Sets what to keep with every event: a value of your type.
    ///
    /// # Errors
    ///
    /// It is not written as a JSON object.
    pub fn metadata(mut self, metadata: &impl Serialize) -> Result<Self, InvalidValue> {
        self.metadata = Some(Metadata::encode(metadata)?);
        Ok(self)
    }

    /// Sets when to give up. After it nothing is sent. What is being done then is dropped: an append that was
    /// sent before may still be written, as a whole.
    #[must_use]
    pub fn deadline(mut self, at: Instant) -> Self {
        self.deadline = Some(at);
        self
    }

    /// Checks the streams of a command that writes no events, too.
    #[must_use]
    pub fn always_check(mut self, check: bool) -> Self {
        self.always_check = check;
        self
    }

    /// Keeps states of commands in this process, so that only what is new is read.
    #[must_use]
    pub fn state_cache(mut self, cache: StateCache) -> Self {
        self.state_cache = Some(cache);
        self
    }
}
