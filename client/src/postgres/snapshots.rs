//! Snapshots on PostgreSQL. One statement reads a snapshot and the events after it.

use tokio_postgres::Row;

use super::error::store_error;
use super::pool::Pool;
use super::read::reached;
use super::row::{event_columns, events, from_bigint, to_bigint};
use crate::store::{Snapshot, StoreError, StreamsRead, sendable};
use crate::values::{Payload, SnapshotName, StreamId, StreamVersion};

/// The row without a position is the snapshot.
const READ: &str = concat!(
    "\
WITH snapshot AS MATERIALIZED (
    SELECT versions, state FROM eventcore_load_snapshot($1::text, $2::text[])
)
SELECT ",
    event_columns!(),
    ", NULL::bigint[] AS versions
  FROM eventcore_read_streams($2::text[], (SELECT versions FROM snapshot))
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, state, NULL, NULL, NULL, NULL, versions FROM snapshot"
);

const SAVE: &str = "SELECT eventcore_save_snapshot($1::text, $2::text[], $3::bigint[], $4::jsonb)";

pub(super) async fn read(
    pool: &Pool,
    name: &SnapshotName,
    streams: &[StreamId],
) -> Result<(Option<Snapshot>, StreamsRead), StoreError> {
    if streams.is_empty() {
        return Ok((None, StreamsRead::default()));
    }
    let ids: Vec<_> = streams.iter().map(StreamId::as_str).collect();
    let mut rows = pool.query(READ, &[&name.as_str(), &ids]).await?;
    let mut snapshot = None;
    if let Some(place) = rows.iter().position(is_snapshot) {
        snapshot = Some(of_row(&rows.remove(place), name, streams)?);
    }
    let after = match &snapshot {
        Some(snapshot) => snapshot.streams.clone(),
        None => streams
            .iter()
            .map(|stream| (stream.clone(), StreamVersion::EMPTY))
            .collect(),
    };
    let events = events(rows)?;
    let versions = reached(&after, &events);
    Ok((snapshot, StreamsRead::new(events, versions)))
}

pub(super) async fn save(pool: &Pool, snapshot: &Snapshot) -> Result<(), StoreError> {
    sendable::check_state(snapshot)?;
    let streams: Vec<_> = snapshot
        .streams
        .iter()
        .map(|(stream, _)| stream.as_str())
        .collect();
    let versions = snapshot
        .streams
        .iter()
        .map(|(_, version)| to_bigint(version.get()));
    let versions: Vec<_> = versions.collect();
    let state = &snapshot.state;
    let parameters = &[
        &snapshot.name.as_str() as _,
        &streams as _,
        &versions as _,
        state as _,
    ];
    pool.query_one(SAVE, parameters).await.map(drop)
}

fn is_snapshot(row: &Row) -> bool {
    matches!(row.try_get(0), Ok(None::<i64>))
}

fn of_row(row: &Row, name: &SnapshotName, streams: &[StreamId]) -> Result<Snapshot, StoreError> {
    let state: Payload = row.try_get("payload").map_err(store_error)?;
    let versions: Vec<i64> = row.try_get("versions").map_err(store_error)?;
    let versions: Vec<_> = versions
        .into_iter()
        .map(|version| from_bigint(version).map(StreamVersion::new))
        .collect::<Result<_, _>>()?;
    Ok(Snapshot::new(
        name.clone(),
        streams.iter().cloned().zip(versions),
        state,
    ))
}
