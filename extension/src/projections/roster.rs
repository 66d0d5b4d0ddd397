//! The projections of a worker, and how far each of them is.
//!
//! A projection *rests* while no new event matches it. The worker looks at new events once for all
//! resting projections: see [`look`](super::look). It remembers up to where no event matches, and
//! writes the checkpoints once a second, all in one transaction: see [`writing`](super::writing).
//! Every other projection takes its own steps: see [`next_step`](super::next_step).
//!
//! What is remembered here only decides when a projection takes a step, and which events it need not
//! read. A change that was announced is seen before the next look, any other change after
//! [`REFRESH_AFTER`]. Before anything is written, the row is read again under the projection's lock.

use super::definition::{self, Definition, Progress};
use crate::error::Error;
use crate::locks::projection_key;
use crate::pg::value::Text;
use crate::processes::batches;
use crate::read::divergence::Told;
use crate::registry::Registry;
use crate::registry::wake::Wake;
use crate::tables::{Catalog, Events};
use eventcore_rules::MAX_EVENTS_PASSED_OVER;
use eventcore_rules::matching::{self, Filters};
use pgrx::pg_sys::Oid;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long the rows of the projections are taken to be as they were read, if no change is announced.
const REFRESH_AFTER: Duration = Duration::from_secs(1);

/// How long the checkpoint may stay behind the events that were passed over.
const WRITE_AFTER: Duration = Duration::from_secs(1);

/// A projection that is further behind than this begins with steps of its own.
const NEAR: i64 = MAX_EVENTS_PASSED_OVER as i64;

/// After a look the worker pauses this many times as long as the look took, so that looks that find
/// nothing take little of the processors, but at most for [`LONGEST_PAUSE`].
const PAUSE_PER_LOOK: u32 = 50;
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// The projections of this worker, in the order of their names.
pub struct Roster {
    pub entries: Vec<Entry>,
    /// The filters of the projections, in the same order.
    pub filters: Filters,
    /// When the rows were read, and how many changes were announced before.
    read: Option<(Instant, i64)>,
    /// Not before this time is the next look, unless a session waits for a projection.
    next_look: Instant,
    /// The safe position in memory before the last look; `None` if there has to be a look in any case.
    looked_at: Option<Option<i64>>,
}

/// One projection.
pub struct Entry {
    pub definition: Definition,
    key: u64,
    /// What the worker knows of the events after the checkpoint.
    pub passed: Option<Passed>,
    /// Whether the projection takes no steps of its own for now.
    pub rests: bool,
    /// Whether its step has to follow a new event at once.
    pub is_prompt: bool,
    /// Whether another process has its lock, and so serves the sessions that wait for it.
    pub is_held: bool,
    /// Whether it has to write its checkpoint in a step of its own.
    pub writes_alone: bool,
}

/// No event after the checkpoint, up to another position, matches the projection.
#[derive(Clone, Copy)]
pub struct Passed {
    /// The table of the events: after DROP EXTENSION and CREATE EXTENSION it is another one.
    pub events: Oid,
    /// The checkpoint, as it was last seen.
    pub checkpoint: i64,
    pub up_to: i64,
    /// Since when the checkpoint is behind.
    pub since: Option<Instant>,
}

impl Default for Roster {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            filters: Filters::default(),
            read: None,
            next_look: Instant::now(),
            looked_at: None,
        }
    }
}

impl Roster {
    /// Whether the rows have to be read, given the count of announced changes.
    pub fn is_outdated(&self, changes: i64) -> bool {
        self.read
            .is_none_or(|(at, seen)| seen != changes || at.elapsed() >= REFRESH_AFTER)
    }

    /// Has the rows read again.
    pub fn outdate(&mut self) {
        self.read = None;
    }

