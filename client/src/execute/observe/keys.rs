//! The keys of the metrics of a command. A key owns its labels and their hash, and making the keys
//! of one execution took a third of its time in memory. So each thread makes those of a command
//! once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use metrics::{Key, Label};

use super::{Ending, Phase};

/// The keys of one command.
pub(super) struct Keys {
    phases: [Key; Phase::ALL.len()],
    endings: [Key; Ending::ALL.len()],
    pub(super) duration: Key,
    pub(super) read: Key,
    pub(super) written: Key,
    pub(super) conflicts: Key,
    pub(super) retries_after_conflict: Key,
    pub(super) other_retries: Key,
    pub(super) snapshot_failures: Key,
}

thread_local! {
    static KNOWN: RefCell<HashMap<&'static str, Arc<Keys>>> = RefCell::default();
}

impl Keys {
    /// The keys of this command.
    pub(super) fn of(command: &'static str) -> Arc<Self> {
        KNOWN.with_borrow_mut(|known| {
            let keys = known.entry(command);
            Arc::clone(keys.or_insert_with(|| Arc::new(Self::new(command))))
        })
    }

    fn new(command: &'static str) -> Self {
        let command = Label::from_static_parts("command", command);
        let plain = |name: &'static str| Key::from_parts(name, vec![command.clone()]);
        let labelled = |name: &'static str, label, value| {
            let labels = vec![command.clone(), Label::from_static_parts(label, value)];
            Key::from_parts(name, labels)
        };
        let retries = |reason| labelled("eventcore_retries_total", "reason", reason);
        Self {
            phases: Phase::ALL
                .map(|phase| labelled("eventcore_phase_duration_seconds", "phase", phase.name())),
            endings: Ending::ALL
                .map(|ending| labelled("eventcore_executions_total", "outcome", ending.name())),
            duration: plain("eventcore_execution_duration_seconds"),
            read: plain("eventcore_events_read_total"),
            written: plain("eventcore_events_written_total"),
            conflicts: plain("eventcore_version_conflicts_total"),
            retries_after_conflict: retries("conflict"),
            other_retries: retries("transient"),
            snapshot_failures: plain("eventcore_snapshot_failures_total"),
        }
    }

    pub(super) fn phase(&self, phase: Phase) -> &Key {
        &self.phases[phase as usize]
    }

    pub(super) fn ending(&self, ending: Ending) -> &Key {
        &self.endings[ending as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_and_each_ending_has_the_key_of_its_name() {
        let value = |key: &Key| key.labels().nth(1).map(|label| label.value().to_owned());
        let keys = Keys::of("Transfer");
        for phase in Phase::ALL {
            assert_eq!(value(keys.phase(phase)).as_deref(), Some(phase.name()));
        }
        for ending in Ending::ALL {
            assert_eq!(value(keys.ending(ending)).as_deref(), Some(ending.name()));
        }
    }

    #[test]
    fn the_keys_of_a_command_are_made_once_in_a_thread() {
        assert!(Arc::ptr_eq(&Keys::of("Deposit"), &Keys::of("Deposit")));
        assert!(!Arc::ptr_eq(&Keys::of("Deposit"), &Keys::of("Transfer")));
    }
}
