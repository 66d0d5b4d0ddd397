//! [`InvalidValue`]: the error of every validated type.

use eventcore_rules::InvalidName;

/// A value that its type does not allow, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what}: it {reason}")]
pub struct InvalidValue {
    what: &'static str,
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Reason {
    #[error("{0}")]
    Name(InvalidName),
    #[error("is not a UUID")]
    Uuid,
    #[error("{0}")]
    Metadata(String),
    #[error("{0}")]
    Manager(&'static str),
    #[error("is not a whole number from 0 to {}", u64::MAX)]
    Number,
    #[error("is not JSON")]
    Json,
}

impl InvalidValue {
    /// What the value was meant to be, for example `stream id`.
    pub fn what(&self) -> &str {
        self.what
    }

    pub(crate) fn name(what: &'static str, reason: InvalidName) -> Self {
        Self {
            what,
            reason: Reason::Name(reason),
        }
    }

    pub(crate) fn uuid(what: &'static str) -> Self {
        Self {
            what,
            reason: Reason::Uuid,
        }
    }

    pub(crate) fn number(what: &'static str) -> Self {
        Self {
            what,
            reason: Reason::Number,
        }
    }

    pub(crate) fn manager(reason: &'static str) -> Self {
        Self {
            what: "name of a process manager",
            reason: Reason::Manager(reason),
        }
    }

    pub(crate) fn metadata(reason: impl ToString) -> Self {
        Self {
            what: "metadata",
            reason: Reason::Metadata(reason.to_string()),
        }
    }

    pub(crate) fn json(what: &'static str) -> Self {
        Self {
            what,
            reason: Reason::Json,
        }
    }
}
