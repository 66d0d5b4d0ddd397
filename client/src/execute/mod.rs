//! [`execute`]: runs a command: read → fold → discover → handle → append, and again after a
//! conflict.

mod attempt;
mod cached_read;
mod deadline;
mod error;
mod event_cache;
mod executable;
mod execution;
mod keep;
pub(crate) mod observe;
mod options;
mod retry;
mod run;

#[cfg(feature = "postgres")]
pub(crate) use self::deadline::until;
pub use self::error::ExecuteError;
#[cfg(feature = "postgres")]
pub(crate) use self::error::Failure;
pub use self::event_cache::EventCache;
pub use self::executable::Executable;
pub use self::execution::{Execution, WrittenEvent};
pub use self::options::ExecuteOptions;
pub use self::retry::RetryPolicy;
use self::run::run;

use crate::command::AsyncCommandLogic;
use crate::store::{EventStore, NewEvent};
use crate::values::{StreamId, StreamVersion};

/// Executes a command. It reads the command's streams in one snapshot, folds them into state, lets
/// the command decide, and writes the command's events if none of its streams has changed
/// meanwhile. Otherwise it starts again, as the default [`RetryPolicy`] says. A command that
/// decides on no events writes nothing.
///
/// If all streams are known beforehand this takes two calls of the store, each one round trip. If
/// the future is dropped, the append is written completely or not at all.
///
/// Anything that is [`Executable`] on the store is executed in the same way. On PostgreSQL this
/// includes calls of commands that are registered in the database.
///
/// # Errors
///
/// A business rule forbids the command ([`ExecuteError::is_business_rule`]), an event cannot be
/// encoded or decoded, or the store fails, for example with a version conflict at the last attempt.
pub async fn execute<S, C>(store: &S, command: &C) -> Result<C::Done, ExecuteError>
where
    S: EventStore,
    C: Executable<S>,
{
    execute_with(store, command, &ExecuteOptions::default()).await
}

/// Like [`execute`], with your own retry policy, ids, metadata and deadline.
///
/// # Errors
///
/// Like [`execute`]; or the deadline passed ([`ExecuteError::is_deadline`]).
pub async fn execute_with<S, C>(
    store: &S,
    command: &C,
    options: &ExecuteOptions,
) -> Result<C::Done, ExecuteError>
where
    S: EventStore,
    C: Executable<S>,
{
    command.execute_on(store, options).await
}

/// An extra event appended atomically with the command's events, or alone if there are none.
/// Process managers use it to detect that a command has already run.
pub(crate) struct CompanionEvent {
    pub(crate) stream: StreamId,
    pub(crate) version: StreamVersion,
    pub(crate) event: NewEvent,
}

/// Like [`execute_with`], with a companion event. If the companion's stream has changed, the
/// execution fails.
pub(crate) async fn execute_with_companion<S, C>(
    store: &S,
    command: &C,
    options: &ExecuteOptions,
    companion: &CompanionEvent,
) -> Result<Execution, ExecuteError>
where
    S: EventStore,
    C: AsyncCommandLogic,
{
    run(store, command, options, Some(companion)).await
}
