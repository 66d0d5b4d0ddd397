//! What a worker remembers of events that are not for a projection. So it writes the checkpoint once
//! a second, not for each of them, and does not read them again.

use super::definition::Definition;
use crate::locks::projection_key;
use crate::registry::wake::Wake;
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long the checkpoint may stay behind the events that were passed over.
const WRITE_AFTER: Duration = Duration::from_secs(1);

/// How far this process has passed over events, for each projection whose checkpoint does not show
/// it yet.
#[derive(Default)]
pub struct PassedOver(HashMap<String, Passed>);

/// No event after the checkpoint, up to another position, matches the projection.
pub struct Passed {
    definition: Definition,
    /// The table of the events: after DROP EXTENSION and CREATE EXTENSION it is another one.
    events: Oid,
    checkpoint: i64,
    up_to: i64,
    since: Instant,
}

impl PassedOver {
    /// Takes out what is known of a projection. It is not put back if the checkpoint was written.
    pub fn take(&mut self, name: &str) -> Option<Passed> {
        self.0.remove(name)
    }

    /// Leaves the checkpoint as it is for now, and remembers the position. Returns how soon the
    /// checkpoint has to be written; `None` if it has to be written now.
    pub fn defer(
        &mut self,
        (definition, events): (&Definition, Oid),
        before: Option<Passed>,
        checkpoint: i64,
        up_to: i64,
        wake: &Wake,
    ) -> Option<Duration> {
        // If workers take turns, this process may end before the time is over.
        if wake.is_crowded() || is_wanted(wake, &definition.name, checkpoint) {
            return None;
        }
        let since = before.map_or_else(Instant::now, |before| before.since);
        let left = WRITE_AFTER.saturating_sub(since.elapsed());
        if left.is_zero() {
            return None;
        }
        let passed = Passed {
            definition: definition.clone(),
            events,
            checkpoint,
            up_to,
            since,
        };
        self.0.insert(definition.name.clone(), passed);
        Some(left)
    }

    /// Whether a session waits for a checkpoint that has not been written.
    pub fn is_wanted(&self, wake: &Wake) -> bool {
        let mut all = self.0.iter();
        all.any(|(name, passed)| is_wanted(wake, name, passed.checkpoint))
    }

    /// Forgets all projections but these.
    pub fn forget_all_but(&mut self, names: &[String]) {
        self.0.retain(|name, _| names.contains(name));
    }
}

impl Passed {
    /// Whether this is known of the projection as it is now. Another one may have its name.
    pub fn is_of(&self, (definition, events): (&Definition, Oid), checkpoint: i64) -> bool {
        self.checkpoint == checkpoint
            && self.events == events
            && self.definition.has_filter_of(definition)
    }

    /// The last of the positions that were passed over.
    pub fn up_to(&self) -> i64 {
        self.up_to
    }
}

fn is_wanted(wake: &Wake, name: &str, checkpoint: i64) -> bool {
    wake.is_checkpoint_wanted(projection_key(name.as_bytes()), checkpoint)
}
