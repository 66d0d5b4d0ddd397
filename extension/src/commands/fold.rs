//! Folding the events of streams into a state.
//!
//! Streams are folded one after the other into one state, in the order in which they are known. A command with
//! `combine` folds each on its own and combines the states: only then can a kept state stand for any stream. Without, it
//! can stand for the first one, which is folded before all others.

use super::definition::Definition;
use super::input::Named;
use super::states::{Kept, Part, States};
use crate::error::{Error, Malformed};
use crate::pg::array::text_array;
use crate::pg::memory::StateMemory;
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::{Fresh, Snapshot, transaction_keeps_one};
use crate::pg::value::{Jsonb, Text};
use crate::tables::Events;
use crate::tables::columns::{events as column, events_by_stream as by_stream};
use crate::tables::heads;
use eventcore_rules::{ExpectedVersion, VersionConflict};
use pgrx::pg_sys::Datum;

/// What is known of the streams of a command, which stay locked.
pub struct Known<'a> {
    pub streams: Vec<Named<'a>>,
    /// The version that each is at.
    pub versions: Vec<i64>,
    pub state: StateMemory,
    /// States of single streams that were long to fold.
    pub to_keep: Vec<Kept<'a>>,
    /// For what is called on this state.
    _fresh: Option<Fresh>,
}

impl<'a> Known<'a> {
    /// Nothing yet; what is called from here on sees what is committed now.
    pub fn of(streams: Vec<Named<'a>>, definition: &Definition<'_>) -> Self {
        Self {
            streams,
            versions: Vec::new(),
            state: StateMemory::new(definition.initial_state),
            to_keep: Vec::new(),
            _fresh: Fresh::push_unless_kept(),
        }
    }

    /// The streams as a `text[]`.
    pub fn names(&self) -> Datum {
        text_array(self.streams.iter().map(|named| named.stream))
    }
}

/// Applies the events of the streams that are not part of the state yet.
pub fn fold<'a>(
    events: &Events,
    definition: &mut Definition<'a>,
    states: Option<&States<'a>>,
    known: &mut Known<'a>,
) -> Result<(), Error> {
    let snapshot = Snapshot::latest();
    let index = events.by_stream();
    let combines = definition.combine.is_some();
    let mut folding = Folding {
        definition,
        states,
        snapshot: &snapshot,
        scan: IndexScan::new(&events.table, &index, &snapshot),
        to_keep: &mut known.to_keep,
    };
    let mut moved = Vec::new();
    for number in known.versions.len()..known.streams.len() {
        let stream = known.streams[number].stream;
        let state = &mut known.state;
        let version = if number == 0 {
            folding.alone(stream, state)?
        } else if combines {
            folding.beside(stream, state)?
        } else {
            folding.onto(stream, state)?
        };
        if transaction_keeps_one() {
            let seen = seen_by_transaction(events, stream);
            if seen != version {
                moved.push(VersionConflict {
                    stream: stream.to_string(),
                    expected: ExpectedVersion::Exactly(seen.unsigned_abs()),
                    actual: version.unsigned_abs(),
                });
            }
        }
        known.versions.push(version);
    }
    if moved.is_empty() {
        Ok(())
    } else {
        Err(Error::SnapshotTooOld(moved))
    }
}

/// The ways of folding a stream. Each returns the version that the stream is at.
struct Folding<'f, 'r, 'a> {
    definition: &'f mut Definition<'a>,
    states: Option<&'f States<'a>>,
    snapshot: &'r Snapshot,
    scan: IndexScan<'r>,
    to_keep: &'f mut Vec<Kept<'a>>,
}

impl<'r, 'a: 'r> Folding<'_, 'r, 'a> {
    /// Into a state that is the initial one. A kept state may take its place.
    fn alone(&mut self, stream: Text<'a>, state: &mut StateMemory) -> Result<i64, Error> {
        let mut part = match self.kept(stream)? {
            Some((part, kept)) => {
                *state = StateMemory::new(kept);
                part
            }
            None => {
                self.seek_start(stream);
                Part::default()
            }
        };
        let mut events_read = 0;
        while let Some(next) = self.apply_next(stream, state)? {
            events_read += 1;
            part = part.and(next);
        }
        if self.states.is_some_and(|states| states.wants(events_read)) {
            let state = state.state().keep();
            self.to_keep.push(Kept {
                stream,
                part,
                state,
            });
        }
        Ok(part.last_version)
    }

    /// Into a state of its own, and that into the state of other streams by `combine`.
    fn beside(&mut self, stream: Text<'a>, state: &mut StateMemory) -> Result<i64, Error> {
        let mut own = StateMemory::new(self.definition.initial_state);
        let version = self.alone(stream, &mut own)?;
        if let Some(combine) = &mut self.definition.combine {
            state.replace(|state| {
                combine.jsonb_of_two(state, own.state()).ok_or_else(|| {
                    let reason = format!("is NULL, for the state of \"{stream}\"");
                    Error::from(Malformed::argument("result of combine", reason))
                })
            })?;
        }
        Ok(version)
    }

    /// Into the state of other streams.
    fn onto(&mut self, stream: Text<'a>, state: &mut StateMemory) -> Result<i64, Error> {
        self.seek_start(stream);
        let mut version = 0;
        while let Some(next) = self.apply_next(stream, state)? {
            version = next.last_version;
        }
        Ok(version)
    }

    /// A kept state that the stream goes on from; the scan is then behind the events that are in it.
    fn kept(&mut self, stream: Text<'a>) -> Result<Option<(Part, Jsonb<'a>)>, Error> {
        let Some(states) = self.states else {
            return Ok(None);
        };
        let version = heads::version(&mut self.scan, stream);
        let kept = states.find(self.definition, (stream, version), self.snapshot)?;
        Ok(kept.filter(|(part, _)| part.fits(&mut self.scan, stream)))
    }

    fn seek_start(&mut self, stream: Text<'a>) {
        let of_stream = Condition::TextEquals(by_stream::STREAM_ID, stream);
        self.scan.seek(&[of_stream], Direction::Forward);
    }

    /// Applies the next event of the scan, if there is one, and returns what has come into the state.
    fn apply_next(
        &mut self,
        stream: Text<'_>,
        state: &mut StateMemory,
    ) -> Result<Option<Part>, Error> {
        let Some(row) = self.scan.next() else {
            return Ok(None);
        };
        let version = row.bigint(column::VERSION);
        state.replace(|state| {
            let next = self.definition.apply.next_state(state, row.composite());
            next.ok_or_else(|| {
                let reason = format!("is NULL, for version {version} of \"{stream}\"");
                Error::from(Malformed::argument("result of apply", reason))
            })
        })?;
        Ok(Some(Part {
            first_version: version,
            last_version: version,
            last_event: row.uuid(column::EVENT_ID),
        }))
    }
}

/// The version that a stream has in the snapshot that the transaction keeps.
fn seen_by_transaction(events: &Events, stream: Text<'_>) -> i64 {
    let snapshot = Snapshot::of_transaction();
    let index = events.by_stream();
    let mut scan = IndexScan::new(&events.table, &index, &snapshot);
    heads::version(&mut scan, stream)
}
