//! [`Store`]: the store that the configuration names. Only here the program tells the two apart.

use eventcore::{
    AsyncCommandLogic, EventStore, EventSubscription, ExecuteError, ExecuteOptions, Execution,
    Filter, InMemoryEventStore, Position, PostgresEventStore, ReadAll, ReadStreams, StoreError,
    StreamId, StreamsRead, Subscribe, Subscription, execute_with,
};

/// Events in memory or in PostgreSQL.
#[derive(Clone)]
pub enum Store {
    /// In memory: gone with the process.
    Memory(InMemoryEventStore),
    /// In PostgreSQL.
    Postgres(PostgresEventStore),
}

/// Does the same with whichever store it is.
macro_rules! with {
    ($store:expr, |$inner:ident| $body:expr) => {
        match $store {
            $crate::store::Store::Memory($inner) => $body,
            $crate::store::Store::Postgres($inner) => $body,
        }
    };
}

pub(crate) use with;

impl Store {
    /// Executes a command.
    ///
    /// # Errors
    ///
    /// Like [`eventcore::execute`].
    pub async fn execute<C: AsyncCommandLogic>(
        &self,
        command: &C,
        options: &ExecuteOptions,
    ) -> Result<Execution, ExecuteError> {
        with!(self, |store| execute_with(store, command, options).await)
    }

    /// Everything in some streams, as it is now.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn read<const N: usize>(
        &self,
        streams: [StreamId; N],
    ) -> Result<StreamsRead, StoreError> {
        let read = ReadStreams::new(streams).up_to_date();
        with!(self, |store| store.read_streams(&read).await)
    }

    /// The position of the newest event that matches; 0 without one.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn newest(&self, filter: Filter) -> Result<Position, StoreError> {
        let read = ReadAll::new().backward().limit(1).filter(filter);
        let newest = with!(self, |store| store.read_all(&read).await)?;
        Ok(newest
            .first()
            .map_or(Position::START, |event| event.position))
    }

    /// The position up to which everything can be read.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn safe_position(&self) -> Result<Position, StoreError> {
        with!(self, |store| store.safe_position().await)
    }

    /// Follows the events.
    pub fn subscribe(&self, subscribe: Subscribe) -> Subscription {
        with!(self, |store| store.subscribe(subscribe))
    }
}
