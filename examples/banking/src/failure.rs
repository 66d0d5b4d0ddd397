//! [`Failure`]: why the example could not run to its end.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use eventcore::{EventError, ExecuteError, InvalidValue, StoreError, StreamId};

use crate::transfer_file::NoHeader;

/// Why the example could not run to its end. A violated invariant is not a failure: see
/// [`audit`](crate::audit).
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "{0} exists already, so this database has seen a run before; every run needs a fresh one:\n\
         \n  createdb NAME\n  psql -d NAME -c 'CREATE EXTENSION eventcore'\n"
    )]
    NotFresh(StreamId),
    #[error("--store postgres needs --url URL, or DATABASE_URL in the environment")]
    NoUrl,
    #[error("--url names a database, and --store memory uses none")]
    UrlInMemory,
    #[cfg(not(feature = "postgres"))]
    #[error("built without the feature `postgres`; --store memory works")]
    NoPostgres,
    #[error("cannot read {0}")]
    File(PathBuf, #[source] io::Error),
    #[error("these are no transfers")]
    Header(#[from] NoHeader),
    #[error("a name in this example is not a stream id")]
    Name(#[from] InvalidValue),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// For another reason than a rule of the bank.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    #[error("an event of an account is not an event of the bank")]
    Event(#[from] EventError),
    #[error("a task ended too early")]
    Task(#[from] tokio::task::JoinError),
    #[error("cannot write the report")]
    Output(#[from] io::Error),
}

impl Failure {
    /// 2 if the arguments are wrong, 1 if the run failed.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotFresh(_)
            | Self::NoUrl
            | Self::UrlInMemory
            | Self::File(..)
            | Self::Header(_) => ExitCode::from(2),
            #[cfg(not(feature = "postgres"))]
            Self::NoPostgres => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
