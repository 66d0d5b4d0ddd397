//! One look at new events for all projections of a worker that rest.
//!
//! A hundred projections that each read every new event would take most of the processors from the
//! writers: see decision 30. So the events are read once, and matched with the filters of all resting
//! projections. One that matches takes a step of its own, which begins with that event.
//!
//! The look reads as a step does: the same safe position, and a snapshot that is taken after it. So
//! no event that is committed later has a position that the look has passed.

use super::roster::Roster;
use crate::error::Error;
use crate::pg::relation;
use crate::pg::scan::Direction;
use crate::pg::session::current_role;
use crate::processes::batches;
use crate::processes::freeze::is_frozen;
use crate::registry::Registry;
use crate::tables::columns::events as column;
use crate::tables::{Catalog, Events};
use pgrx::pg_sys::Oid;
use std::time::Instant;

/// The most events of one look: about 3 ms, in which no step can begin.
const MAX_EVENTS: usize = 2_000;

/// What a look has found.
pub struct Findings {
    events: Oid,
    /// The first matching position for each projection of the roster.
    matches: Vec<Option<i64>>,
    /// The last position that the look has passed; `None` if it looked at nothing.
    up_to: Option<i64>,
    to_end: bool,
    begun: Instant,
}

/// Looks at the next events, in the current transaction. `None` if the projections have to take steps
/// of their own.
pub fn run(roster: &Roster, catalog: &Catalog) -> Result<Option<Findings>, Error> {
    let begun = Instant::now();
    if !catalog.is_current() || is_frozen(current_role()) {
        return Ok(None);
    }
    let events = Events::to_read()?;
    relation::require_readable(events.catalog.objects.events);
    let registry = Registry::open(&events.catalog)?;
    // In this order, and never with an older snapshot: see `Registry::safe_position`.
    let safe = registry.safe_position()?;
    let mut found = Findings {
        events: events.catalog.objects.events,
        matches: vec![None; roster.entries.len()],
        up_to: None,
        to_end: true,
        begun,
    };
    let Some(after) = roster.lowest().filter(|lowest| *lowest < safe) else {
        return Ok(Some(found));
    };
    let mut waiting = roster.resting().count();
    let mut up_to = safe;
    events.between((after, safe), Direction::Forward, |scan| {
        for _ in 0..MAX_EVENTS {
            let Some(row) = scan.next() else {
                up_to = safe;
                return;
            };
            up_to = row.bigint(column::POSITION);
            let (Some(stream), Some(event_type)) =
                (row.text(column::STREAM_ID), row.text(column::EVENT_TYPE))
            else {
                continue;
            };
            roster
                .filters
                .find(stream.bytes(), event_type.bytes(), |place| {
                    let passed = roster.entries[place].resting();
                    if found.matches[place].is_none()
                        && passed.is_some_and(|passed| passed.up_to < up_to)
                    {
                        found.matches[place] = Some(up_to);
                        waiting -= 1;
                    }
                });
            if waiting == 0 {
                return;
            }
        }
        found.to_end = false;
    });
    found.up_to = Some(up_to);
    Ok(Some(found))
}

impl Findings {
    /// Records them. Returns whether there is more to do at once.
    pub fn record(self, roster: &mut Roster) -> bool {
        let mut any_match = false;
        let any_abandoned = batches::any_abandoned();
        for (entry, matching) in roster.entries.iter_mut().zip(&self.matches) {
            let Some(passed) = entry.resting().copied() else {
                continue;
            };
            entry.is_held = false;
            if passed.events != self.events
                || any_abandoned && batches::is_abandoned(&entry.definition.name)
            {
                entry.rests = false;
                any_match = true;
                continue;
            }
            let up_to = match matching {
                Some(position) => Some(position - 1),
                None => self.up_to,
            };
            if let Some(up_to) = up_to {
                entry.passed = Some(passed.advanced(up_to));
            }
            if matching.is_some() {
                entry.rests = false;
                any_match = true;
            }
        }
        roster.looked(self.begun, self.to_end);
        any_match || !self.to_end
    }
}
