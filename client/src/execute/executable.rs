//! [`Executable`]: what [`execute`](crate::execute) can execute on a store.

use super::{ExecuteError, ExecuteOptions, Execution, run};
use crate::command::AsyncCommandLogic;
use crate::store::EventStore;

/// What [`execute`](crate::execute) can execute on a store `S`: every command, on every store. A
/// store may also execute calls itself; `PostgresEventStore` does so with the calls of a
/// `ServerCommand`. This trait lets both share the name `execute`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command that `{S}` executes",
    note = "derive `Command` for its streams and implement `eventcore::CommandLogic`; the calls of a \
            `ServerCommand` are executed on a `PostgresEventStore`"
)]
pub trait Executable<S> {
    /// The result of an execution.
    type Done;

    /// Executes it.
    ///
    /// # Errors
    ///
    /// Like [`execute_with`](crate::execute_with).
    fn execute_on(
        &self,
        store: &S,
        options: &ExecuteOptions,
    ) -> impl Future<Output = Result<Self::Done, ExecuteError>> + Send;
}

impl<S: EventStore, C: AsyncCommandLogic> Executable<S> for C {
    type Done = Execution;

    fn execute_on(
        &self,
        store: &S,
        options: &ExecuteOptions,
    ) -> impl Future<Output = Result<Execution, ExecuteError>> + Send {
        run(store, self, options, None)
    }
}
