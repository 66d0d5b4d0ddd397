//! Commands inside the database: registers them, and executes them in one round trip.

mod definition;
mod register;
mod run;
mod server_command;
mod server_execution;

pub use self::definition::{CommandDefinition, FieldType, RegisteredCommand};
pub use self::server_command::{ServerCall, ServerCommand};
pub use self::server_execution::ServerExecution;
use super::PostgresEventStore;
use crate::execute::{Executable, ExecuteError, ExecuteOptions};
use crate::store::StoreError;

impl PostgresEventStore {
    /// Registers a command under a name. Its functions must exist in the database.
    ///
    /// # Errors
    ///
    /// An argument is malformed, a name does not name exactly one function, a function has the
    /// wrong arguments or result, the store's user may not execute it, or a command of this name
    /// exists (all SE003, with [`StoreError::argument`]); the user may not register commands; or
    /// the store cannot be reached.
    pub async fn register_command(&self, command: &CommandDefinition) -> Result<(), StoreError> {
        register::register(&self.inner.pool, command).await
    }

    /// Drops a command; `false` if there is none of this name. Its functions stay.
    ///
    /// # Errors
    ///
    /// The name is malformed, the store's user may not drop commands, or the store cannot be
    /// reached.
    pub async fn drop_command(&self, name: &str) -> Result<bool, StoreError> {
        register::drop(&self.inner.pool, name).await
    }

    /// Makes a command fold its streams from their start again, after a change of something that
    /// its `apply` calls; `false` if there is no command of this name.
    ///
    /// # Errors
    ///
    /// The name is malformed, the store's user may not discard states, or the store cannot be
    /// reached.
    pub async fn discard_command_states(&self, name: &str) -> Result<bool, StoreError> {
        register::discard(&self.inner.pool, name).await
    }

    /// The registered commands, by name.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn commands(&self) -> Result<Vec<RegisteredCommand>, StoreError> {
        register::list(&self.inner.pool).await
    }

    /// Executes a command in the database. The same as [`execute`](crate::execute) with
    /// [`command.with(input)`](ServerCommand::with).
    ///
    /// # Errors
    ///
    /// See [`ServerCall`].
    pub async fn execute_command<I>(
        &self,
        command: &ServerCommand<I>,
        input: &I,
    ) -> Result<ServerExecution, ExecuteError>
    where
        I: serde::Serialize + Sync + ?Sized,
    {
        let options = ExecuteOptions::default();
        command.with(input).execute_on(self, &options).await
    }
}
