//! Writing the checkpoints of projections that rest, all of a worker in one transaction.
//!
//! It never waits for a lock: a projection whose lock or row another process holds is left for later.
//! So a session that pauses, resets or drops one projection waits for this transaction at most, and
//! this transaction waits for no session.

use super::batch::{self, Claim, FailureContext, Outcome};
use super::record;
use super::roster::{Passed, Roster};
use crate::error::Error;
use crate::pg::relation::Use;
use crate::pg::value::Text;
use crate::read::divergence::Told;
use crate::registry::Registry;
use crate::registry::wake::Wake;
use crate::tables::{Catalog, Events};
use std::time::Instant;

/// The most projections of one transaction. Each takes a lock in the server's lock table, whose
/// default size is 64 for every connection.
pub const MAX_AT_ONCE: usize = 200;

/// What becomes of each projection whose checkpoint was to be written, by its place in the roster.
pub struct Writings(Vec<(usize, Fate)>);

enum Fate {
    /// The checkpoint was written.
    Written,
    /// Another process has its lock or its row.
    Held,
    /// Another worker has just written a checkpoint.
    Known(Passed),
    /// It has to take steps of its own.
    Awake,
    /// It has to write its checkpoint in a step of its own.
    Alone,
}

/// The projections whose checkpoints have to be written now: all if it is time for one of them, or if
/// workers take turns, because then this process may end before the next time; otherwise those for
/// which a session waits.
pub fn due(roster: &Roster, wake: &Wake) -> Vec<usize> {
    let all = wake.is_crowded() || roster.next_write().is_some_and(|left| left.is_zero());
    let behind = roster
        .resting()
        .filter(|(_, passed)| passed.up_to > passed.checkpoint);
    let is_due = |place: usize, passed: &Passed| {
        let entry = &roster.entries[place];
        all || !entry.is_held && entry.is_wanted(passed.checkpoint, wake)
    };
    behind
        .filter(|(place, passed)| is_due(*place, passed))
        .map(|(place, _)| place)
        .collect()
}

/// Writes their checkpoints, in the current transaction.
pub fn run(
    roster: &Roster,
    places: &[usize],
    catalog: &Catalog,
    wake: &Wake,
) -> Result<Writings, Error> {
    if !catalog.is_current() {
        let all = places.iter().map(|place| (*place, Fate::Awake));
        return Ok(Writings(all.collect()));
    }
    let events = Events::open(Use::Read)?;
    let registry = Registry::open(&events.catalog)?;
    let told = Told::find(&registry, &events)?;
    let mut fates = Vec::new();
    let mut to_write = Vec::new();
    for place in places.iter().copied() {
        let entry = &roster.entries[place];
        let name = &entry.definition.name;
        let context = FailureContext::default();
        let claimed = batch::claim(Text::copy(name.as_bytes()).keep(), &context)?;
        let (definition, progress) = match claimed {
            Claim::Claimed(definition, progress) => (definition, progress),
            Claim::NotNow(Outcome::Held) => {
                fates.push((place, Fate::Held));
                continue;
            }
            Claim::NotNow(_) => {
                fates.push((place, Fate::Awake));
                continue;
            }
        };
        let checkpoint = progress.checkpoint;
        let known = entry
            .known_of(&definition, events.catalog.objects.events, checkpoint)
            .filter(|_| progress.is_clean() && told.require(checkpoint).is_ok());
        match (entry.passed, known) {
            (Some(before), Some(passed)) => {
                let is_new = passed.checkpoint > before.checkpoint;
                let is_wanted = entry.is_wanted(checkpoint, wake) || wake.is_crowded();
                if passed.up_to <= checkpoint || is_new && !is_wanted {
                    fates.push((place, Fate::Known(passed)));
                } else {
                    to_write.push((place, name.as_str(), checkpoint, passed.up_to));
                }
            }
            _ => fates.push((place, Fate::Awake)),
        }
    }
    if !to_write.is_empty() {
        let rows: Vec<_> = to_write
            .iter()
            .map(|(_, name, from, to)| (*name, *from, *to))
            .collect();
        let written = record::passed(&rows);
        fates.extend(to_write.iter().map(|(place, name, ..)| {
            let fate = match &written {
                None => Fate::Alone,
                Some(names) if names.iter().any(|one| one.bytes() == name.as_bytes()) => {
                    Fate::Written
                }
                Some(_) => Fate::Held,
            };
            (*place, fate)
        }));
    }
    Ok(Writings(fates))
}

impl Writings {
    /// Records what was committed.
    pub fn record(self, roster: &mut Roster) {
        for (place, fate) in self.0 {
            let entry = &mut roster.entries[place];
            let Some(passed) = &mut entry.passed else {
                continue;
            };
            match fate {
                Fate::Written => {
                    passed.checkpoint = passed.up_to;
                    passed.since = None;
                }
                Fate::Held => {
                    passed.since = Some(Instant::now());
                    entry.is_held = true;
                }
                Fate::Known(known) => *passed = known,
                Fate::Awake => entry.rests = false,
                Fate::Alone => {
                    entry.rests = false;
                    entry.writes_alone = true;
                }
            }
        }
    }

    /// After an error that could be that of any of them: each writes its own checkpoint, and fails by
    /// itself.
    pub fn all_alone(places: &[usize]) -> Self {
        Self(places.iter().map(|place| (*place, Fate::Alone)).collect())
    }
}
