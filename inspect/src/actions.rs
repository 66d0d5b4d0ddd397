//! What an operator does to subscriptions, projections and sessions.

use crate::error::Error;
use crate::session::Session;

/// What to do to a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionAction {
    /// Polls get no events until it is resumed.
    Pause,
    /// Ends a pause.
    Resume,
    /// Continue after this position, lower or higher than now.
    Reset(i64),
    /// Remove it with its checkpoint and its parked events.
    Drop,
}

const PAUSE_SUBSCRIPTION: &str = "SELECT eventcore_pause_subscription($1)";
const RESUME_SUBSCRIPTION: &str = "SELECT eventcore_resume_subscription($1)";
const RESET_SUBSCRIPTION: &str = "SELECT eventcore_reset_subscription($1, $2)";
const DROP_SUBSCRIPTION: &str = "SELECT eventcore_drop_subscription($1)";

/// Changes a subscription. Needs `eventcore_subscriber`.
///
/// # Errors
///
/// There is none of this name (SE007); a position is past the safe position (SE003) or of another
/// history (SE011).
pub async fn change_subscription(
    session: &Session,
    name: &str,
    action: SubscriptionAction,
) -> Result<(), Error> {
    match action {
        SubscriptionAction::Pause => session.query_one(PAUSE_SUBSCRIPTION, &[&name]).await?,
        SubscriptionAction::Resume => session.query_one(RESUME_SUBSCRIPTION, &[&name]).await?,
        SubscriptionAction::Reset(position) => {
            session
                .query_one(RESET_SUBSCRIPTION, &[&name, &position])
                .await?
        }
        SubscriptionAction::Drop => session.query_one(DROP_SUBSCRIPTION, &[&name]).await?,
    };
    Ok(())
}

/// A subscription to create. What is `None` has the default of `eventcore_create_subscription`.
#[derive(Debug, Clone, Default)]
pub struct NewSubscription {
    /// Its name.
    pub name: String,
    /// Only streams whose name begins with one of these.
    pub prefixes: Option<Vec<String>>,
    /// Only these types.
    pub types: Option<Vec<String>>,
    /// `start`, `now`, or a position.
    pub from: Option<String>,
    /// How long a consumer has for the events of one poll: an interval of PostgreSQL.
    pub lease: Option<String>,
    /// How often a failed event is delivered again.
    pub retry_limit: Option<i64>,
    /// `continue` or `stop`.
    pub on_parked: Option<String>,
}

const CREATE_SUBSCRIPTION: &str = "\
SELECT eventcore_create_subscription($1, $2, $3, coalesce($4::text, 'start'), coalesce($5::text::interval, '30 seconds'),
                                     coalesce($6::bigint, 10), coalesce($7::text, 'continue'))";

/// Creates a subscription. False: it exists already, with the same definition. Needs
/// `eventcore_subscriber`.
///
/// # Errors
///
/// Malformed (SE003), or there is one of this name with another definition.
pub async fn create_subscription(session: &Session, new: &NewSubscription) -> Result<bool, Error> {
    let row = session
        .query_one(
            CREATE_SUBSCRIPTION,
            &[
                &new.name,
                &new.prefixes,
                &new.types,
                &new.from,
                &new.lease,
                &new.retry_limit,
                &new.on_parked,
            ],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// What to do to a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectionAction {
    /// Its worker stops after the batch at hand.
    Pause,
    /// Ends a pause, or tries a failed event again.
    Resume,
    /// Empty its tables and begin again.
    Rebuild {
        /// Fill other tables first, and exchange them in the end.
        with_shadow: bool,
    },
    /// Remove it. Its tables stay.
    Drop,
}

const PAUSE_PROJECTION: &str = "SELECT eventcore_pause_projection($1)";
const RESUME_PROJECTION: &str = "SELECT eventcore_resume_projection($1)";
const REBUILD_PROJECTION: &str = "SELECT eventcore_rebuild_projection($1, $2)";
const DROP_PROJECTION: &str = "SELECT eventcore_drop_projection($1)";

/// Changes a projection. Needs `eventcore_projector` and membership in its owner.
///
/// # Errors
///
/// There is none of this name (SE007), or the role may not change it (42501).
pub async fn change_projection(
    session: &Session,
    name: &str,
    action: ProjectionAction,
) -> Result<(), Error> {
    match action {
        ProjectionAction::Pause => session.query_one(PAUSE_PROJECTION, &[&name]).await?,
        ProjectionAction::Resume => session.query_one(RESUME_PROJECTION, &[&name]).await?,
        ProjectionAction::Rebuild { with_shadow } => {
            session
                .query_one(REBUILD_PROJECTION, &[&name, &with_shadow])
                .await?
        }
        ProjectionAction::Drop => session.query_one(DROP_PROJECTION, &[&name]).await?,
    };
    Ok(())
}

/// What has set events aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkedOf {
    /// A subscription.
    Subscription,
    /// A projection.
    Projection,
}

