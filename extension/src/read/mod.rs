//! Reading: one stream, many streams, the global order, and the heads of both.

pub mod divergence;

use crate::arguments::filter::Filter;
use crate::arguments::streams::StreamList;
use crate::error::{Error, Malformed};
use crate::pg::array::BigintArray;
use crate::pg::function::Call;
use crate::pg::rows::RowSet;
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;
use crate::pg::value::Text;
use crate::registry::Registry;
use crate::tables::Events;
use crate::tables::columns::{events as column, events_by_stream as by_stream};
use crate::tables::heads;
use eventcore_rules::{MAX_EVENTS_PASSED_OVER, check_name};
use pgrx::pg_sys::Datum;

/// `eventcore_read_stream(stream, after_version, max_count, backward, event_types)`.
pub fn read_stream(call: &Call<'_>) -> Result<(), Error> {
    let stream = call
        .text(0)
        .ok_or_else(|| Malformed::argument("stream", "is NULL"))?;
    check_name(stream.bytes()).map_err(|error| Malformed::argument("stream", error.to_string()))?;
    let after = not_negative("after_version", call.bigint(1))?;
    let limit = Limit::read(call.bigint(2))?;
    let direction = direction(call.boolean(3));
    let filter = Filter::by_types(call, 4)?;
    copy_streams(call, [(stream, after)], direction, limit, &filter)
}

/// `eventcore_read_streams(streams, after_versions, max_count, event_types)`.
pub fn read_streams(call: &Call<'_>) -> Result<(), Error> {
    let streams = StreamList::read(call.text_array(0, "streams")?)?.names;
    let after = after_versions(call.bigint_array(1, "after_versions")?, streams.len())?;
    let limit = Limit::read(call.bigint(2))?;
    let filter = Filter::by_types(call, 3)?;
    let streams = streams.into_iter().zip(after);
    copy_streams(call, streams, Direction::Forward, limit, &filter)
}

/// `eventcore_read_all(after_position, max_count, backward, stream_prefixes, event_types,
/// with_checkpoint, after_event)`.
pub fn read_all(call: &Call<'_>) -> Result<(), Error> {
    let after = not_negative("after_position", call.bigint(0))?;
    let limit = Limit::read(call.bigint(1))?;
    let direction = direction(call.boolean(2));
    let filter = Filter::read(call, 3, 4)?;
    let with_checkpoint = call.boolean(5) == Some(true);

    let events = Events::to_read()?;
    let registry = Registry::open(&events.catalog)?;
    if matches!(direction, Direction::Forward) {
        let last_read = call.uuid(6).map(|event| (event, &filter));
        divergence::require_same(&registry, &events, after, last_read)?;
    }
    let mut rows = call.rows();
    // In this order, and never with the snapshot of the statement: see `Registry::safe_position`.
    let safe = registry.safe_position()?;
    let up_to = match direction {
        Direction::Backward if after > 0 => safe.min(after - 1),
        _ => safe,
    };
    let from = match direction {
        Direction::Forward => after,
        Direction::Backward => 0,
    };
    events.between((from, up_to), direction, |scan| {
        if with_checkpoint {
            let end = copy_some(scan, &mut rows, limit, &filter, MAX_EVENTS_PASSED_OVER);
            let checkpoint = match (end, direction) {
                (End::At(Some(position)), _) => position,
                (End::At(None), Direction::Forward) => after,
                (End::Last, Direction::Forward) => safe.max(after),
                (End::At(None), Direction::Backward) => up_to + 1,
                // Nothing is before the first position, and 0 would begin at the end again.
                (End::Last, Direction::Backward) => 1,
            };
            rows.push(checkpoint_row(checkpoint), CHECKPOINT_NULLS);
        } else {
            copy(scan, &mut rows, limit, &filter);
        }
    });
    Ok(())
}

/// `eventcore_stream_versions(streams)`.
pub fn stream_versions(call: &Call<'_>) -> Result<(), Error> {
    let streams = StreamList::read(call.text_array(0, "streams")?)?.names;
    let events = Events::to_read()?;
    let mut rows = call.rows();
    let snapshot = Snapshot::of_statement();
    let by_stream = events.by_stream();
    let mut scan = IndexScan::new(&events.table, &by_stream, &snapshot);
    for stream in streams {
        let version = heads::version(&mut scan, stream);
        rows.push([stream.datum(), Datum::from(version)], [false; 2]);
    }
    Ok(())
}

/// How many events a caller wants; `None` means all.
#[derive(Clone, Copy)]
struct Limit(Option<usize>);

impl Limit {
    fn read(max_count: Option<i64>) -> Result<Self, Error> {
        let count = max_count.map(usize::try_from).transpose();
        Ok(Self(count.map_err(|_| {
            Malformed::argument("max_count", "is negative")
        })?))
    }
}

/// How many events a look ahead reads before it asks whether one of them has passed: more and more.
/// What 16 sessions have appended at the same time is on 16 pages of the table, in turns, so that a page
/// would be looked up for nearly each event.
const FEWEST_AT_ONCE: usize = 32;
const MOST_AT_ONCE: usize = 1_024;

/// No column behind this one matters to a filter.
const LAST_OF_FILTER: i16 = column::EVENT_TYPE;

