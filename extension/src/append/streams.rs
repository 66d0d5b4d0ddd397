//! The declared streams of an append: locked in one order, then checked.

use super::request::{DeclaredStream, Request};
use crate::error::{Error, Unavailable};
use crate::locks::{LockMode, lock_stream, try_lock_stream, wait_for_writers};
use crate::pg::indexes::Indexes;
use crate::pg::relation::{self, Relation, Use};
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;
use crate::registry::closings;
use crate::tables::columns::{events as event_column, streams as stream_column, streams_by_id};
use crate::tables::heads;
use crate::tables::{Catalog, Events};
use eventcore_rules::{ExpectedVersion, VersionConflict};
use std::cell::Cell;

/// Locks every stream that is written or checked, until the transaction ends. A stream that is only
/// checked is locked in shared mode. All appends lock in the order of the keys, so they cannot
/// deadlock.
///
/// Returns `false` if the locks would be useless, because a stream has moved past its expected
/// version. Of many appends that wait for one stream, all but one find this out, and they do so in
/// parallel instead of one after the other with the lock.
pub fn lock(events: &Events, request: &Request<'_>) -> bool {
    let mut at = 0;
    while let Some((key, _)) = request.by_key.get(at) {
        // Streams with the same key share a lock, in the stronger of their modes.
        let same = request.by_key[at..].partition_point(|(other, _)| other == key);
        let group = || {
            let numbers = request.by_key[at..at + same].iter();
            numbers.map(|(_, number)| &request.streams[*number])
        };
        if let Some(mode) = group().filter_map(lock_mode).max()
            && !try_lock_stream(*key, mode)
        {
            wait_for_writers(*key);
            if have_moved(events, group()) {
                return false;
            }
            lock_stream(*key, mode);
        }
        at += same;
    }
    true
}

/// Whether one of these streams has moved past its expected version.
fn have_moved<'r, 'a: 'r>(
    events: &Events,
    mut streams: impl Iterator<Item = &'r DeclaredStream<'a>>,
) -> bool {
    let snapshot = Snapshot::latest();
    let by_stream = events.by_stream();
    let mut scan = IndexScan::new(&events.table, &by_stream, &snapshot);
    streams.any(|declared| match declared.expected {
        ExpectedVersion::Exactly(expected) => {
            let head = heads::version(&mut scan, declared.stream);
            u64::try_from(head).is_ok_and(|head| head > expected)
        }
        _ => false,
    })
}

fn lock_mode(declared: &DeclaredStream<'_>) -> Option<LockMode> {
    match (declared.adds, declared.expected) {
        (0, ExpectedVersion::Unchecked) => None,
        (0, _) => Some(LockMode::Shared),
        _ => Some(LockMode::Exclusive),
    }
}

/// The version of every declared stream, in the order of declaration. For streams that are locked,
/// it does not change until the transaction ends.
///
/// `indexes` are those of the events. They are open already, because the rows are written next.
pub fn heads(events: &Events, indexes: &Indexes, request: &Request<'_>) -> Result<Vec<i64>, Error> {
    let snapshot = Snapshot::settled();
    let by_stream = indexes.find(events.catalog.objects.events_by_stream);
    let by_stream = by_stream.ok_or(Unavailable::NotInstalled)?;
    let mut scan =
        IndexScan::new(&events.table, by_stream, &snapshot).of_columns(event_column::VERSION);
    let streams = request.streams.iter();
    Ok(streams
        .map(|declared| heads::version(&mut scan, declared.stream))
        .collect())
}

/// Every check that fails.
pub fn conflicts(request: &Request<'_>, heads: &[i64]) -> Vec<VersionConflict<String>> {
    let checked = request.streams.iter().zip(heads);
    checked
        .filter_map(|(declared, head)| {
            let actual = u64::try_from(*head).unwrap_or(0);
            (!declared.expected.holds(actual)).then(|| VersionConflict {
                stream: declared.stream.to_string(),
                expected: declared.expected,
                actual,
            })
        })
        .collect()
}

thread_local! {
    /// The generation of the catalog and the count of closings for which `eventcore.streams` was
    /// seen to be empty.
    static SEEN_EMPTY: Cell<Option<(u64, u64)>> = const { Cell::new(None) };
}

/// SE005 if a stream that the append writes accepts no more events. To be called with the locks of
/// the streams in hand.
///
/// Without a look at `eventcore.streams` if no row can have come into it since it was seen to be
/// empty. Rows are announced in shared memory before they are inserted, by a trigger. Whatever
/// changes the trigger or replaces the table changes the generation of the catalog.
pub fn require_open(request: &Request<'_>) -> Result<(), Error> {
    relation::accept_changes();
    let catalog = Catalog::load()?;
    // Before the look: a row that the look misses changes the count.
    let now = (catalog.generation(), closings());
    if SEEN_EMPTY.get() == Some(now) {
        return Ok(());
    }
    if relation::has_no_pages(catalog.objects.streams) {
        SEEN_EMPTY.set(catalog.announces_closings().then_some(now));
        return Ok(());
    }
    let streams = Relation::table(catalog.objects.streams, Use::Read);
    let snapshot = Snapshot::latest();
    let by_id = Relation::index(catalog.objects.streams_by_id, Use::Read);
    let mut scan = IndexScan::new(&streams, &by_id, &snapshot);
    for declared in request.streams.iter().filter(|declared| declared.adds > 0) {
        scan.seek(
            &[Condition::TextEquals(
                streams_by_id::STREAM_ID,
                declared.stream,
            )],
            Direction::Forward,
        );
        if let Some(row) = scan.next() {
            let state = row
                .text(stream_column::STATE)
                .map(|state| state.to_string());
            return Err(Error::StreamClosed {
                stream: declared.stream.to_string(),
                state: state.unwrap_or_default(),
            });
        }
    }
    Ok(())
}
