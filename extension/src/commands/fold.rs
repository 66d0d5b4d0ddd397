//! Folding the events of streams into a state.
//!
//! Streams are folded one after the other into one state, in the order in which they were found. A
//! command with `combine` folds each stream on its own and combines the states. Only then can a
//! saved state replace the events of any stream. Without `combine` it can replace only those of the
//! first stream, which is folded before all others.

use super::combine::StatesToCombine;
use super::definition::Definition;
use super::input::NamedStream;
use super::page::{Page, Short};
use super::states::{SavedState, SavedStates, StreamSpan};
use crate::error::Error;
use crate::pg::memory::StateMemory;
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::{ActiveSnapshot, Snapshot, transaction_keeps_one};
use crate::pg::value::{Jsonb, Text};
use crate::tables::Events;
use crate::tables::columns::{events as column, events_by_stream as by_stream};
use crate::tables::heads;
use eventcore_rules::{ExpectedVersion, VersionConflict};

/// The streams of a command, which stay locked, and the state folded from them.
pub struct CommandState<'a> {
    pub streams: Vec<NamedStream<'a>>,
    /// The version of each stream.
    pub versions: Vec<i64>,
    pub folded: StateMemory,
    /// States of single streams that took long to fold.
    pub to_save: Vec<SavedState<'a>>,
    /// The snapshot for functions that are called with this state.
    _fresh: Option<ActiveSnapshot>,
}

impl<'a> CommandState<'a> {
    /// An initial state. Functions that are called from here on see what is committed now.
    pub fn of(streams: Vec<NamedStream<'a>>, definition: &Definition<'_>) -> Self {
        Self {
            streams,
            versions: Vec::new(),
            folded: StateMemory::new(definition.initial_state),
            to_save: Vec::new(),
            _fresh: ActiveSnapshot::push_unless_kept(),
        }
    }

    /// The ids of the streams.
    pub fn names(&self) -> impl Iterator<Item = Text<'a>> {
        self.streams.iter().map(|named| named.stream)
    }
}

/// Applies the events of the streams that are not part of the state yet.
pub fn fold<'a>(
    events: &Events,
    definition: &mut Definition<'a>,
    states: Option<&SavedStates<'a>>,
    current: &mut CommandState<'a>,
) -> Result<(), Error> {
    let snapshot = Snapshot::latest();
    let index = events.by_stream();
    let mut to_combine = definition.combine.as_ref().map(|_| StatesToCombine::none());
    let mut folder = StreamFolder {
        page: Page::new(&definition.apply, events.table.row_type()),
        definition,
        states,
        snapshot: &snapshot,
        scan: IndexScan::new(&events.table, &index, &snapshot).of_columns(column::EVENT_ID),
        to_save: &mut current.to_save,
    };
    let mut moved = Vec::new();
    for number in current.versions.len()..current.streams.len() {
        let stream = current.streams[number].stream;
        let state = &mut current.folded;
        let version = if number == 0 {
            folder.fold_alone(stream, state)?
        } else if let Some(to_combine) = &mut to_combine {
            folder.fold_and_combine(stream, state, to_combine)?
        } else {
            folder.fold_onto(stream, state)?
        };
        if transaction_keeps_one() {
            let seen = version_in_snapshot(events, stream);
            if seen != version {
                moved.push(VersionConflict {
                    stream: stream.to_string(),
                    expected: ExpectedVersion::Exactly(seen.unsigned_abs()),
                    actual: version.unsigned_abs(),
                });
            }
        }
        current.versions.push(version);
    }
    if let Some((to_combine, combine)) = to_combine.as_mut().zip(definition.combine.as_mut()) {
        to_combine.combine(combine, &mut current.folded)?;
    }
    if moved.is_empty() {
        Ok(())
    } else {
        Err(Error::SnapshotTooOld(moved))
    }
}

/// The ways to fold a stream. Each returns the version of the stream.
struct StreamFolder<'f, 'r, 'a> {
    definition: &'f mut Definition<'a>,
    states: Option<&'f SavedStates<'a>>,
    snapshot: &'r Snapshot,
    scan: IndexScan<'r>,
    page: Page,
    to_save: &'f mut Vec<SavedState<'a>>,
}

