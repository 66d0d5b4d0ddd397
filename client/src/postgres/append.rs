//! Appending: the array form of `eventcore_append`.

use uuid::Uuid;

use super::error::store_error;
use super::pool::Pool;
use super::row::from_bigint;
use crate::store::{Append, Appended, StoreError, sendable};
use crate::values::{Metadata, Position, StreamVersion};

const APPEND: &str = "\
SELECT first_position, last_position, versions, recorded_at, repeated
  FROM eventcore_append($1::text[], $2::bigint[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[],
                        $7::uuid[], $8::uuid, $9::uuid)";

pub(super) async fn append(pool: &Pool, append: &Append) -> Result<Appended, StoreError> {
    sendable::check(append)?;
    let streams: Vec<_> = append
        .streams
        .iter()
        .map(|(stream, _)| stream.as_str())
        .collect();
    let expected: Vec<_> = append
        .streams
        .iter()
        .map(|(_, expected)| expected.to_sql())
        .collect();
    let events = &append.events;
    let event_streams: Vec<_> = events
        .iter()
        .map(|event| event.stream_id.as_str())
        .collect();
    let event_types: Vec<_> = events
        .iter()
        .map(|event| event.event_type.as_str())
        .collect();
    let payloads: Vec<_> = events.iter().map(|event| &event.payload).collect();
    let metadata = events
        .iter()
        .any(|event| event.metadata.is_some())
        .then(|| {
            events
                .iter()
                .map(|event| event.metadata.as_ref().map(Metadata::as_payload))
                .collect::<Vec<_>>()
        });
    let event_ids: Vec<_> = events
        .iter()
        .map(|event| event.event_id.as_uuid())
        .collect();
    let correlation_id = append.correlation_id.map(Uuid::from);
    let causation_id = append.causation_id.map(Uuid::from);

    let row = pool
        .query_one(
            APPEND,
            &[
                &streams,
                &expected,
                &event_streams,
                &event_types,
                &payloads,
                &metadata,
                &event_ids,
                &correlation_id,
                &causation_id,
            ],
        )
        .await?;

    let versions: Vec<i64> = row.try_get(2).map_err(store_error)?;
    Ok(Appended {
        first_position: position(row.try_get(0).map_err(store_error)?)?,
        last_position: position(row.try_get(1).map_err(store_error)?)?,
        versions: versions
            .into_iter()
            .map(|version| from_bigint(version).map(StreamVersion::new))
            .collect::<Result<_, _>>()?,
        recorded_at: row.try_get(3).map_err(store_error)?,
        repeated: row.try_get(4).map_err(store_error)?,
    })
}

fn position(position: Option<i64>) -> Result<Option<Position>, StoreError> {
    position
        .map(|position| from_bigint(position).map(Position::new))
        .transpose()
}
