//! The SQL function of each operation on durable subscriptions.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use crate::durable::{
    Nack, NackAction, NackOutcome, OnParked, ParkedEvent, StartFrom, SubscriptionDefinition,
};
use crate::postgres::error::store_error;
use crate::postgres::pool::Pool;
use crate::postgres::read::{count, types};
use crate::postgres::row::{self, event_columns, from_bigint, to_bigint};
use crate::store::StoreError;
use crate::values::{ConsumerName, LeaseId, Position, SubscriptionName};

const CREATE: &str = "\
SELECT eventcore_create_subscription($1::text, $2::text[], $3::text[], $4::text,
                                     $5::float8 * interval '1 millisecond',
                                     $6::bigint, $7::text)";

const DROP: &str = "SELECT eventcore_drop_subscription($1::text)";

const PAUSE: &str = "SELECT eventcore_pause_subscription($1::text)";

const RESUME: &str = "SELECT eventcore_resume_subscription($1::text)";

const RESET: &str = "SELECT eventcore_reset_subscription($1::text, $2::bigint)";

pub(super) const ACK: &str = "SELECT eventcore_ack($1::text, $2::uuid, $3::bigint[])";

const NACK: &str = "\
SELECT position, outcome
  FROM eventcore_nack($1::text, $2::uuid, $3::bigint[], $4::text, $5::text,
                      $6::float8 * interval '1 millisecond')";

/// Computed by the server's clock alone, because ours may differ.
const EXTEND: &str = "\
SELECT extract(epoch FROM eventcore_extend_lease($1::text, $2::uuid)
                          - pg_catalog.clock_timestamp())::double precision";

const PARKED: &str = concat!(
    "SELECT ",
    event_columns!(),
    ", attempts, reason, parked_at, consumer
  FROM eventcore_parked($1::text, $2::bigint, $3::bigint)"
);

const PARK: &str = "SELECT eventcore_park($1::text, $2::bigint[], $3::text)";

const REPLAY: &str = "SELECT eventcore_replay_parked($1::text, $2::bigint[])";

const DISCARD: &str = "SELECT eventcore_discard_parked($1::text, $2::bigint[])";

pub(in crate::postgres) async fn create(
    pool: &Pool,
    subscription: &SubscriptionName,
    definition: &SubscriptionDefinition,
) -> Result<bool, StoreError> {
    let prefixes = &definition.filter.stream_prefixes;
    let start = match definition.start {
        StartFrom::Start => "start".to_owned(),
        StartFrom::Now => "now".to_owned(),
        StartFrom::After(position) => position.to_string(),
    };
    let on_parked = match definition.on_parked {
        OnParked::Continue => "continue",
        OnParked::Stop => "stop",
    };
    let row = pool
        .query_one(
            CREATE,
            &[
                &subscription.as_str(),
                &(!prefixes.is_empty()).then_some(prefixes),
                &types(&definition.filter.event_types),
                &start,
                &milliseconds(definition.lease),
                &count(definition.retry_limit),
                &on_parked,
            ],
        )
        .await?;
    row.try_get(0).map_err(store_error)
}

pub(in crate::postgres) async fn drop(
    pool: &Pool,
    subscription: &SubscriptionName,
) -> Result<(), StoreError> {
    pool.query_one(DROP, &[&subscription.as_str()]).await?;
    Ok(())
}

pub(in crate::postgres) async fn pause(
    pool: &Pool,
    subscription: &SubscriptionName,
) -> Result<(), StoreError> {
    pool.query_one(PAUSE, &[&subscription.as_str()]).await?;
    Ok(())
}

pub(in crate::postgres) async fn resume(
    pool: &Pool,
    subscription: &SubscriptionName,
) -> Result<(), StoreError> {
    pool.query_one(RESUME, &[&subscription.as_str()]).await?;
    Ok(())
}

pub(in crate::postgres) async fn reset(
    pool: &Pool,
    subscription: &SubscriptionName,
    after: Position,
) -> Result<(), StoreError> {
    pool.query_one(RESET, &[&subscription.as_str(), &to_bigint(after.get())])
        .await?;
    Ok(())
}

pub(in crate::postgres) async fn ack(
    pool: &Pool,
    subscription: &SubscriptionName,
    lease_id: LeaseId,
    positions: Option<&[Position]>,
) -> Result<(), StoreError> {
    let positions = positions.map(bigints);
    let arguments: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
        [&subscription.as_str(), &lease_id.as_uuid(), &positions];
    pool.query_one(ACK, &arguments).await?;
    Ok(())
}

