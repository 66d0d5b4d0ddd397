//! [`ServerCommand`]: a command in the database, with the type of its input; and [`ServerCall`]: a
//! call of it.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;

use super::ServerExecution;
use super::run::run;
use crate::execute::{Executable, ExecuteError, ExecuteOptions};
use crate::postgres::PostgresEventStore;

/// A command that is registered in the database: its name, and the type of its input.
///
/// ```no_run
/// use eventcore::postgres::ServerCommand;
/// use eventcore::{PostgresEventStore, Rejection, StreamId, execute};
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct Transfer {
///     from: StreamId,
///     to: StreamId,
///     cents: u64,
/// }
///
/// const TRANSFER: ServerCommand<Transfer> = ServerCommand::new("transfer");
///
/// # async fn run(store: PostgresEventStore) -> Result<(), Box<dyn std::error::Error>> {
/// let input = Transfer { from: "account-ada".parse()?, to: "account-bob".parse()?, cents: 70 };
/// match execute(&store, &TRANSFER.with(&input)).await {
///     Ok(done) => println!("{:?}", done.version_of(&input.from)),
///     Err(error) if error.is_business_rule() => {
///         let sqlstate = error.rejection::<Rejection>().map(|why| why.sqlstate.as_str());
///         println!("no ({sqlstate:?}): {error}");
///     }
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
pub struct ServerCommand<I: ?Sized> {
    name: &'static str,
    input: PhantomData<fn(&I)>,
}

/// A call of a [`ServerCommand`], for [`execute`](crate::execute) and
/// [`execute_with`](crate::execute_with) on a [`PostgresEventStore`]. It takes one round trip; the
/// server reads, folds, decides and writes.
///
/// **Executed once.** A call has an idempotency key. The server executes a command once per key. If
/// the call is sent again with the same key, the server returns the first result. So the store
/// repeats a call whose answer was lost, as the [`RetryPolicy`](crate::RetryPolicy) says. Each
/// execution gets its own key, unless [`idempotency_key`](Self::idempotency_key) gives one that
/// outlives the execution. A policy with one attempt needs no key: with
/// [`RetryPolicy::none`](crate::RetryPolicy::none) there is no key and no row in
/// `eventcore.executions`. Old rows may be deleted.
///
/// **Options.** The server checks every stream that it reads and decides itself which states to
/// save. `always_check` and `state_cache` have no effect.
///
/// # Errors
///
/// `handle` raised an error ([`ExecuteError::is_business_rule`], with a
/// [`Rejection`](crate::Rejection)); the command or one of its functions does not exist
/// ([`ExecuteError::is_unknown_name`]); the command wrote to a stream that it did not read
/// ([`ExecuteError::is_undeclared_stream`]); the input, the metadata, the key or the result of a
/// function is malformed ([`ExecuteError::is_malformed`]); or the store fails at the last attempt.
pub struct ServerCall<'a, I: ?Sized> {
    pub(super) command: &'static str,
    pub(super) input: &'a I,
    pub(super) idempotency_key: Option<String>,
}

impl<I: ?Sized> ServerCommand<I> {
    /// The command of this name.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            input: PhantomData,
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A call with this input.
    pub fn with<'a>(&self, input: &'a I) -> ServerCall<'a, I> {
        ServerCall {
            command: self.name,
            input,
            idempotency_key: None,
        }
    }
}

impl<I: ?Sized> ServerCall<'_, I> {
    /// Sets the idempotency key: 1 to 255 bytes without ASCII control characters, for example the
    /// id of the request that led to the call. The command is executed once for this key, whatever
    /// the input is, in any process, as long as the key's row in `eventcore.executions` exists.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }
}

impl<I: Serialize + Sync + ?Sized> Executable<PostgresEventStore> for ServerCall<'_, I> {
    type Done = ServerExecution;

    fn execute_on(
        &self,
        store: &PostgresEventStore,
        options: &ExecuteOptions,
    ) -> impl Future<Output = Result<ServerExecution, ExecuteError>> + Send {
        run(store, self, options)
    }
}

impl<I: ?Sized> Clone for ServerCommand<I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I: ?Sized> Copy for ServerCommand<I> {}

impl<I: ?Sized> fmt::Debug for ServerCommand<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerCommand").field(&self.name).finish()
    }
}

impl<I: ?Sized> fmt::Debug for ServerCall<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCall")
            .field("command", &self.command)
            .field("idempotency_key", &self.idempotency_key)
            .finish_non_exhaustive()
    }
}
