//! Drawing positions.
//!
//! Positions come from shared memory. None is given out before the log record that reserves its
//! block in `eventcore.position_blocks` is on disk. So the server never gives out a position twice,
//! even if it loses the tail of its log in a crash, and a reader may keep any safe position as its
//! checkpoint.

use super::blocks::{BLOCK, end_of_block};
use super::databases::{Database, DatabaseSlot};
use super::history::{self, Purpose};
use super::{counts, slots};
use crate::error::{Error, Malformed, Unavailable};
use crate::pg::shared_memory::exclusively;
use crate::pg::{sequence, wal};
use crate::tables::Events;
use crate::tables::heads;
use pgrx::pg_sys::Oid;
use std::sync::atomic::Ordering::SeqCst;

/// When fewer reserved positions than this are left, the writer that notices it reserves more. The
/// other writers then need not wait for the disk.
const LOW_WATER: i64 = 256;

/// A large append reserves positions for this many more appends of its size, so that not every
/// append pays for a flush.
const APPENDS_PER_RESERVATION: i64 = 32;

/// The most positions that are reserved ahead. Reserved positions that are not used are skipped
/// when the server restarts.
const MOST_AHEAD: i64 = 64 * BLOCK;

/// No event has a higher position. So every row of a store can be restored, and no number
/// overflows.
pub use eventcore_rules::history::MAX_POSITION;

/// How far the position of a row that SQL inserts may be ahead of all positions given out so far.
/// The first row of all may have any position.
pub(super) const MAX_AHEAD: i64 = 1 << 48;

/// Draws `count` consecutive positions for this transaction, reserved on disk, and returns the
/// first.
pub fn draw(database_slot: DatabaseSlot, events: &Events, count: usize) -> Result<i64, Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX / 2);
    let database = database_slot.database();
    history::before_drawing(database, events)?;
    let first = slots::publish_and_draw(
        database_slot,
        || database.next.load(SeqCst),
        || database.next.fetch_add(count, SeqCst),
    );
    let last = first.saturating_add(count - 1);
    if last > MAX_POSITION {
        return Err(Unavailable::PositionsExhausted { last }.into());
    }
    counts::append(count);

    let reserved = database.reserved.load(SeqCst);
    let crosses_low_water = last + LOW_WATER > reserved && first + LOW_WATER <= reserved + 1;
    if crosses_low_water || last > reserved {
        let room = count
            .saturating_mul(APPENDS_PER_RESERVATION)
            .min(MOST_AHEAD);
        reserve(
            database,
            events.catalog.objects.position_blocks,
            last.max(reserved) + room,
        );
    }
    Ok(first)
}

/// The position that is drawn next, after a history has begun if one has to.
pub fn next(database_slot: DatabaseSlot, events: &Events) -> Result<i64, Error> {
    let database = database_slot.database();
    history::before_drawing(database, events)?;
    Ok(database.next.load(SeqCst))
}

/// SE003 for a position so far ahead that it must be a mistake. It would be used up for good, even
/// if the transaction is rolled back.
pub fn check_ahead(
    database_slot: DatabaseSlot,
    events: &Events,
    position: i64,
) -> Result<(), Error> {
    let next = match database_slot.database().next.load(SeqCst) {
        0 => first_not_in_use(events),
        next => next,
    };
    if next > 1 && position.saturating_sub(next) > MAX_AHEAD {
        let reason = format!("is {position}, far ahead of the next position, which is {next}");
        return Err(Malformed::argument("position", reason).into());
    }
    Ok(())
}

/// Makes sure that no position up to this one is given out: SQL inserts a row that has it. Readers
/// wait for the transaction that inserts the row.
pub fn register_foreign(
    database_slot: DatabaseSlot,
    events: &Events,
    position: i64,
) -> Result<(), Error> {
    let position = position.min(MAX_POSITION);
    slots::publish_all(database_slot);
    let database = database_slot.database();
    if database.next.load(SeqCst) == 0 {
        history::continue_or_begin(database, events, Purpose::RegisterForeign)?;
    }
    if position >= database.next.load(SeqCst) {
        // Another server gave out this position, and its readers may have read further than the
        // rows that are inserted here.
        database.foreign.fetch_max(position, SeqCst);
        database.doubts.fetch_add(1, SeqCst);
    }
    if position > database.reserved.load(SeqCst) {
        reserve(database, events.catalog.objects.position_blocks, position);
    }
    database.next.fetch_max(position.saturating_add(1), SeqCst);
    Ok(())
}

/// Reserves the blocks up to that of `position`, and waits until the reservation is on disk.
fn reserve(database: &Database, blocks: Oid, position: i64) {
    sequence::lock(blocks);
    exclusively(|| {
        if database.reserved.load(SeqCst) < position {
            let block = position - (position - 1) % BLOCK;
            if sequence::last_value(blocks).is_none_or(|last| last < block) {
                sequence::set_last_value(blocks, block);
            }
            wal::flush();
            database
                .reserved
                .fetch_max(block.saturating_add(BLOCK - 1), SeqCst);
        }
    });
}

/// The first position that was never reserved and is above all rows.
fn first_not_in_use(events: &Events) -> i64 {
    let reserved = end_of_block(sequence::last_value(events.catalog.objects.position_blocks));
    reserved.max(heads::last_position(events)).saturating_add(1)
}
