//! [`Standing`]: where a process stands, by the newest events in its stream.
//!
//! A process takes a trigger only when it is done with the one before. So what is left to do is known from the
//! last accepted trigger and the marks after it, with one thing more: its state before, to ask for the
//! commands again. Whether a trigger was taken before is looked up by its id; it cannot be further back than
//! the trigger itself is, because nobody can have taken it before it was there.

use std::collections::VecDeque;

use serde_json::Value;

use super::error::Why;
use super::record::{Accepted, Mark, Moment, Record, Rejected, Rejection, correlation};
use crate::store::{EventStore, ReadStream, RecordedEvent, StoreError};
use crate::values::{CorrelationId, EventId, Position, StreamId, StreamVersion};

/// So many events are read at once, the newest first.
const PAGE: u32 = 20;

/// Where a process stands.
#[derive(Default)]
pub(super) struct Standing {
    pub(super) version: StreamVersion,
    /// The trigger that it took last.
    pub(super) last: Option<Accepted>,
    /// How many of that one's commands are done or rejected.
    pub(super) marked: usize,
    /// The state before that one, if there is something left of it to do; `None` for the first.
    pub(super) before: Option<Value>,
    /// Rejected commands that the process is still to be told of.
    pub(super) pending: VecDeque<Rejected>,
    /// Whether the trigger that is asked about has been taken.
    pub(super) has_seen: bool,
}

/// Which trigger is asked about.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) event_id: EventId,
    pub(super) position: Position,
}

/// Why it is not known where a process stands.
pub(super) enum Unknown {
    Store(StoreError),
    Why(Why),
}

impl Standing {
    /// Whether the last trigger has commands that are not done.
    pub(super) fn is_at_work(&self) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|last| self.marked < last.commands.len())
    }

    pub(super) fn has_ended(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.ended)
    }

    /// The state after the last trigger.
    pub(super) fn state(&self) -> Option<&Value> {
        self.last.as_ref().map(|last| &last.state)
    }

    /// Reads as far back as is needed.
    pub(super) async fn read<S: EventStore>(
        store: &S,
        stream: &StreamId,
        wanted: Wanted,
    ) -> Result<Self, Unknown> {
        let mut reading = Reading::new(wanted);
        let mut before = StreamVersion::EMPTY;
        loop {
            let read = ReadStream::new(stream.clone())
                .backward()
                .after(before)
                .limit(PAGE)
                .up_to_date();
            let events = store.read_stream(&read).await?;
            let is_at_start = events.len() < PAGE as usize;
            for event in events {
                before = event.version;
                if reading.take(event)? {
                    return Ok(reading.standing());
                }
            }
            if is_at_start {
                return Ok(reading.standing());
            }
        }
    }
}

/// What is known so far, from the newest event back.
struct Reading {
    wanted: Wanted,
    standing: Standing,
    /// Whether nothing further back can tell that the trigger was taken.
    is_looked_up: bool,
    /// What is noted after the last trigger, the newest first.
    marks: Vec<Mark>,
    /// Which of these are rejections.
    rejections: Vec<Rejected>,
}

impl Reading {
    fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            standing: Standing::default(),
            is_looked_up: false,
            marks: Vec::new(),
            rejections: Vec::new(),
        }
    }

    /// Takes the event before; whether that is enough.
    fn take(&mut self, event: RecordedEvent) -> Result<bool, Unknown> {
        if self.standing.version == StreamVersion::EMPTY {
            self.standing.version = event.version;
        }
        self.is_looked_up |= event.position < self.wanted.position;
        let (event_id, at) = (event.event_id, event.recorded_at);
        let correlation_id = correlation(event.correlation_id, event_id);
        match Record::from_event(event).map_err(Why::Record)? {
            Record::Accepted(accepted) => self.take_accepted(accepted)?,
            // Those before the last trigger are of no interest any more.
            _ if self.standing.last.is_some() => {}
            Record::Done(mark) => self.marks.push(mark),
            Record::Rejected(rejection) => {
                self.take_rejection(rejection, event_id, at.into(), correlation_id);
            }
        }
        let knows_last = self.standing.last.is_some();
        let knows_before = !self.standing.is_at_work() || self.standing.before.is_some();
        Ok(knows_last && knows_before && self.is_looked_up)
    }

    fn take_accepted(&mut self, accepted: Accepted) -> Result<(), Why> {
        let event_id = accepted.trigger.event_id();
        if event_id == self.wanted.event_id {
            self.standing.has_seen = true;
            self.is_looked_up = true;
        }
        if self.standing.last.is_some() {
            self.standing.before.get_or_insert(accepted.state);
            return Ok(());
        }
        let mut marks = self.marks.iter().rev().enumerate();
        if !marks.all(|(index, mark)| mark.index == index && mark.trigger == event_id) {
            let why = "what is noted in its stream is not about its last trigger";
            return Err(Why::Inconsistent(why));
        }
        self.standing.marked = self.marks.len();
        self.standing.last = Some(accepted);
        Ok(())
    }

    fn take_rejection(
        &mut self,
        rejection: Rejection,
        event_id: EventId,
        at: Moment,
        correlation_id: CorrelationId,
    ) {
        let Rejection { mark, .. } = &rejection;
        self.marks.push(mark.clone());
        let rejected = Rejected::new(rejection, event_id, at, correlation_id);
        self.rejections.push(rejected);
    }

    fn standing(mut self) -> Standing {
        let pending = self.standing.last.iter_mut();
        let pending = pending.flat_map(|last| std::mem::take(&mut last.pending));
        self.standing.pending = pending.chain(self.rejections.into_iter().rev()).collect();
        self.standing
    }
}

impl From<StoreError> for Unknown {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Why> for Unknown {
    fn from(why: Why) -> Self {
        Self::Why(why)
    }
}
