//! [`Projection`]: a read model of an application, updated by each event exactly once.

mod error;
mod options;
mod run;
mod store;

pub use self::error::ProjectionError;
pub use self::options::{OnDiverged, OnUndecodable, ProjectionOptions};
pub use self::run::{run_projection, run_projection_until, run_projection_with};
pub use self::store::ProjectionStore;
use crate::consumer::HandlerError;
use crate::store::{Event, Filter, StoredEvent};
use crate::subscription::FollowError;
use crate::values::Position;

/// A read model: what an application makes of the events, for example a table for queries. Run it
/// with [`run_projection`].
///
/// What [`apply`](Self::apply) writes through the transaction is committed together with the
/// checkpoint, batch by batch. So every event takes effect exactly once, whatever fails. What it
/// writes elsewhere, including `self`, may be written more than once.
pub trait Projection<S: ProjectionStore>: Send {
    /// The type of its events.
    type Event: Event;

    /// The name of the projection and of its checkpoint: 1 to 255 bytes, no ASCII control
    /// characters. Under another name it starts from the beginning.
    fn name(&self) -> &str;

    /// Which events it needs. By default all; each must fit its event type.
    fn filter(&self) -> Filter {
        Filter::all()
    }

    /// What to do with an event that has an unknown type or a payload that cannot be decoded. By
    /// default the projection stops before it, every time it runs.
    fn undecodable(&mut self, _error: &FollowError) -> OnUndecodable {
        OnUndecodable::Stop
    }

    /// What to do if its checkpoint belongs to another history of the store. That happens if the
    /// checkpoint is kept outside of the database of the events, or came from a dump of a server
    /// whose last events are lost. A checkpoint in the database of the events comes through a
    /// failover together with them, and then this is not called. Both histories are the same up to
    /// `agreed`. By default the projection stops with the error
    /// ([`StoreError::is_diverged`](crate::StoreError::is_diverged)).
    fn diverged(&mut self, _agreed: Position) -> OnDiverged {
        OnDiverged::Stop
    }

    /// Applies one event.
    ///
    /// # Errors
    ///
    /// After a temporary error of the store, such as a deadlock, the batch is tried again. Any
    /// other error stops the projection.
    fn apply(
        &mut self,
        event: StoredEvent<Self::Event>,
        transaction: &mut S::Transaction,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;
}
