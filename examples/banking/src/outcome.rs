//! [`Outcome`]: what happened to a line of the file.

use std::fmt;
use std::time::Duration;

use eventcore::{ExecuteError, Execution, Position};

use crate::failure::Failure;
use crate::transfer_file::Malformed;
use crate::transfer_money::TransferRejected;

/// What happened to a line of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// The line's number.
    pub(crate) line: u32,
    pub(crate) result: Result<Accepted, Reason>,
    /// The execution in the store; `None` for a line that was not sent to the store.
    pub(crate) work: Option<Work>,
}

/// A transfer that was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Accepted {
    /// The position of its last event.
    pub(crate) position: Position,
}

/// Why a line was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Overdraft,
    UnknownAccount,
    Malformed(Malformed),
}

/// The execution of a transfer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Work {
    pub(crate) took: Duration,
    /// How many times it was tried again.
    pub(crate) retries: u32,
}

impl Outcome {
    /// The outcome of a line that is not a valid transfer.
    pub(crate) fn malformed(line: u32, wrong: Malformed) -> Self {
        Self {
            line,
            result: Err(Reason::Malformed(wrong)),
            work: None,
        }
    }

    /// The outcome of a transfer that was executed.
    ///
    /// # Errors
    ///
    /// Fails for another reason than a rule of the bank.
    pub(crate) fn executed(
        line: u32,
        execution: Result<Execution, ExecuteError>,
        took: Duration,
    ) -> Result<Self, Failure> {
        let (result, attempts) = match execution {
            Ok(execution) => {
                let position = execution.last_position().unwrap_or_default();
                (Ok(Accepted { position }), execution.attempts)
            }
            Err(error) => match error.rejection() {
                Some(rejection) => (Err(Reason::from(rejection)), error.attempts()),
                None => return Err(Failure::Execute(error)),
            },
        };
        let retries = attempts.saturating_sub(1);
        let work = Some(Work { took, retries });
        Ok(Self { line, result, work })
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.result.is_ok()
    }
}

impl From<&TransferRejected> for Reason {
    fn from(rejection: &TransferRejected) -> Self {
        match rejection {
            TransferRejected::Overdraft { .. } => Self::Overdraft,
            TransferRejected::UnknownAccount(_) => Self::UnknownAccount,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overdraft => f.pad("overdraft"),
            Self::UnknownAccount => f.pad("unknown account"),
            Self::Malformed(wrong) => f.pad(&format!("malformed: {wrong}")),
        }
    }
}
