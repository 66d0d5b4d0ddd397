//! [`execute`]: runs a command: read → fold → discover → handle → append, again after a conflict.

mod attempt;
mod deadline;
mod error;
mod executable;
mod execution;
pub(crate) mod observe;
mod options;
mod retry;
mod run;

#[cfg(feature = "postgres")]
pub(crate) use self::deadline::until;
pub use self::error::ExecuteError;
#[cfg(feature = "postgres")]
pub(crate) use self::error::Failure;
pub use self::executable::Executable;
pub use self::execution::{Execution, WrittenEvent};
pub use self::options::ExecuteOptions;
pub use self::retry::RetryPolicy;
use self::run::run;

use crate::command::AsyncCommandLogic;
use crate::store::{EventStore, NewEvent};
use crate::values::{StreamId, StreamVersion};

/// Executes a command: reads its streams in one snapshot, folds them into state, lets the command
/// decide, and writes its events if none of its streams has moved meanwhile. If one has, it starts
/// over, as the default [`RetryPolicy`] says. A command without events writes nothing.
///
/// With streams that are folded beforehand these are two calls of the store, each one round trip. Dropping
/// the future leaves the append written as a whole or not at all.
///
/// What else is [`Executable`] on the store is executed the same way: on PostgreSQL the call of a command that is
/// registered in the database.
///
/// # Errors
///
/// A business rule forbids it ([`ExecuteError::is_business_rule`]), an event cannot be encoded or
/// decoded, or the store fails, for example with a version conflict at the last attempt.
pub async fn execute<S, C>(store: &S, command: &C) -> Result<C::Done, ExecuteError>
where
    S: EventStore,
    C: Executable<S>,
{
    execute_with(store, command, &ExecuteOptions::default()).await
}

/// As [`execute`], with a retry policy, ids, metadata and a deadline of the caller's.
///
/// # Errors
///
/// As [`execute`], or the deadline passed ([`ExecuteError::is_deadline`]).
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

/// Something that is written together with a command's events, also if it has none: by whom nothing may
/// be executed twice.
pub(crate) struct CompanionEvent {
    pub(crate) stream: StreamId,
    pub(crate) version: StreamVersion,
    pub(crate) event: NewEvent,
}

/// As [`execute_with`], with a mark. That the mark's stream has moved ends the execution.
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