/// Looks for an event above a position that passes the filter. Returns whether there is one, and
/// the position up to which there is none.
pub fn look_ahead(
    registry: &Registry,
    after: i64,
    filter: &Filter<'_>,
) -> Result<(bool, i64), Error> {
    let safe = registry.safe_position()?;
    if safe <= after || filter.is_empty() {
        return Ok((safe > after, after));
    }
    let events = Events::to_read()?;
    let next = events.between((after, safe), Direction::Forward, |scan| {
        let mut count = FEWEST_AT_ONCE;
        loop {
            let mut first = None::<i64>;
            let may_be_more = scan.next_by_page(count, LAST_OF_FILTER, |row| {
                if filter.admits(row) {
                    let position = row.bigint(column::POSITION);
                    first = Some(first.map_or(position, |first| first.min(position)));
                }
            });
            if first.is_some() || !may_be_more {
                return first;
            }
            count = MOST_AT_ONCE.min(2 * count);
        }
    });
    Ok(match next {
        Some(position) => (true, position - 1),
        None => (false, safe),
    })
}

fn not_negative(name: &'static str, value: Option<i64>) -> Result<i64, Error> {
    match value.unwrap_or(0) {
        value if value < 0 => Err(Malformed::argument(name, "is negative").into()),
        value => Ok(value),
    }
}

/// One version for each stream; 0 for all if there is no array.
fn after_versions(versions: Option<BigintArray<'_>>, streams: usize) -> Result<Vec<i64>, Error> {
    const NAME: &str = "after_versions";
    let Some(versions) = versions else {
        return Ok(vec![0; streams]);
    };
    let count = versions.0.len();
    if count != streams {
        let reason = format!("has {count} elements, streams has {streams}");
        return Err(Malformed::argument(NAME, reason).into());
    }
    let version = |index| match versions.get(index).unwrap_or(0) {
        version if version < 0 => Err(Malformed::argument(NAME, "is negative").at(index).into()),
        version => Ok(version),
    };
    (0..count).map(version).collect()
}

fn direction(backward: Option<bool>) -> Direction {
    if backward == Some(true) {
        Direction::Backward
    } else {
        Direction::Forward
    }
}

/// Returns the events of streams, each after its version, in one snapshot.
fn copy_streams<'a>(
    call: &Call<'a>,
    streams: impl IntoIterator<Item = (Text<'a>, i64)>,
    direction: Direction,
    limit: Limit,
    filter: &Filter<'_>,
) -> Result<(), Error> {
    let events = Events::to_read()?;
    let mut rows = call.rows();
    let snapshot = Snapshot::of_statement();
    let by_stream = events.by_stream();
    let mut scan = IndexScan::new(&events.table, &by_stream, &snapshot);
    for (stream, after) in streams {
        seek_stream(&mut scan, stream, after, direction);
        copy(&mut scan, &mut rows, limit, filter);
    }
    Ok(())
}

fn seek_stream<'r>(scan: &mut IndexScan<'r>, stream: Text<'r>, after: i64, direction: Direction) {
    let this = Condition::TextEquals(by_stream::STREAM_ID, stream);
    match direction {
        Direction::Forward => {
            scan.seek(
                &[this, Condition::BigintAbove(by_stream::VERSION, after)],
                direction,
            );
        }
        Direction::Backward if after == 0 => scan.seek(&[this], direction),
        Direction::Backward => {
            scan.seek(
                &[this, Condition::BigintBelow(by_stream::VERSION, after)],
                direction,
            );
        }
    }
}

/// The columns that readers get, in their order.
const COLUMNS: [i16; column::COUNT] = [
    column::POSITION,
    column::STREAM_ID,
    column::VERSION,
    column::EVENT_ID,
    column::EVENT_TYPE,
    column::PAYLOAD,
    column::METADATA,
    column::CORRELATION_ID,
    column::CAUSATION_ID,
    column::RECORDED_AT,
];

/// The checkpoint row has only a position.
const CHECKPOINT_NULLS: [bool; column::COUNT] = {
    let mut nulls = [true; column::COUNT];
    nulls[0] = false;
    nulls
};

fn checkpoint_row(position: i64) -> [Datum; column::COUNT] {
    let mut values = [Datum::null(); column::COUNT];
    values[0] = Datum::from(position);
    values
}

/// Where a copy has stopped.
enum End {
    /// At the end of the scan.
    Last,
    /// After this position; `None` if it read no row.
    At(Option<i64>),
}

/// Copies rows of the scan, up to the limit.
fn copy(scan: &mut IndexScan<'_>, rows: &mut RowSet, limit: Limit, filter: &Filter<'_>) {
    copy_some(scan, rows, limit, filter, usize::MAX);
}

/// Does the same, but skips at most this many events that do not pass the filter.
fn copy_some(
    scan: &mut IndexScan<'_>,
    rows: &mut RowSet,
    limit: Limit,
    filter: &Filter<'_>,
    mut patience: usize,
) -> End {
    let mut left = limit.0.unwrap_or(usize::MAX);
    let mut reached = None;
    while left > 0 && patience > 0 {
        let Some(row) = scan.next() else {
            return End::Last;
        };
        if filter.admits(&row) {
            let values = COLUMNS.map(|column| row.datum(column));
            rows.push(
                values.map(|value| value.unwrap_or(Datum::null())),
                values.map(|value| value.is_none()),
            );
            left -= 1;
        } else {
            patience -= 1;
        }
        reached = row.datum(column::POSITION);
    }
    End::At(reached.map(|position| position.value() as i64))
}
