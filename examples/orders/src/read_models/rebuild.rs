//! Rebuilds the read models from the first event on, while they are read as before.

use eventcore::{
    EventError, EventStore, Position, PostgresEventStore, ProjectionStore, ReadAll, StoreError,
    StoredEvent,
};

use super::follow::name;
use super::memory::Maps;
use super::{ReadError, ReadModels, Views, client, filter, postgres, server};
use crate::domain::ShopEvent;

/// How many events are read at once.
const PAGE: u32 = 1_000;

impl ReadModels {
    /// Rebuilds the read models. Readers see the old ones until the new ones have caught up. Inside
    /// the server this only begins it: the server does the rest.
    ///
    /// # Errors
    ///
    /// A rebuild is under way; or the store fails.
    pub async fn rebuild(&self) -> Result<(), ReadError> {
        match self {
            Self::Memory(store, views) => in_memory(store, views).await,
            Self::Client(store) => in_tables(store).await,
            Self::Server(store) => server::rebuild(store).await,
        }
    }
}

/// Fills new maps and replaces the old ones, in a transaction that moves the checkpoint. If the
/// projection has moved it meanwhile, its runner or this one begins again.
async fn in_memory(store: &eventcore::InMemoryEventStore, views: &Views) -> Result<(), ReadError> {
    let name = views.projection();
    loop {
        let mut transaction = store.begin().await?;
        let checkpoint = store.checkpoint(name).await?;
        let (mut maps, mut after) = (Maps::default(), Position::START);
        while let Some(page) = page(store, after, checkpoint).await? {
            page.iter().for_each(|stored| maps.apply(stored));
            after = page.last().map_or(checkpoint, |last| last.position);
        }
        let views = views.clone();
        transaction.on_commit(move || views.replace(maps));
        let advanced = store
            .advance_checkpoint(&mut transaction, name, checkpoint, checkpoint)
            .await;
        match advanced.and(store.commit(transaction).await) {
            Err(error) if error.is_lease_lost() => continue,
            done => return Ok(done?),
        }
    }
}

/// Empties and fills the tables in one transaction. Readers see the old rows until it commits; the
/// projection waits for it.
async fn in_tables(store: &PostgresEventStore) -> Result<(), ReadError> {
    const EMPTY: &str = "DELETE FROM orders; DELETE FROM customers; DELETE FROM inventory";

    let name = name()?;
    let (transaction, checkpoint) = loop {
        let mut transaction = store.begin().await?;
        let checkpoint = store.checkpoint(&name).await?;
        let held = store.advance_checkpoint(&mut transaction, &name, checkpoint, checkpoint);
        match held.await {
            Ok(()) => break (transaction, checkpoint),
            // The projection has moved it meanwhile.
            Err(error) if error.is_lease_lost() => store.roll_back(transaction).await,
            Err(error) => return Err(error.into()),
        }
    };
    let emptied = transaction.batch_execute(EMPTY).await;
    emptied.map_err(|error| postgres::failed(store, error))?;
    let mut after = Position::START;
    while let Some(page) = page(store, after, checkpoint).await? {
        for stored in &page {
            let applied = client::apply(stored, &transaction).await;
            applied.map_err(|error| match store.is_passing(error.as_ref()) {
                true => StoreError::transient(error).into(),
                false => ReadError::Row(error.to_string()),
            })?;
        }
        after = page.last().map_or(checkpoint, |last| last.position);
    }
    store.commit(transaction).await?;
    Ok(())
}

/// The next events up to a position; `None` if there are no more.
async fn page(
    store: &impl EventStore,
    after: Position,
    until: Position,
) -> Result<Option<Vec<StoredEvent<ShopEvent>>>, StoreError> {
    let read = ReadAll::new().after(after).limit(PAGE).filter(filter());
    let events = store.read_all(&read).await?;
    let wanted = events
        .into_iter()
        .take_while(|event| event.position <= until);
    let decoded: Result<Vec<_>, EventError> = wanted.map(|event| event.decode()).collect();
    let decoded = decoded?;
    Ok((!decoded.is_empty()).then_some(decoded))
}
