//! The error codes of eventcore: SQLSTATE class `SE`, the same in SQL and in the client.

/// A SQLSTATE of ours. Every error that eventcore raises has one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// A declared stream is not at its expected version.
    VersionConflict,
    /// An event names a stream that the append did not declare.
    UndeclaredStream,
    /// An event or an argument is malformed.
    Malformed,
    /// An event id was used before, with other content.
    IdempotencyMismatch,
    /// The stream is closed or deleted.
    StreamClosed,
    /// The handler of a command rejected it.
    CommandRejected,
    /// No command, subscription or projection has this name.
    UnknownName,
    /// The lease on a batch of events ran out.
    LeaseLost,
    /// eventcore cannot do this here: not loaded through `shared_preload_libraries`, or the place,
    /// the transaction or the table does not allow it.
    Unavailable,
    /// The reader comes from another history of the store, as after a fail-over that lost events.
    Diverged,
}

impl ErrorCode {
    /// Every code, in order.
    pub const ALL: [Self; 10] = [
        Self::VersionConflict,
        Self::UndeclaredStream,
        Self::Malformed,
        Self::IdempotencyMismatch,
        Self::StreamClosed,
        Self::CommandRejected,
        Self::UnknownName,
        Self::LeaseLost,
        Self::Unavailable,
        Self::Diverged,
    ];

    /// The five characters of the SQLSTATE.
    pub const fn sqlstate(self) -> &'static str {
        match self {
            Self::VersionConflict => "SE001",
            Self::UndeclaredStream => "SE002",
            Self::Malformed => "SE003",
            Self::IdempotencyMismatch => "SE004",
            Self::StreamClosed => "SE005",
            Self::CommandRejected => "SE006",
            Self::UnknownName => "SE007",
            Self::LeaseLost => "SE008",
            Self::Unavailable => "SE009",
            Self::Diverged => "SE011",
        }
    }

    /// The code with this SQLSTATE; `None` for a SQLSTATE that is not ours.
    pub fn from_sqlstate(sqlstate: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|code| code.sqlstate() == sqlstate)
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorCode;

    #[test]
    fn every_code_is_found_by_its_sqlstate_and_no_other_is() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_sqlstate(code.sqlstate()), Some(code));
        }
        assert_eq!(ErrorCode::from_sqlstate("40001"), None);
        assert_eq!(ErrorCode::from_sqlstate("SE000"), None);
    }
}
