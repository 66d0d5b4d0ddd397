//! What a command in the database did: [`ServerExecution`].

use std::time::SystemTime;

use crate::values::{CausationId, CorrelationId, Position, StreamId, StreamVersion};

/// What a command in the database did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerExecution {
    /// The positions of its first and its last event; `None` when the command wrote none.
    pub positions: Option<(Position, Position)>,
    /// Each stream that was read, those of the input first, with its version after the execution.
    pub versions: Vec<(StreamId, StreamVersion)>,
    /// When it was executed, by the server's clock.
    pub recorded_at: SystemTime,
    /// Whether an earlier call with the same idempotency key had done it, also one of this execution whose answer
    /// got lost. All of the above is what was done then.
    pub repeated: bool,
    /// How often it was sent, the last time included.
    pub attempts: u32,
    /// How often the server tried it when it was sent last: more than once when a stream that the command found on the
    /// way was in use, 0 when it was done already.
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

    /// The position of the first event; `None` when the command wrote none.
    pub fn first_position(&self) -> Option<Position> {
        self.positions.map(|(first, _)| first)
    }

    /// The position of the last event; `None` when the command wrote none. A projection that has come so far shows
    /// what the command did.
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
