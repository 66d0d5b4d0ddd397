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
    row_type: Oid,
    max_events: usize,
    span: StreamSpan,
    /// The positions of the first and the last event.
    positions: (i64, i64),
}

impl Page {
    /// A page without events, for this `apply`.
    pub fn new(apply: &Folding, row_type: Oid) -> Self {
        Self {
            memory: ScratchMemory::new(),
            events: Vec::new(),
            row_type,
            max_events: if apply.takes_array { MAX_EVENTS } else { 1 },
            span: StreamSpan::default(),
            positions: (0, 0),
        }
    }

    /// Reads the next events in place of those before; none after the end of the stream. Returns
    /// whether there may be more. A scan that has come to its end would start over.
    pub fn read(&mut self, scan: &mut IndexScan<'_>) -> bool {
        self.memory.empty();
        self.events.clear();
        self.span = StreamSpan::default();
        let mut bytes = 0;
        while self.events.len() < self.max_events && bytes < MAX_BYTES {
            let Some(row) = scan.next() else {
                return false;
            };
            // The scan itself allocates what it needs for longer.
            let event = self.memory.until_emptied(|| row.composite());
            bytes += size(event);
            self.events.push(event);
            let (version, position) = (row.bigint(column::VERSION), row.bigint(column::POSITION));
            if self.events.len() == 1 {
                self.positions.0 = position;
            }
            self.positions.1 = position;
            self.span = self.span.and(StreamSpan {
                first_version: version,
                last_version: version,
                last_event: row.uuid(column::EVENT_ID),
            });
        }
        true
    }

    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Its part of the stream; empty if there are no events.
    pub fn span(&self) -> StreamSpan {
        self.span
    }

    /// Replaces the state by the one after these events. SE003 if `apply` returns NULL.
    pub fn apply(
        &self,
        apply: &mut Folding,
        (command, stream): (Text<'_>, Text<'_>),
        state: &mut StateMemory,
    ) -> Result<(), Error> {
        let [event, ..] = self.events[..] else {
            return Ok(());
        };
        let argument = if apply.takes_array {
            let array = || row_array(self.row_type, &self.events);
            self.memory.until_emptied(array)
        } else {
            event
        };
        let events = EventRange {
            command,
            stream,
            versions: (self.span.first_version, self.span.last_version),
            positions: self.positions,
        };
        state.replace(|state| {
            let next = applying(&events, || apply.function.next_state(state, argument));
            next.ok_or_else(|| is_null(&events))
        })
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
