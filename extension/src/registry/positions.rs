//! Drawing positions.
//!
//! They come from shared memory, but none is given out before the log that reserves its block in
//! `eventcore.position_blocks` is on disk. So the server never gives a position twice, even if it
//! loses the tail of its log in a crash: a reader may keep any safe position as its checkpoint.

use super::places::{Database, Place};
use super::slots;
use crate::catalog::Events;
use crate::error::{Error, Unavailable};
use crate::heads;
use crate::pg::sequence;
use pgrx::pg_sys::Oid;
use std::sync::atomic::Ordering::SeqCst;

/// How many positions a value of `eventcore.position_blocks` stands for: its INCREMENT.
const BLOCK: i64 = 1024;

/// When fewer reserved positions than this are left, the writer that notices reserves more, so that
/// the others need not wait for the disk.
const LOW_WATER: i64 = 256;

/// A large append reserves room for this many more like it, so that not each one pays for a flush.
const APPENDS_PER_RESERVATION: i64 = 32;

/// But never more than this: what is reserved and not used is skipped when the server restarts.
const MOST_AHEAD: i64 = 64 * BLOCK;

/// Draws `count` positions in a row for this transaction, on disk as reserved, and returns the
/// first.
pub fn draw(place: Place, events: &Events, count: usize) -> Result<i64, Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX / 2);
    let database = place.database();
    if database.next.load(SeqCst) == 0 {
        seed(database, events)?;
    }
    let first = slots::publish_and_draw(
        place,
        || database.next.load(SeqCst),
        || database.next.fetch_add(count, SeqCst),
    );
    let last = first + count - 1;

    let reserved = database.reserved.load(SeqCst);
    let crosses_low_water = last + LOW_WATER > reserved && first + LOW_WATER <= reserved + 1;
    if crosses_low_water || last > reserved {
        let room = count
            .saturating_mul(APPENDS_PER_RESERVATION)
            .min(MOST_AHEAD);
        reserve(
            database,
            events.catalog.position_blocks,
            last.max(reserved) + room,
        );
    }
    Ok(first)
}

/// Draws nothing up to the last position that is in use: rows have come with theirs.
pub fn pass(place: Place, events: &Events) {
    let database = place.database();
    // Where nobody has appended yet, the first to do so looks for itself.
    if database.next.load(SeqCst) != 0 {
        let last = heads::last_position(events);
        if last > database.reserved.load(SeqCst) {
            reserve(database, events.catalog.position_blocks, last);
        }
        database.next.fetch_max(last + 1, SeqCst);
    }
}

/// Takes blocks until `position` is in one, and waits until that is on disk.
fn reserve(database: &Database, blocks: Oid, position: i64) {
    let mut last = 0;
    while last < position {
        last = sequence::next_value(blocks) + BLOCK - 1;
    }
    // Also where this block needed no new log: another process may have logged it just now.
    sequence::flush_log();
    database.reserved.fetch_max(last, SeqCst);
}

/// Sets the next position after a start of the server: past everything ever given out.
fn seed(database: &Database, events: &Events) -> Result<(), Error> {
    let next = sequence::next_value(events.catalog.position_blocks);
    sequence::flush_log();
    let highest = heads::last_position(events);
    if highest >= next {
        return Err(Unavailable::PositionsBehind { highest, next }.into());
    }
    database.reserved.fetch_max(next + BLOCK - 1, SeqCst);
    // Another process may have been faster; then both blocks are reserved and its start holds.
    let _ = database.next.compare_exchange(0, next, SeqCst, SeqCst);
    Ok(())
}
