//! [`Input`]: a trigger with all its data.

use super::Trigger;
use super::record::{DueTimeout, Moment, RejectedCommand, TriggerRecord, correlation};
use crate::execute::{ExecuteOptions, RetryPolicy};
use crate::store::StoredEvent;
use crate::values::{CausationId, CorrelationId, EventId};

/// A trigger with all its data.
pub(super) enum Input<E> {
    Event(StoredEvent<E>),
    Timeout(DueTimeout),
    Rejected(RejectedCommand),
}

impl<E> Input<E> {
    /// The id of the trigger's event: the event itself, the timeout's event, or the event that
    /// records the rejection.
    pub(super) fn event_id(&self) -> EventId {
        match self {
            Self::Event(event) => event.event_id,
            Self::Timeout(timeout) => timeout.event_id,
            Self::Rejected(rejected) => rejected.event_id,
        }
    }

    /// The trigger in the form in which the manager sees it.
    pub(super) fn trigger(&self) -> Trigger<'_, E> {
        match self {
            Self::Event(event) => Trigger::Event(event),
            Self::Timeout(timeout) => Trigger::Timeout {
                name: &timeout.name,
            },
            Self::Rejected(rejected) => Trigger::Rejected {
                command: &rejected.command,
                index: rejected.index,
                message: &rejected.message,
            },
        }
    }

    /// The trigger in stored form.
    pub(super) fn cause(&self) -> TriggerRecord {
        match self {
            Self::Event(event) => TriggerRecord::Event {
                event_id: event.event_id,
                stream_id: event.stream_id.clone(),
                version: event.version,
            },
            Self::Timeout(timeout) => TriggerRecord::Timeout(timeout.clone()),
            Self::Rejected(rejected) => TriggerRecord::Rejected(rejected.clone()),
        }
    }

    /// The time from which the timeouts of its reaction count.
    pub(super) fn at(&self) -> Moment {
        match self {
            Self::Event(event) => Moment::from(event.recorded_at),
            Self::Timeout(timeout) => timeout.due,
            Self::Rejected(rejected) => rejected.at,
        }
    }

    pub(super) fn correlation_id(&self) -> CorrelationId {
        match self {
            Self::Event(event) => correlation(event.correlation_id, event.event_id),
            Self::Timeout(timeout) => timeout.correlation_id,
            Self::Rejected(rejected) => rejected.correlation_id,
        }
    }

    pub(super) fn causation_id(&self) -> CausationId {
        CausationId::from_uuid(self.event_id().as_uuid())
    }

    /// The options for executing its commands.
    pub(super) fn execute_options(&self, retry: &RetryPolicy) -> ExecuteOptions {
        ExecuteOptions::new()
            .retry(retry.clone())
            .correlation_id(self.correlation_id())
            .causation_id(self.causation_id())
    }
}
