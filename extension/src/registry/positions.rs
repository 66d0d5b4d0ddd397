//! Drawing positions.
//!
//! They come from shared memory, but none is given out before the log that reserves its block in
//! `eventcore.position_blocks` is on disk. So the server never gives a position twice, even if it
//! loses the tail of its log in a crash: a reader may keep any safe position as its checkpoint.

use super::places::{Database, Place};
use super::{counts, slots};
use crate::catalog::Events;
use crate::error::{Error, Unavailable};
use crate::heads;
use crate::pg::sequence;
use crate::pg::shared_memory::exclusively;
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
    counts::append(count);

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

/// Gives out nothing up to a position that is in use: its row has come by SQL. Readers wait for the
/// transaction that brings it.
pub fn pass(place: Place, events: &Events, position: i64) {
    slots::publish_all(place);
    let database = place.database();
    if database.next.load(SeqCst) == 0 {
        let highest = heads::last_position(events);
        start(
            database,
            first_unused(events).max(highest.saturating_add(1)),
        );
    }
    if position > database.reserved.load(SeqCst) {
        reserve(database, events.catalog.position_blocks, position);
    }
    database.next.fetch_max(position.saturating_add(1), SeqCst);
}

/// Reserves the blocks up to that of `position`, and waits until that is on disk.
fn reserve(database: &Database, blocks: Oid, position: i64) {
    sequence::lock(blocks);
    exclusively(|| {
        if database.reserved.load(SeqCst) < position {
            let block = position - (position - 1) % BLOCK;
            if sequence::last_value(blocks).is_none_or(|last| last < block) {
                sequence::set_last_value(blocks, block);
            }
            sequence::flush_log();
            database
                .reserved
                .fetch_max(block.saturating_add(BLOCK - 1), SeqCst);
        }
    });
}

/// Sets the next position after a start of the server: past everything ever given out.
fn seed(database: &Database, events: &Events) -> Result<(), Error> {
    let (next, highest) = (first_unused(events), heads::last_position(events));
    if highest >= next && database.next.load(SeqCst) == 0 {
        return Err(Unavailable::PositionsBehind { highest, next }.into());
    }
    start(database, next);
    Ok(())
}

/// The first position that was never reserved.
fn first_unused(events: &Events) -> i64 {
    sequence::last_value(events.catalog.position_blocks).map_or(1, |block| block + BLOCK)
}

/// Draws from `next` on, unless another process has been faster.
fn start(database: &Database, next: i64) {
    database.reserved.fetch_max(next - 1, SeqCst);
    let _ = database.next.compare_exchange(0, next, SeqCst, SeqCst);
}