/// What to do with events that were set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkedAction {
    /// Deliver them again.
    Replay,
    /// Forget them.
    Discard,
}

const REPLAY: &str = "SELECT eventcore_replay_parked($1, $2)";
const DISCARD: &str = "SELECT eventcore_discard_parked($1, $2)";
const REPLAY_OF_PROJECTION: &str = "SELECT eventcore_replay_projection_parked($1, $2)";
const DISCARD_OF_PROJECTION: &str = "SELECT eventcore_discard_projection_parked($1, $2)";

/// Replays or discards these parked events, all of them or none; returns how many.
///
/// It takes positions and never "all": a caller shows what is parked first, and sends what was seen.
///
/// # Errors
///
/// One of them is not parked (SE003), there is no such subscription or projection (SE007), or the
/// role may not (42501).
pub async fn change_parked(
    session: &Session,
    of: ParkedOf,
    name: &str,
    positions: &[i64],
    action: ParkedAction,
) -> Result<i64, Error> {
    let statement = match (of, action) {
        (ParkedOf::Subscription, ParkedAction::Replay) => REPLAY,
        (ParkedOf::Subscription, ParkedAction::Discard) => DISCARD,
        (ParkedOf::Projection, ParkedAction::Replay) => REPLAY_OF_PROJECTION,
        (ParkedOf::Projection, ParkedAction::Discard) => DISCARD_OF_PROJECTION,
    };
    let row = session.query_one(statement, &[&name, &positions]).await?;
    Ok(row.try_get(0)?)
}

const PARK: &str = "SELECT eventcore_park($1, $2, $3)";

/// Sets events of a subscription aside that wait to be delivered again, all of them or none; returns
/// how many were not parked before. Without a reason it is the role. Needs `eventcore_subscriber`.
///
/// # Errors
///
/// One of them was never delivered, is done, or is leased by a consumer (SE003); there is no such
/// subscription (SE007), or the role may not (42501).
pub async fn park(
    session: &Session,
    subscription: &str,
    positions: &[i64],
    reason: Option<&str>,
) -> Result<i64, Error> {
    let row = session
        .query_one(PARK, &[&subscription, &positions, &reason])
        .await?;
    Ok(row.try_get(0)?)
}

/// Ends the session only if it is still in flight, so that a number that another process has got
/// since does no harm.
const TERMINATE: &str = "\
SELECT pg_terminate_backend(i.pid) FROM eventcore.stat_inflight i WHERE i.pid = $1";

/// Ends a session that has appended and not ended its transaction: what it appended is rolled back.
/// Needs `pg_signal_backend`, or membership in the role of that session.
///
/// # Errors
///
/// No transaction of this process is in flight, or the role may not end it (42501).
pub async fn terminate(session: &Session, pid: i32) -> Result<(), Error> {
    let row = session.query_opt(TERMINATE, &[&pid]).await?;
    match row.map(|row| row.try_get(0)).transpose()? {
        Some(true) => Ok(()),
        Some(false) => Err(Error::not_found(format!("process {pid} has ended"))),
        None => Err(Error::not_found(format!(
            "no transaction of process {pid} is in flight"
        ))),
    }
}