    /// Reads the rows of the projections that this role runs. `changes` was counted before. There
    /// are none if the extension is another one than the worker's.
    pub fn refresh(&mut self, role: Oid, catalog: &Catalog, changes: i64) -> Result<(), Error> {
        let now = Instant::now();
        let rows = match Catalog::load()?.is_same(catalog) {
            true => definition::running(role)?,
            false => Vec::new(),
        };
        let known = rows.is_empty().then(Known::default);
        let known = known.map_or_else(Known::find, Ok)?;
        let mut before: HashMap<String, Entry> = std::mem::take(&mut self.entries)
            .into_iter()
            .map(|entry| (entry.definition.name.clone(), entry))
            .collect();
        for (definition, progress) in rows {
            let before = before.remove(&definition.name);
            let rested = before.as_ref().is_some_and(|before| before.rests);
            let entry = Entry::of_row(definition, &progress, before, &known)?;
            if entry.rests && !rested {
                self.looked_at = None;
            }
            self.entries.push(entry);
        }
        let wanted = self.entries.iter().map(|entry| &entry.definition.wanted);
        if !self.filters.all().iter().eq(wanted.clone()) {
            let wanted: Vec<matching::Filter> = wanted.cloned().collect();
            self.filters = Filters::new(wanted);
        }
        self.read = Some((now, changes));
        Ok(())
    }

    /// Lets all projections take steps of their own.
    pub fn wake_all(&mut self) {
        for entry in &mut self.entries {
            entry.rests = false;
        }
    }

    /// Whether it is time for a look at new events, with this safe position in memory.
    pub fn is_to_look(&mut self, safe: Option<i64>, wake: &Wake) -> bool {
        let Some(lowest) = self.lowest() else {
            return false;
        };
        if safe.is_some_and(|safe| safe <= lowest) {
            self.looked_at = Some(safe);
            return false;
        }
        let is_due = Instant::now() >= self.next_look || self.is_wanted(None, wake);
        if is_due {
            self.looked_at = Some(safe);
        }
        is_due
    }

    /// Whether there may be events that no look has seen, with this safe position in memory.
    pub fn is_behind(&self, safe: Option<i64>) -> bool {
        self.looked_at != Some(safe) && self.lowest().is_some()
    }

    /// The position after which the next look begins; `None` if no projection rests.
    pub fn lowest(&self) -> Option<i64> {
        self.resting().map(|(_, passed)| passed.up_to).min()
    }

    /// Records that a look that began at this time has ended, and whether it was at the end.
    pub fn looked(&mut self, begun: Instant, to_end: bool) {
        let pause = match to_end {
            true => (begun.elapsed() * PAUSE_PER_LOOK).min(LONGEST_PAUSE),
            false => Duration::ZERO,
        };
        self.next_look = Instant::now() + pause;
    }

    /// How long new events may wait; no time if a projection has to follow them at once.
    pub fn pause(&self) -> Duration {
        if self.lowest().is_none() || self.entries.iter().any(|entry| entry.is_prompt) {
            return Duration::ZERO;
        }
        self.next_look.saturating_duration_since(Instant::now())
    }

    /// Whether a session waits for the checkpoint of a resting projection that can be written, or
    /// that a look can advance.
    pub fn is_wanted(&self, safe: Option<i64>, wake: &Wake) -> bool {
        let may_advance = self.is_behind(safe);
        self.entries.iter().any(|entry| {
            entry.resting().is_some_and(|passed| {
                (may_advance || passed.up_to > passed.checkpoint)
                    && !entry.is_held
                    && entry.is_wanted(passed.checkpoint, wake)
            })
        })
    }

    /// How soon checkpoints have to be written; `None` if all are.
    pub fn next_write(&self) -> Option<Duration> {
        let since = self
            .resting()
            .filter_map(|(_, passed)| passed.since)
            .min()?;
        Some(WRITE_AFTER.saturating_sub(since.elapsed()))
    }

    /// The resting projections.
    pub fn resting(&self) -> impl Iterator<Item = (usize, &Passed)> {
        let entries = self.entries.iter().enumerate();
        entries.filter_map(|(place, entry)| Some((place, entry.resting()?)))
    }
}

impl Entry {
    /// What is known if the projection rests.
    pub fn resting(&self) -> Option<&Passed> {
        self.passed.as_ref().filter(|_| self.rests)
    }

    /// Whether a session waits for a checkpoint above this one.
    pub fn is_wanted(&self, checkpoint: i64, wake: &Wake) -> bool {
        wake.is_checkpoint_wanted(self.key, checkpoint)
    }

