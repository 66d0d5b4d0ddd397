//! Begins a new history: before the server gives out a position, it makes sure that no reader may
//! already have passed it.
//!
//! This is checked when the server has started, after SQL has inserted rows, and after the table
//! has changed. [`eventcore_rules::history`] decides. The row of the history is logged first and
//! the sequence second, and both are on disk before a position is given out. A crash in between
//! leads to one more history, which is harmless.

use super::blocks::{BLOCK, end_of_block};
use super::databases::Database;
use super::known_positions::KnownPositions;
use crate::error::{Error, Unavailable};
use crate::pg::relation::Use;
use crate::pg::shared_memory::exclusively;
use crate::pg::{sequence, wal};
use crate::tables::Events;
use crate::tables::heads;
use crate::tables::history::{self as table, History};
use eventcore_rules::history::{Cause, Decision, Found};
use std::cell::Cell;
use std::sync::atomic::Ordering::SeqCst;

thread_local! {
    /// The generation of the catalog at which this process last compared the last event with the
    /// next position.
    static COMPARED: Cell<u64> = const { Cell::new(0) };
}

/// What the caller is about to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Draw a position.
    Draw,
    /// Register a row that SQL inserts. An empty store has no history yet.
    RegisterForeign,
    /// Tell readers how far they may read. No position was requested.
    Announce,
}

/// Makes sure that the next position belongs to the history that this server writes. If nothing has
/// happened that could contradict this, it only reads shared memory.
pub fn before_drawing(database: &Database, events: &Events) -> Result<(), Error> {
    if database.next.load(SeqCst) == 0
        || database.doubts.load(SeqCst) != database.cleared.load(SeqCst)
        || is_behind(database, events)
    {
        continue_or_begin(database, events, Purpose::Draw)?;
    }
    Ok(())
}

/// Whether the table has events that were inserted unnoticed, for example while its triggers were
/// disabled. Checked when the table may have changed.
fn is_behind(database: &Database, events: &Events) -> bool {
    let look_ups = events.catalog.generation();
    if COMPARED.replace(look_ups) == look_ups {
        return false;
    }
    // In this order: positions that other processes draw meanwhile are below the value that is
    // loaded second.
    heads::last_position(events) >= database.next.load(SeqCst)
}

/// Decides whether the history continues, and begins a new one if it does not.
pub fn continue_or_begin(
    database: &Database,
    events: &Events,
    purpose: Purpose,
) -> Result<(), Error> {
    let doubts = database.doubts.load(SeqCst);
    let blocks = events.catalog.objects.position_blocks;
    let histories = table::open(&events.catalog, Use::Write)?;
    sequence::lock(blocks);
    let known = KnownPositions::read(events);
    let here = wal::origin();
    exclusively(|| {
        let latest = table::all(&histories)
            .into_iter()
            .max_by_key(|one| one.first);
        let next = database.next.load(SeqCst);
        let found = Found {
            latest: latest.map(|latest| (latest.origin, latest.first)),
            here,
            reserved: end_of_block(sequence::last_value(blocks)),
            known: known.highest,
            next: (next != 0).then_some(next),
            foreign: database.foreign.load(SeqCst),
        };
        match found.decide() {
            Decision::GoOn { next } => {
                if purpose != Purpose::Announce {
                    start(database, next);
                }
            }
            // A restore has only begun. The rows that it brings later are checked before the first
            // position is given out.
            Decision::Begin { .. } if purpose == Purpose::RegisterForeign && latest.is_none() => {
                start(database, found.reserved.max(known.last_event) + 1);
                database.doubts.fetch_add(1, SeqCst);
                return Ok(());
            }
            Decision::Begin {
                cause: Cause::New, ..
            } if purpose == Purpose::Announce => {}
            Decision::Begin {
                cause,
                reserved,
                first,
            } => {
                let begun = History {
                    first,
                    reserved,
                    agreed: known.agreed(cause).min(reserved),
                    origin: here,
                };
                table::add(&histories, &begun, cause);
                if cause == Cause::New {
                    start(database, first);
                } else {
                    // The block ends with the first position. Readers are told this position, and
                    // no event has it.
                    sequence::set_last_value(blocks, first + 1 - BLOCK);
                    wal::flush();
                    database.reserved.fetch_max(first, SeqCst);
                    if purpose != Purpose::Announce || next != 0 {
                        database.next.fetch_max(first + 1, SeqCst);
                    }
                }
            }
            Decision::Exhausted { highest } => {
                let last = highest.saturating_add(1);
                return Err(Unavailable::PositionsExhausted { last }.into());
            }
        }
        database.cleared.fetch_max(doubts, SeqCst);
        Ok(())
    })
}

/// Draws from `next` on, unless another process has already set the next position.
fn start(database: &Database, next: i64) {
    database.reserved.fetch_max(next - 1, SeqCst);
    let _ = database.next.compare_exchange(0, next, SeqCst, SeqCst);
}
