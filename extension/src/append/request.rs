//! A validated append, independent of the form in which it was passed.

use crate::arguments::streams::{StreamList, sort_by_key};
use crate::error::{Error, Malformed};
use crate::locks::StreamKey;
use crate::pg::array::{BigintArray, TextArray, UuidArray};
use crate::pg::jsonb::Kind;
use crate::pg::memory;
use crate::pg::value::{Jsonb, Text, uuid_datum};
use eventcore_rules::{ExpectedVersion, MAX_EVENTS_PER_APPEND, check_name};
use pgrx::pg_sys::Datum;
use std::collections::HashSet;
use uuid::Uuid;

/// The most memory that Rust allocates for one event until it is written.
const BYTES_PER_EVENT: usize = 256;

/// A validated append.
pub struct Request<'a> {
    /// The declared streams, in the caller's order.
    pub streams: Vec<DeclaredStream<'a>>,
    /// The events, in the caller's order.
    pub events: Vec<NewEvent<'a>>,
    pub correlation: Origin<'a>,
    pub causation: Origin<'a>,
    /// The position of an append on which the expected versions rest.
    pub known_position: Option<i64>,
    /// The indexes of the declared streams, ordered by key: the order in which they are locked.
    pub by_key: Vec<(StreamKey, usize)>,
    form: Form,
}

/// The correlation ids, or the causation ids, of the events.
pub struct Origin<'a> {
    /// The id of every event that has none of its own.
    of_all: Option<Uuid>,
    /// An element for each event, and NULL for an event without an id of its own.
    of_each: Option<UuidArray<'a>>,
}

impl<'a> Origin<'a> {
    /// One id for all events.
    fn of_all(id: Option<Uuid>) -> Self {
        Self {
            of_all: id,
            of_each: None,
        }
    }

    /// Gives each event an id of its own. The array has an element for each event.
    pub fn set_of_each(&mut self, ids: Option<UuidArray<'a>>) {
        self.of_each = ids;
    }

    /// The id of the event with this index, as a uuid; `None` is NULL.
    pub fn datum(&self, event: usize) -> Option<Datum> {
        let own = self.of_each.as_ref().and_then(|ids| ids.datum(event));
        own.or_else(|| self.of_all.as_ref().map(uuid_datum))
    }
}

/// A stream that the events depend on.
pub struct DeclaredStream<'a> {
    pub stream: Text<'a>,
    pub expected: ExpectedVersion,
    /// How many events the append adds to it; 0 for a stream that is only checked.
    pub adds: i64,
}

/// An event that has not been written yet.
pub struct NewEvent<'a> {
    /// The index of its stream among the declared streams.
    pub stream: usize,
    pub event_type: Text<'a>,
    pub payload: Jsonb<'a>,
    pub metadata: Option<Jsonb<'a>>,
    /// The id, if the caller gave one.
    pub id: Option<Uuid>,
}

/// How the caller passed the events. It decides what errors call their parts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One jsonb, with an object per event.
    Json,
    /// One array per column; the array form and the compact form.
    Arrays,
    /// As [`Json`](Self::Json), but returned by the function `handle` of a command.
    Handle,
}

/// A part of an event.
#[derive(Clone, Copy)]
pub enum EventPart {
    Stream,
    Type,
    Payload,
    Metadata,
    Id,
}

impl Form {
    /// An error about a part of the event with this index.
    pub fn malformed(self, part: EventPart, event: usize, reason: impl Into<String>) -> Error {
        let (field, array) = match part {
            EventPart::Stream => ("stream", "event_streams"),
            EventPart::Type => ("type", "event_types"),
            EventPart::Payload => ("payload", "payloads"),
            EventPart::Metadata => ("metadata", "metadata"),
            EventPart::Id => ("id", "event_ids"),
        };
        match self {
            Self::Json | Self::Handle => Malformed::argument(self.argument(), reason)
                .at(event)
                .field(field)
                .into(),
            Self::Arrays => Malformed::argument(array, reason).at(event).into(),
        }
    }

    /// What errors call the events as a whole.
    pub fn argument(self) -> &'static str {
        match self {
            Self::Json => "events",
            Self::Arrays => "event_streams",
            Self::Handle => "result of handle",
        }
    }
}