    /// What is known of the projection as its row is now; another one may have its name.
    pub fn known_of(
        &self,
        definition: &Definition,
        events: Oid,
        checkpoint: i64,
    ) -> Option<Passed> {
        let is_same = self.definition.wanted == definition.wanted;
        let passed = self.passed.filter(|passed| {
            is_same && passed.events == events && passed.checkpoint <= checkpoint
        })?;
        Some(passed.seen_at(checkpoint))
    }

    /// Forgets what is known of the events, after a step that failed.
    pub fn forget(&mut self) {
        self.passed = None;
        self.rests = false;
    }

    /// Lets the projection rest: no event after its checkpoint, up to this position, matches.
    pub fn rest(&mut self, definition: Definition, events: Oid, checkpoint: i64, up_to: i64) {
        let before = self.known_of(&definition, events, checkpoint);
        let passed = before.unwrap_or(Passed {
            events,
            checkpoint,
            up_to: checkpoint,
            since: None,
        });
        // The filter of another projection of this name is not in the list that looks use.
        self.rests = self.definition.wanted == definition.wanted;
        self.definition = definition;
        self.passed = Some(passed.advanced(up_to));
    }

    fn of_row(
        definition: Definition,
        progress: &Progress,
        before: Option<Self>,
        known: &Known,
    ) -> Result<Self, Error> {
        let may_rest = definition.rebuild.is_none()
            && progress.is_clean()
            && !batches::is_abandoned(&definition.name)
            && !known.is_replayed(&definition)?
            && known.has_told(progress.checkpoint);
        let checkpoint = progress.checkpoint;
        let passed = before
            .as_ref()
            .and_then(|before| before.known_of(&definition, known.events, checkpoint));
        let is_new = before.is_none() && known.safe - checkpoint <= NEAR;
        let rested = before.as_ref().is_some_and(|before| before.rests) && passed.is_some();
        let fresh = Passed {
            events: known.events,
            checkpoint,
            up_to: checkpoint,
            since: None,
        };
        let rests = may_rest && (is_new || rested);
        Ok(Self {
            key: projection_key(definition.name.as_bytes()),
            passed: passed.or(rests.then_some(fresh)),
            rests,
            is_prompt: before.as_ref().is_some_and(|before| before.is_prompt) && !rests,
            is_held: false,
            writes_alone: before.is_some_and(|before| before.writes_alone),
            definition,
        })
    }
}

impl Passed {
    /// The same with the checkpoint that its row has now. Another worker may have written it.
    pub fn seen_at(mut self, checkpoint: i64) -> Self {
        if checkpoint > self.checkpoint {
            self.checkpoint = checkpoint;
            self.up_to = self.up_to.max(checkpoint);
            self.since = (self.up_to > checkpoint).then(Instant::now);
        }
        self
    }

    /// The same after a look that found nothing up to this position.
    pub fn advanced(mut self, up_to: i64) -> Self {
        self.up_to = self.up_to.max(up_to);
        if self.up_to > self.checkpoint {
            self.since.get_or_insert_with(Instant::now);
        }
        self
    }
}

/// What is known of the database when the rows are read.
#[derive(Default)]
struct Known {
    events: Oid,
    safe: i64,
    told: Option<Told>,
    any_replay: bool,
}

impl Known {
    fn find() -> Result<Self, Error> {
        let events = Events::open(crate::pg::relation::Use::Read)?;
        let registry = Registry::open(&events.catalog)?;
        Ok(Self {
            safe: registry.safe_position()?,
            told: Some(Told::find(&registry, &events)?),
            any_replay: definition::any_replay()?,
            events: events.catalog.objects.events,
        })
    }

    fn is_replayed(&self, definition: &Definition) -> Result<bool, Error> {
        let name = || Text::copy(definition.name.as_bytes()).keep();
        Ok(self.any_replay && definition::next_replay(name())?.is_some())
    }

    fn has_told(&self, checkpoint: i64) -> bool {
        let told = self.told.as_ref();
        told.is_some_and(|told| told.require(checkpoint).is_ok())
    }
}
