//! The names of a process manager's subscriptions and streams.
//!
//! The name of a manager has no colon, so all these names are different. The streams begin with a
//! word of their own, so that a filter by the prefixes of an application's streams leaves them out.

use uuid::Uuid;

use crate::values::{InvalidValue, ProcessId, StreamId, SubscriptionName};

/// The longest name of a manager, in bytes. It leaves 146 bytes for the id of a process.
const LONGEST: usize = 100;

pub(super) struct Names {
    pub(super) manager: String,
    /// The durable subscription of its events.
    pub(super) events: SubscriptionName,
    /// The durable subscription of its timeouts.
    pub(super) timeouts: SubscriptionName,
}

impl Names {
    /// The names of a manager; an error if its name is not valid.
    pub(super) fn new(manager: &str) -> Result<Self, InvalidValue> {
        if manager.len() > LONGEST {
            return Err(InvalidValue::manager("is longer than 100 bytes"));
        }
        if manager.contains(':') {
            return Err(InvalidValue::manager("has a colon"));
        }
        Ok(Self {
            manager: manager.to_owned(),
            events: SubscriptionName::new(manager)?,
            timeouts: SubscriptionName::new(format!("{manager}:timeouts"))?,
        })
    }

    /// The stream of a process.
    pub(super) fn process(&self, process: &ProcessId) -> Result<StreamId, InvalidValue> {
        StreamId::new(format!("process:{}:{process}", self.manager))
    }

    /// The stream of a timeout.
    pub(super) fn timeout(&self, id: Uuid) -> Result<StreamId, InvalidValue> {
        StreamId::new(format!("{}{id}", self.timeout_prefix()))
    }

    /// The prefix of all streams of timeouts.
    pub(super) fn timeout_prefix(&self) -> String {
        format!("process-timeout:{}:", self.manager)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_and_its_processes_are_named_by_texts_that_fit_into_names_of_streams() {
        for name in ["", "a:b", "line\nbreak", &"x".repeat(101)] {
            assert!(Names::new(name).is_err(), "{name:?}");
        }
        let names = Names::new(&"x".repeat(100)).unwrap();
        let id = |bytes: usize| ProcessId::new("y".repeat(bytes)).unwrap();
        assert!(names.process(&id(146)).is_ok());
        assert!(names.process(&id(147)).is_err());
        assert!(names.timeout(Uuid::nil()).is_ok());
    }
}