pub(in crate::postgres) async fn nack(
    pool: &Pool,
    subscription: &SubscriptionName,
    lease_id: LeaseId,
    positions: Option<&[Position]>,
    nack: &Nack,
) -> Result<Vec<(Position, NackOutcome)>, StoreError> {
    let action = match nack.action {
        NackAction::Retry => "retry",
        NackAction::Park => "park",
        NackAction::Skip => "skip",
        NackAction::Release => "release",
    };
    let rows = pool
        .query(
            NACK,
            &[
                &subscription.as_str(),
                &lease_id.as_uuid(),
                &positions.map(bigints),
                &action,
                &nack.reason,
                &milliseconds(nack.delay),
            ],
        )
        .await?;
    rows.iter().map(outcome).collect()
}

pub(in crate::postgres) async fn extend_lease(
    pool: &Pool,
    subscription: &SubscriptionName,
    lease_id: LeaseId,
) -> Result<Duration, StoreError> {
    let row = pool
        .query_one(EXTEND, &[&subscription.as_str(), &lease_id.as_uuid()])
        .await?;
    let seconds: f64 = row.try_get(0).map_err(store_error)?;
    Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

pub(in crate::postgres) async fn parked(
    pool: &Pool,
    subscription: &SubscriptionName,
    after: Position,
    max_events: u32,
) -> Result<Vec<ParkedEvent>, StoreError> {
    let rows = pool
        .query(
            PARKED,
            &[
                &subscription.as_str(),
                &to_bigint(after.get()),
                &count(max_events),
            ],
        )
        .await?;
    rows.iter().map(parked_event).collect()
}

pub(in crate::postgres) async fn park(
    pool: &Pool,
    subscription: &SubscriptionName,
    positions: &[Position],
    reason: Option<&str>,
) -> Result<u64, StoreError> {
    let row = pool
        .query_one(
            PARK,
            &[&subscription.as_str(), &bigints(positions), &reason],
        )
        .await?;
    from_bigint(row.try_get(0).map_err(store_error)?)
}

pub(in crate::postgres) async fn replay_parked(
    pool: &Pool,
    subscription: &SubscriptionName,
    positions: Option<&[Position]>,
) -> Result<u64, StoreError> {
    unpark(pool, REPLAY, subscription, positions).await
}

pub(in crate::postgres) async fn discard_parked(
    pool: &Pool,
    subscription: &SubscriptionName,
    positions: Option<&[Position]>,
) -> Result<u64, StoreError> {
    unpark(pool, DISCARD, subscription, positions).await
}

/// Runs a statement that removes parked events, and returns how many it removed.
async fn unpark(
    pool: &Pool,
    statement: &'static str,
    subscription: &SubscriptionName,
    positions: Option<&[Position]>,
) -> Result<u64, StoreError> {
    let positions = positions.map(bigints);
    let row = pool
        .query_one(statement, &[&subscription.as_str(), &positions])
        .await?;
    from_bigint(row.try_get(0).map_err(store_error)?)
}

fn outcome(row: &Row) -> Result<(Position, NackOutcome), StoreError> {
    let position = from_bigint(row.try_get(0).map_err(store_error)?)?;
    let outcome = match row.try_get(1).map_err(store_error)? {
        "retry" => NackOutcome::Retry,
        "parked" => NackOutcome::Parked,
        "skipped" => NackOutcome::Skipped,
        "released" => NackOutcome::Released,
        other => return Err(StoreError::other(format!("unknown outcome {other:?}"))),
    };
    Ok((Position::new(position), outcome))
}

fn parked_event(row: &Row) -> Result<ParkedEvent, StoreError> {
    let attempts: i32 = row.try_get("attempts").map_err(store_error)?;
    let consumer: Option<&str> = row.try_get("consumer").map_err(store_error)?;
    Ok(ParkedEvent {
        event: row::event(row, None)?,
        attempts: u32::try_from(attempts).map_err(StoreError::other)?,
        reason: row.try_get("reason").map_err(store_error)?,
        parked_at: row.try_get("parked_at").map_err(store_error)?,
        consumer: consumer
            .map(ConsumerName::new)
            .transpose()
            .map_err(StoreError::other)?,
    })
}

pub(super) fn bigints(positions: &[Position]) -> Vec<i64> {
    let positions = positions.iter();
    positions
        .map(|position| to_bigint(position.get()))
        .collect()
}

/// For `* interval '1 millisecond'`; at most a hundred years, which PostgreSQL can add to any
/// current time.
fn milliseconds(duration: Duration) -> f64 {
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    duration.min(LONGEST).as_millis() as f64
}

/// The lease id from a row.
pub(in crate::postgres) fn lease_id(uuid: Uuid) -> LeaseId {
    LeaseId::from_uuid(uuid)
}
