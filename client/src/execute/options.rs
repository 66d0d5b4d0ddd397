//! [`ExecuteOptions`]: how to execute a command.

use std::time::Instant;

use serde::Serialize;

use super::event_cache::EventCache;
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
    /// How often to try the command.
    pub retry: RetryPolicy,
    /// The logical operation that the command belongs to. By default a new one, with the same UUID
    /// as the causation id.
    pub correlation_id: Option<CorrelationId>,
    /// What causes the events. By default this execution.
    pub causation_id: Option<CausationId>,
    /// Metadata stored with every event. By default none.
    pub metadata: Option<Metadata>,
    /// When to give up. By default never.
    pub deadline: Option<Instant>,
    /// Whether to check the streams even if the command writes no events, so that everything it
    /// decided on was true at one moment. By default not. It costs one more round trip.
    pub always_check: bool,
    /// The cache of this process for the states of commands that have
    /// [`Snapshots`](crate::Snapshots). By default none.
    pub state_cache: Option<StateCache>,
    /// The cache of this process for the events that commands without
    /// [`Snapshots`](crate::Snapshots) read and write. By default none.
    pub event_cache: Option<EventCache>,
    /// Whether a command decides on what is cached without reading new events first. By default
    /// not. See [`skip_read`](Self::skip_read).
    pub skip_read: bool,
}

impl ExecuteOptions {
    /// The default policy and new ids.
    pub fn new() -> Self {
        Self::default()
    }

    /// The ids of the execution. If the caller gives neither, both have the same new UUID.
    pub(crate) fn ids(&self) -> (CorrelationId, CausationId) {
        let causation_id = self.causation_id.unwrap_or_else(CausationId::new);
        let own = || CorrelationId::from_uuid(causation_id.as_uuid());
        (self.correlation_id.unwrap_or_else(own), causation_id)
    }

    /// Sets how often to try the command.
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

    /// Sets the metadata stored with every event: a value of your type.
    ///
    /// # Errors
    ///
    /// The value is not serialized as a JSON object.
    pub fn metadata(mut self, metadata: &impl Serialize) -> Result<Self, InvalidValue> {
        self.metadata = Some(Metadata::encode(metadata)?);
        Ok(self)
    }

    /// Sets when to give up. Nothing is sent after the deadline, and unfinished work is dropped. An
    /// append that was sent before may still be written, but only completely.
    #[must_use]
    pub fn deadline(mut self, at: Instant) -> Self {
        self.deadline = Some(at);
        self
    }

    /// Sets whether to check the streams even if the command writes no events.
    #[must_use]
    pub fn always_check(mut self, check: bool) -> Self {
        self.always_check = check;
        self
    }

    /// Caches states of commands in this process, so that an execution reads only new events.
    #[must_use]
    pub fn state_cache(mut self, cache: StateCache) -> Self {
        self.state_cache = Some(cache);
        self
    }

    /// Caches events in this process, so that an execution reads only new ones.
    #[must_use]
    pub fn event_cache(mut self, cache: EventCache) -> Self {
        self.event_cache = Some(cache);
        self
    }

    /// Sets whether a command decides on what is cached without reading new events first. If its
    /// streams have not changed, the execution takes one round trip. If they have, the append is
    /// refused, and the command reads what is new and decides again; this costs one round trip more
    /// and does not count as an attempt. Worthwhile where one process writes most of a stream's
    /// events.
    ///
    /// The results are the same: a rejection, or a decision to write nothing, is checked before it
    /// is returned. What is cached is used in this way only if an append of this process has checked
    /// it, and only until the store begins another history, as after a fail-over. Without an
    /// [`event_cache`](Self::event_cache) or a [`state_cache`](Self::state_cache), nothing changes.
    #[must_use]
    pub fn skip_read(mut self, skip: bool) -> Self {
        self.skip_read = skip;
        self
    }
}
