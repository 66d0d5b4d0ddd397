//! [`ServerExecution`]: what a command in the database did.

use std::time::SystemTime;

use crate::values::{CausationId, CorrelationId, Position, StreamId, StreamVersion};

/// What a command in the database did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerExecution {
    /// The positions of its first and its last event; `None` if the command wrote none.
    pub positions: Option<(Position, Position)>,
    /// Each stream that was read, those of the input first, with its version after the execution.
    pub versions: Vec<(StreamId, StreamVersion)>,
    /// When the server executed it, by its clock.
    pub recorded_at: SystemTime,
    /// Whether an earlier call with the same idempotency key had executed it, including a call of
    /// this execution whose answer was lost. All fields above are then those of the first
    /// execution.
    pub repeated: bool,
    /// How many times the call was sent, including the last.
    pub attempts: u32,
    /// How many times the server tried it after the last call: more than once if a discovered
    /// stream was in use, 0 if it was executed before.
    pub server_attempts: u32,
    /// The correlation id that was sent.
    pub correlation_id: CorrelationId,
    /// The causation id that was sent.
    pub causation_id: CausationId,
}

impl ServerExecution {
    /// Whether it wrote events.
    pub fn wrote(&self) -> bool {
        self.positions.is_some()
    }

    /// The position of the first event; `None` if the command wrote none.
    pub fn first_position(&self) -> Option<Position> {
        self.positions.map(|(first, _)| first)
    }

    /// The position of the last event; `None` if the command wrote none. A projection that has
    /// reached it shows what the command did.
    pub fn last_position(&self) -> Option<Position> {
        self.positions.map(|(_, last)| last)
    }

    /// The version after the execution of a stream that was read.
    pub fn version_of(&self, stream: &StreamId) -> Option<StreamVersion> {
        let mut versions = self.versions.iter();
        let found = versions.find(|(id, _)| id == stream);
        found.map(|(_, version)| *version)
    }
}