impl<'r, 'a: 'r> StreamFolder<'_, 'r, 'a> {
    /// Folds into a state that is the initial one. A saved state may replace the first events.
    fn fold_alone(&mut self, stream: Text<'a>, state: &mut StateMemory) -> Result<i64, Error> {
        let mut span = StreamSpan::default();
        let saved = match self.states {
            Some(states) => {
                self.seek(stream, Direction::Backward);
                match self.page.read_short(&mut self.scan, states.least_version()) {
                    Short::Whole => {
                        self.apply_page(stream, state)?;
                        return Ok(self.page.span().last_version);
                    }
                    Short::Long(version) => self.saved_state(states, stream, version)?,
                }
            }
            None => None,
        };
        match saved {
            Some((of_saved, saved)) => {
                *state = StateMemory::new(saved);
                span = of_saved;
            }
            None => self.seek(stream, Direction::Forward),
        }
        let mut events_read = 0;
        self.fold_rest(stream, state, |page| {
            events_read += page.len() as u64;
            span = span.and(page.span());
        })?;
        if self
            .states
            .is_some_and(|states| states.is_worth_saving(events_read))
        {
            let state = state.state().keep();
            self.to_save.push(SavedState {
                stream,
                span,
                state,
            });
        }
        Ok(span.last_version)
    }

    /// Folds into a state of its own, and combines that with the state of other streams.
    fn fold_and_combine(
        &mut self,
        stream: Text<'a>,
        state: &mut StateMemory,
        to_combine: &mut StatesToCombine<'a>,
    ) -> Result<i64, Error> {
        let mut own = StateMemory::new(self.definition.initial_state);
        let version = self.fold_alone(stream, &mut own)?;
        if let Some(combine) = &mut self.definition.combine {
            to_combine.add(combine, (stream, own.state()), state)?;
        }
        Ok(version)
    }

    /// Folds into the state of other streams.
    fn fold_onto(&mut self, stream: Text<'a>, state: &mut StateMemory) -> Result<i64, Error> {
        self.seek(stream, Direction::Forward);
        let mut version = 0;
        self.fold_rest(stream, state, |page| version = page.span().last_version)?;
        Ok(version)
    }

    /// A saved state from which the stream, now at this version, can be continued. The scan is then
    /// behind the events that it contains.
    fn saved_state(
        &mut self,
        states: &SavedStates<'a>,
        stream: Text<'a>,
        version: i64,
    ) -> Result<Option<(StreamSpan, Jsonb<'a>)>, Error> {
        let saved = states.find(self.definition, (stream, version), self.snapshot)?;
        Ok(saved.filter(|(span, _)| span.fits(&mut self.scan, stream)))
    }

    fn seek(&mut self, stream: Text<'a>, direction: Direction) {
        let of_stream = Condition::TextEquals(by_stream::STREAM_ID, stream);
        self.scan.seek(&[of_stream], direction);
    }

    /// Applies the rest of the events of the scan, page by page, and shows each page after it was
    /// applied.
    fn fold_rest(
        &mut self,
        stream: Text<'_>,
        state: &mut StateMemory,
        mut see: impl FnMut(&Page),
    ) -> Result<(), Error> {
        loop {
            let may_have_more = self.page.read(&mut self.scan);
            if self.page.len() > 0 {
                self.apply_page(stream, state)?;
                see(&self.page);
            }
            if !may_have_more {
                return Ok(());
            }
        }
    }

    fn apply_page(&mut self, stream: Text<'_>, state: &mut StateMemory) -> Result<(), Error> {
        let names = (self.definition.name, stream);
        self.page.apply(&mut self.definition.apply, names, state)
    }
}

/// The version of a stream in the snapshot that the transaction keeps.
fn version_in_snapshot(events: &Events, stream: Text<'_>) -> i64 {
    let snapshot = Snapshot::of_transaction();
    let index = events.by_stream();
    let mut scan = IndexScan::new(&events.table, &index, &snapshot);
    heads::version(&mut scan, stream)
}
