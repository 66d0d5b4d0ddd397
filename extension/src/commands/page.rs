//! Pages: the events that one call of `apply` gets.
//!
//! A page has consecutive events of one stream, in the order of their versions. It has one event if
//! `apply` takes one, and several if it takes an array. So the memory that a fold needs depends on
//! the size of a page, and not on the length of the stream.

use super::definition::Folding;
use super::states::StreamSpan;
use crate::error::{Error, Malformed};
use crate::pg::array::row_array;
use crate::pg::error_context::{EventRange, applying};
use crate::pg::memory::{ScratchMemory, StateMemory};
use crate::pg::scan::IndexScan;
use crate::pg::value::{Text, size};
use crate::tables::columns::events as column;
use pgrx::pg_sys::{Datum, Oid};
use uuid::Uuid;

/// The most events of a page. docs/decisions/0023-apply-in-pages.md has measurements.
const MAX_EVENTS: usize = 100;

/// A page is complete with the event by which it has this many bytes.
const MAX_BYTES: usize = 1 << 20;

/// Consecutive events of one stream.
pub struct Page {
    /// For the events.
    memory: ScratchMemory,
    /// As rows of `eventcore.events`.
    events: Vec<Datum>,
    /// Of each event.
    places: Vec<Place>,
    row_type: Oid,
    /// How many events a call of `apply` gets at most.
    each: usize,
}

/// Where an event is.
#[derive(Clone, Copy)]
struct Place {
    version: i64,
    position: i64,
    event_id: Uuid,
}

/// What [`Page::read_short`] has found.
pub enum Short {
    /// All events of the stream are in the page.
    Whole,
    /// The stream has too many events, or they are too large. This is its version.
    Long(i64),
}

impl Page {
    /// A page without events, for this `apply`.
    pub fn new(apply: &Folding, row_type: Oid) -> Self {
        Self {
            memory: ScratchMemory::new(),
            events: Vec::with_capacity(MAX_EVENTS),
            places: Vec::with_capacity(MAX_EVENTS),
            row_type,
            each: if apply.takes_array { MAX_EVENTS } else { 1 },
        }
    }

    /// Reads the next events in place of those before; none after the end of the stream. Returns
    /// whether there may be more. A scan that has come to its end would start over.
    pub fn read(&mut self, scan: &mut IndexScan<'_>) -> bool {
        let (each, mut bytes) = (self.each, 0);
        self.fill(scan, |_, events, size| {
            bytes += size;
            events < each && bytes < MAX_BYTES
        })
    }

    /// Reads a stream as a whole, by a scan that begins at its last event, if its version is below
    /// this one and it fits into a page. A short stream is then found with one descent of the index,
    /// and not with one for its version and one for its events.
    pub fn read_short(&mut self, scan: &mut IndexScan<'_>, below: i64) -> Short {
        let below = below.min(MAX_EVENTS as i64);
        let (mut version, mut bytes) = (0, 0);
        let stopped = self.fill(scan, |place, events, size| {
            if events == 1 {
                version = place.version;
            }
            bytes += size;
            version < below && bytes < MAX_BYTES
        });
        if stopped {
            return Short::Long(version);
        }
        self.events.reverse();
        self.places.reverse();
        Short::Whole
    }

    /// Reads events in place of those before, until `more` returns `false` for an event, its number
    /// from 1, and its size. Returns whether it did. There are at most [`MAX_EVENTS`].
    fn fill(
        &mut self,
        scan: &mut IndexScan<'_>,
        mut more: impl FnMut(&Place, usize, usize) -> bool,
    ) -> bool {
        self.memory.empty();
        self.events.clear();
        self.places.clear();
        let (events, places) = (&mut self.events, &mut self.places);
        scan.visit(&self.memory, |row, event| {
            let place = Place {
                version: row.bigint(column::VERSION),
                position: row.bigint(column::POSITION),
                event_id: row.uuid(column::EVENT_ID),
            };
            // There is room for all of them.
            events.push(event);
            places.push(place);
            more(&place, events.len(), size(event)) && events.len() < MAX_EVENTS
        })
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Its part of the stream; empty if there are no events.
    pub fn span(&self) -> StreamSpan {
        match self.places[..] {
            [first, .., last] => first.span().and(last.span()),
            [only] => only.span(),
            [] => StreamSpan::default(),
        }
    }

    /// Replaces the state by the one after these events. SE003 if `apply` returns NULL.
    pub fn apply(
        &self,
        apply: &mut Folding,
        names: (Text<'_>, Text<'_>),
        state: &mut StateMemory,
    ) -> Result<(), Error> {
        let calls = self.events.chunks(self.each);
        calls
            .zip(self.places.chunks(self.each))
            .try_for_each(|(events, places)| self.call(apply, names, state, events, places))
    }

    fn call(
        &self,
        apply: &mut Folding,
        (command, stream): (Text<'_>, Text<'_>),
        state: &mut StateMemory,
        events: &[Datum],
        places: &[Place],
    ) -> Result<(), Error> {
        let ([event, ..], [first, ..], Some(last)) = (events, places, places.last()) else {
            return Ok(());
        };
        let argument = if apply.takes_array {
            let array = || row_array(self.row_type, events);
            self.memory.until_emptied(array)
        } else {
            *event
        };
        let events = EventRange {
            command,
            stream,
            versions: (first.version, last.version),
            positions: (first.position, last.position),
        };
        state.replace(|state| {
            let next = applying(&events, || apply.function.next_state(state, argument));
            next.ok_or_else(|| is_null(&events))
        })
    }
}

impl Place {
    fn span(&self) -> StreamSpan {
        StreamSpan {
            first_version: self.version,
            last_version: self.version,
            last_event: self.event_id,
        }
    }
}

fn is_null(events: &EventRange<'_>) -> Error {
    let stream = events.stream.to_string();
    let ((first, last), (from, to)) = (events.versions, events.positions);
    let reason = if first == last {
        format!("is NULL, for version {first} of \"{stream}\"")
    } else {
        format!("is NULL, for versions {first} to {last} of \"{stream}\"")
    };
    Malformed::argument("result of apply", reason)
        .with("stream", stream)
        .with("versions", [first, last])
        .with("positions", [from, to])
        .into()
}
