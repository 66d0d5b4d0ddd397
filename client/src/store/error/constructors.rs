//! How a store makes a [`StoreError`].

use eventcore_rules::{ErrorCode, VersionConflict};

use super::{Inner, Kind, Source, StoreError};
use crate::store::rejection::Rejection;
use crate::values::{EventId, Position, StreamId};

impl StoreError {
    /// Declared streams are not at their expected versions (SE001).
    pub fn version_conflict(conflicts: Vec<VersionConflict<StreamId>>) -> Self {
        Self::make(Kind::VersionConflict(conflicts), None)
    }

    /// An event goes to a stream that the append did not declare (SE002).
    pub fn undeclared_stream(stream: StreamId) -> Self {
        Self::make(Kind::UndeclaredStream { stream }, None)
    }

    /// An argument, or the element of it with this index, is malformed (SE003).
    pub fn malformed(
        argument: impl Into<String>,
        index: Option<usize>,
        reason: impl Into<Source>,
    ) -> Self {
        Self::make(
            Kind::Malformed {
                argument: argument.into(),
                index,
            },
            Some(reason.into()),
        )
    }

    /// These event ids were used before, with other content (SE004).
    pub fn idempotency_mismatch(event_ids: Vec<EventId>) -> Self {
        Self::make(Kind::IdempotencyMismatch { event_ids }, None)
    }

    /// A stream is closed or deleted (SE005).
    pub fn stream_closed(stream: StreamId) -> Self {
        Self::make(Kind::StreamClosed { stream }, None)
    }

    /// A command in the database rejected its input (SE006).
    pub fn rejected(rejection: Rejection) -> Self {
        Self::make(Kind::Rejected(rejection), None)
    }

    /// There is no subscription, projection or command with this name, or a command's function is
    /// missing (SE007).
    pub fn unknown_name(name: impl Into<String>) -> Self {
        Self::make(Kind::UnknownName { name: name.into() }, None)
    }

    /// A lease does not hold the events at these positions, or no longer holds them (SE008). For a
    /// checkpoint: another runner of the projection has moved it.
    pub fn lease_lost(positions: Vec<Position>) -> Self {
        Self::make(Kind::LeaseLost { positions }, None)
    }

    /// The reader comes from another history of the store (SE011): it continues after a position
    /// that this store has never given out. Both histories are the same up to `agreed`.
    pub fn diverged(after: Position, agreed: Position) -> Self {
        Self::make(Kind::Diverged { after, agreed }, None)
    }

    /// The store reported another error code of eventcore.
    pub fn coded(code: ErrorCode, source: impl Into<Source>) -> Self {
        Self::make(Kind::Coded(code), Some(source.into()))
    }

    /// The user of the connection lacks a privilege.
    pub fn denied(source: impl Into<Source>) -> Self {
        Self::make(Kind::Denied, Some(source.into()))
    }

    /// A temporary failure, such as a lost connection. It is unknown whether the store did what it
    /// was asked.
    pub fn transient(source: impl Into<Source>) -> Self {
        Self::make(Kind::Transient, Some(source.into()))
    }

    /// The store did what it was asked, but the wait for a synchronous standby to confirm the
    /// commit was cancelled. If the server is lost, the commit may be lost too.
    pub fn unconfirmed() -> Self {
        Self::make(Kind::Unconfirmed, None)
    }

    /// The operation took too long and was not done. `passes`: trying again may help.
    pub fn timed_out(passes: bool, source: impl Into<Source>) -> Self {
        Self::make(Kind::TimedOut { passes }, Some(source.into()))
    }

    /// Any other failure. Trying again does not help.
    pub fn other(source: impl Into<Source>) -> Self {
        Self::make(Kind::Other, Some(source.into()))
    }

    /// States that the store did not do what it was asked.
    #[must_use]
    pub fn not_done(mut self) -> Self {
        self.0.in_doubt = false;
        self
    }

    /// Sets the source of the error.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    fn make(kind: Kind, source: Option<Source>) -> Self {
        let in_doubt = matches!(kind, Kind::Transient | Kind::Unconfirmed | Kind::Other);
        Self(Box::new(Inner {
            kind,
            in_doubt,
            source,
        }))
    }
}
