//! [`Projection`]: what an application makes of the events, each exactly once.

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

/// What an application makes of the events: a table to query, for example. Run it with
/// [`run_projection`].
///
/// What [`apply`](Self::apply) writes through the transaction is committed together with the checkpoint,
/// batch by batch: every event takes effect exactly once, whatever fails. What it writes elsewhere, also
/// in `self`, may be written more than once.
pub trait Projection<S: ProjectionStore>: Send {
    /// The events that it is made of.
    type Event: Event;

    /// The name under which its checkpoint is kept: 1 to 255 bytes, no ASCII control characters. With
    /// another name it starts anew.
    fn name(&self) -> &str;

    /// Which events it needs. By default all; each has to be one of its event type.
    fn filter(&self) -> Filter {
        Filter::all()
    }

    /// What to do about an event that is none of the projection's event type, or has a payload that cannot be
    /// decoded. By default the projection stops at it, and stops there again when it is run again.
    fn undecodable(&mut self, _error: &FollowError) -> OnUndecodable {
        OnUndecodable::Stop
    }

    /// What to do when its checkpoint is of another history of the store, as when the checkpoint and what the projection
    /// writes are kept elsewhere, or came from a dump of a server whose last events are lost. Where they are in the database
    /// of the events they come through a fail-over together, and this is not asked. Both histories are the same up to
    /// `agreed`. By default the projection stops with the error
    /// ([`StoreError::is_diverged`](crate::StoreError::is_diverged)).
    fn diverged(&mut self, _agreed: Position) -> OnDiverged {
        OnDiverged::Stop
    }

    /// Takes one event in.
    ///
    /// # Errors
    ///
    /// An error of the store that passes, such as a deadlock, lets the batch be tried again. Any other
    /// stops the projection.
    fn apply(
        &mut self,
        event: StoredEvent<Self::Event>,
        transaction: &mut S::Transaction,
    ) -> impl Future<Output = Result<(), HandlerError>> + Send;
}
