//! [`ProcessProgress`]: the state of a process, read from the newest events in its stream.
//!
//! A process accepts a trigger only after it has completed the one before. So the open work follows
//! from the last accepted trigger, the events about its commands after it, and the state before it,
//! which is needed to ask for the commands again. To find out whether a trigger was accepted
//! before, the reader searches for its id. It need not search further back than the trigger's own
//! position, because no runner can have accepted the trigger before it existed.

use std::collections::VecDeque;

use serde_json::Value;

use super::error::Kind;
use super::record::{
    Acceptance, CommandId, Moment, Record, RejectedCommand, RejectionRecord, correlation,
};
use crate::store::{EventStore, ReadStream, RecordedEvent};
use crate::values::{CorrelationId, EventId, Position, StreamId, StreamVersion};

/// How many events are read at once, the newest first.
const PAGE: u32 = 20;

/// The state of a process and its open work.
#[derive(Default)]
pub(super) struct ProcessProgress {
    pub(super) version: StreamVersion,
    /// The last accepted trigger.
    pub(super) last: Option<Acceptance>,
    /// How many commands of the last trigger are done or rejected.
    pub(super) commands_done: usize,
    /// The state before the last trigger, if that trigger has open commands; `None` for the first
    /// trigger.
    pub(super) before: Option<Value>,
    /// Rejected commands that the process has not received as triggers yet.
    pub(super) pending: VecDeque<RejectedCommand>,
    /// Whether the process has accepted the trigger in question.
    pub(super) has_seen: bool,
}

/// The trigger in question.
#[derive(Clone, Copy)]
pub(super) struct SoughtTrigger {
    pub(super) event_id: EventId,
    pub(super) position: Position,
}

impl ProcessProgress {
    /// Whether the last trigger has commands that are not done.
    pub(super) fn has_open_commands(&self) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|last| self.commands_done < last.commands.len())
    }

    pub(super) fn has_ended(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.ended)
    }

    /// The state after the last trigger.
    pub(super) fn state(&self) -> Option<&Value> {
        self.last.as_ref().map(|last| &last.state)
    }

    /// Reads the process's stream as far back as needed.
    pub(super) async fn read<S: EventStore>(
        store: &S,
        stream: &StreamId,
        sought: SoughtTrigger,
    ) -> Result<Self, Kind> {
        let mut reading = ProgressReader::new(sought);
        let mut before = StreamVersion::EMPTY;
        loop {
            let read = ReadStream::new(stream.clone())
                .backward()
                .after(before)
                .limit(PAGE)
                .up_to_date();
            let events = store.read_stream(&read).await.map_err(Kind::Store)?;
            let is_at_start = events.len() < PAGE as usize;
            for event in events {
                before = event.version;
                if reading.take(event)? {
                    return Ok(reading.progress());
                }
            }
            if is_at_start {
                return Ok(reading.progress());
            }
        }
    }
}

/// What is known so far, read from the newest event back.
struct ProgressReader {
    sought: SoughtTrigger,
    progress: ProcessProgress,
    /// Whether earlier events cannot tell anything about the trigger in question.
    is_looked_up: bool,
    /// The commands that are done or rejected after the last trigger, the newest first.
    outcomes: Vec<CommandId>,
    /// The rejected ones among them.
    rejections: Vec<RejectedCommand>,
}

impl ProgressReader {
    fn new(sought: SoughtTrigger) -> Self {
        Self {
            sought,
            progress: ProcessProgress::default(),
            is_looked_up: false,
            outcomes: Vec::new(),
            rejections: Vec::new(),
        }
    }

    /// Takes the next older event. Returns whether enough is known.
    fn take(&mut self, event: RecordedEvent) -> Result<bool, Kind> {
        if self.progress.version == StreamVersion::EMPTY {
            self.progress.version = event.version;
        }
        self.is_looked_up |= event.position < self.sought.position;
        let (event_id, at) = (event.event_id, event.recorded_at);
        let correlation_id = correlation(event.correlation_id, event_id);
        match Record::from_event(event).map_err(Kind::Record)? {
            Record::Accepted(accepted) => self.take_accepted(accepted)?,
            // Events before the last trigger no longer matter.
            _ if self.progress.last.is_some() => {}
            Record::Done(id) => self.outcomes.push(id),
            Record::Rejected(rejection) => {
                self.take_rejection(rejection, event_id, at.into(), correlation_id);
            }
        }
        let knows_last = self.progress.last.is_some();
        let knows_before = !self.progress.has_open_commands() || self.progress.before.is_some();
        Ok(knows_last && knows_before && self.is_looked_up)
    }

    fn take_accepted(&mut self, accepted: Acceptance) -> Result<(), Kind> {
        let event_id = accepted.trigger.event_id();
        if event_id == self.sought.event_id {
            self.progress.has_seen = true;
            self.is_looked_up = true;
        }
        if self.progress.last.is_some() {
            self.progress.before.get_or_insert(accepted.state);
            return Ok(());
        }
        let mut outcomes = self.outcomes.iter().rev().enumerate();
        if !outcomes.all(|(index, id)| id.index == index && id.trigger == event_id) {
            let why = "the progress records in the process stream do not belong to its last accepted trigger";
            return Err(Kind::Inconsistent(why));
        }
        self.progress.commands_done = self.outcomes.len();
        self.progress.last = Some(accepted);
        Ok(())
    }

    fn take_rejection(
        &mut self,
        rejection: RejectionRecord,
        event_id: EventId,
        at: Moment,
        correlation_id: CorrelationId,
    ) {
        self.outcomes.push(rejection.command_id.clone());
        let rejected = RejectedCommand::new(rejection, event_id, at, correlation_id);
        self.rejections.push(rejected);
    }

    fn progress(mut self) -> ProcessProgress {
        let pending = self.progress.last.iter_mut();
        let pending = pending.flat_map(|last| std::mem::take(&mut last.pending));
        self.progress.pending = pending.chain(self.rejections.into_iter().rev()).collect();
        self.progress
    }
}