impl<'a> Request<'a> {
    /// A request without events.
    pub fn new(
        form: Form,
        streams: Option<TextArray<'a>>,
        expected_versions: Option<BigintArray<'a>>,
        correlation_id: Option<Uuid>,
        causation_id: Option<Uuid>,
    ) -> Result<Self, Error> {
        let StreamList { names, by_key } = StreamList::read(streams)?;
        let expected =
            expected_versions.ok_or_else(|| Malformed::argument("expected_versions", "is NULL"))?;
        if expected.0.len() != names.len() {
            let reason = format!(
                "has {} elements, streams has {}",
                expected.0.len(),
                names.len()
            );
            return Err(Malformed::argument("expected_versions", reason).into());
        }
        let mut streams = Vec::with_capacity(names.len());
        for (index, stream) in names.into_iter().enumerate() {
            let value = expected.get(index);
            let expected = ExpectedVersion::from_sql(value).ok_or_else(|| {
                let reason = format!("is {}, which is below -1", value.unwrap_or_default());
                Malformed::argument("expected_versions", reason).at(index)
            })?;
            streams.push(DeclaredStream {
                stream,
                expected,
                adds: 0,
            });
        }
        Ok(Self {
            streams,
            events: Vec::new(),
            correlation: Origin::of_all(correlation_id),
            causation: Origin::of_all(causation_id),
            known_position: None,
            by_key,
            form,
        })
    }

    /// A request of a command, without events: its streams, each expected at the version that was
    /// read.
    pub fn of_command(
        streams: impl Iterator<Item = (Text<'a>, i64)>,
        correlation_id: Option<Uuid>,
        causation_id: Option<Uuid>,
    ) -> Result<Self, Error> {
        let streams: Vec<_> = streams
            .map(|(stream, version)| DeclaredStream {
                stream,
                expected: ExpectedVersion::Exactly(version.unsigned_abs()),
                adds: 0,
            })
            .collect();
        let names: Vec<_> = streams.iter().map(|declared| declared.stream).collect();
        Ok(Self {
            streams,
            events: Vec::new(),
            correlation: Origin::of_all(correlation_id),
            causation: Origin::of_all(causation_id),
            known_position: None,
            by_key: sort_by_key(&names)?,
            form: Form::Handle,
        })
    }

    /// How the events were passed.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Makes room for this many events.
    pub fn expect_events(&mut self, count: usize) -> Result<(), Error> {
        if count > MAX_EVENTS_PER_APPEND {
            let reason = format!("has {count} elements, more than {MAX_EVENTS_PER_APPEND}");
            return Err(Malformed::argument(self.form.argument(), reason).into());
        }
        memory::require(count.saturating_mul(BYTES_PER_EVENT));
        self.events.reserve_exact(count);
        Ok(())
    }

    /// Adds an event.
    pub fn push(
        &mut self,
        stream: &[u8],
        event_type: Text<'a>,
        payload: Jsonb<'a>,
        metadata: Option<Jsonb<'a>>,
        id: Option<Uuid>,
    ) -> Result<(), Error> {
        let event = self.events.len();
        let stream = match self.find(stream) {
            Some(number) => number,
            None => return Err(self.undeclared(stream, event)),
        };
        check_name(event_type.bytes()).map_err(|error| {
            self.form
                .malformed(EventPart::Type, event, error.to_string())
        })?;
        if payload.kind() == Kind::Null {
            return Err(self
                .form
                .malformed(EventPart::Payload, event, "is JSON null"));
        }
        if metadata.is_some_and(|metadata| metadata.kind() != Kind::Object) {
            return Err(self
                .form
                .malformed(EventPart::Metadata, event, "is not a JSON object"));
        }
        self.streams[stream].adds += 1;
        self.events.push(NewEvent {
            stream,
            event_type,
            payload,
            metadata,
            id,
        });
        Ok(())
    }

    /// Returns the request after a check of all its events.
    pub fn finish(self) -> Result<Self, Error> {
        if self.events.len() < 2 {
            return Ok(self);
        }
        let mut seen = HashSet::new();
        for (event, id) in self
            .events
            .iter()
            .enumerate()
            .filter_map(|(i, e)| Some((i, e.id?)))
        {
            if !seen.insert(id) {
                return Err(self.form.malformed(
                    EventPart::Id,
                    event,
                    format!("{id} appears twice"),
                ));
            }
        }
        Ok(self)
    }

    /// The error for an event whose stream was not declared.
    fn undeclared(&self, stream: &[u8], event: usize) -> Error {
        match check_name(stream) {
            Ok(()) => {
                let stream = String::from_utf8_lossy(stream).into_owned();
                Error::UndeclaredStream { stream, event }
            }
            Err(error) => self
                .form
                .malformed(EventPart::Stream, event, error.to_string()),
        }
    }

    /// The index of a declared stream.
    fn find(&self, name: &[u8]) -> Option<usize> {
        // Consecutive events are often for the same stream.
        if let Some(last) = self.events.last()
            && self.streams[last.stream].stream.bytes() == name
        {
            return Some(last.stream);
        }
        let key = StreamKey::of(name);
        let from = self.by_key.partition_point(|(other, _)| *other < key);
        self.by_key[from..]
            .iter()
            .take_while(|(other, _)| *other == key)
            .map(|(_, number)| *number)
            .find(|number| self.streams[*number].stream.bytes() == name)
    }
}
