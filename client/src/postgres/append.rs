//! Appending: the compact form of `eventcore_append`.

use uuid::Uuid;

use super::error::store_error;
use super::pool::Pool;
use super::row::{from_bigint, from_microseconds, to_bigint};
use crate::store::{Append, Appended, StoreError, sendable};
use crate::values::{Position, StreamVersion};

const APPEND: &str = "\
SELECT eventcore_append_compact($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],
                                $7::uuid[], $8::uuid, $9::uuid, $10::bigint)";

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
    let payloads: Vec<_> = events.iter().map(|event| event.payload.as_str()).collect();
    let metadata = events
        .iter()
        .any(|event| event.metadata.is_some())
        .then(|| {
            events
                .iter()
                .map(|event| {
                    let metadata = event.metadata.as_ref();
                    metadata.map(|metadata| metadata.as_payload().as_str())
                })
                .collect::<Vec<_>>()
        });
    let event_ids: Vec<_> = events
        .iter()
        .map(|event| event.event_id.as_uuid())
        .collect();
    let correlation_id = append.correlation_id.map(Uuid::from);
    let causation_id = append.causation_id.map(Uuid::from);
    let known_position = append
        .known_position
        .map(|position| to_bigint(position.get()));

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
                &known_position,
            ],
        )
        .await?;

    appended(row.try_get(0).map_err(store_error)?)
}

/// Reads the list that the server returns.
fn appended(values: Vec<Option<i64>>) -> Result<Appended, StoreError> {
    let [
        first,
        last,
        Some(recorded_at),
        Some(repeated),
        versions @ ..,
    ] = &*values
    else {
        return Err(StoreError::other("the result of the append is incomplete"));
    };
    let position = |position: Option<i64>| position.map(from_bigint).transpose();
    let version = |version: &Option<i64>| {
        let version = version.ok_or_else(|| StoreError::other("a version is missing"))?;
        from_bigint(version).map(StreamVersion::new)
    };
    Ok(Appended {
        first_position: position(*first)?.map(Position::new),
        last_position: position(*last)?.map(Position::new),
        versions: versions.iter().map(version).collect::<Result<_, _>>()?,
        recorded_at: from_microseconds(*recorded_at)?,
        repeated: *repeated != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_that_lacks_something_is_an_error() {
        let complete = [Some(7), Some(8), Some(1_000_000), Some(0), Some(3)];
        for length in 0..4 {
            assert!(appended(complete[..length].to_vec()).is_err());
        }
        for (at, value) in [
            (0, Some(-1)),
            (2, None),
            (2, Some(-1)),
            (3, None),
            (4, None),
        ] {
            let mut odd = complete;
            odd[at] = value;
            assert!(appended(odd.to_vec()).is_err(), "{odd:?}");
        }
        let done = appended(complete.to_vec()).unwrap();
        assert_eq!(done.versions, [StreamVersion::new(3)]);
    }
}
