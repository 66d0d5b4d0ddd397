//! The registry of positions in flight, in shared memory.
//!
//! A position is drawn before its transaction commits, so positions commit out of order. A reader
//! may go as far as the *safe position*: up to there everything is committed or gone for good.
//!
//! Writer, per transaction: publish in its own slot the lowest position that it may get (the next
//! one to be drawn), then draw, and withdraw the slot when the commit is visible or the transaction
//! is gone. Reader: load the next position first, then clear_pending through the slots. All of it is
//! sequentially consistent: a reader that sees a position drawn also sees the slot that was
//! published before. No writer waits for another.
//!
//! - [`databases`]: what each database's positions have come to.
//! - [`slots`]: what each process may hold.
//! - [`positions`]: drawing them.
//! - [`begin`], [`known`]: whether they are still those of the history that this server writes.
//! - [`confirmed`]: what synchronous standbys have of them.
//! - [`counts`], [`announced`]: what has been done, for those who clear_pending after a database.

mod announcements;
mod blocks;
mod confirmed;
mod counts;
mod databases;
mod history;
mod known_positions;
mod positions;
mod slots;
pub mod wake;

pub use databases::{
    clear_pending, databases_without_notifier, dismiss_notifier, has_notifier, has_waiters,
    release, send_notifier_away, wake_all_waiters,
};
pub use positions::MAX_POSITION;

use self::history::Purpose;
use crate::error::Error;
use crate::pg::relation::Use;
use crate::pg::{sequence, transaction};
use crate::registry::wake::Wake;
use crate::tables::heads;
use crate::tables::history::History;
use crate::tables::{Catalog, Events};
use announcements::Announcements;
use counts::Counts;
use databases::DatabaseSlot;
use slots::PositionHolder;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

/// This database's part of the registry.
pub struct Registry {
    database_slot: DatabaseSlot,
}

impl Registry {
    /// The part of the database that this process is connected to.
    ///
    /// SE009 when the library was not preloaded, or when there are more databases than databases.
    pub fn open(catalog: &Catalog) -> Result<Self, Error> {
        Ok(Self {
            database_slot: DatabaseSlot::open(catalog)?,
        })
    }

    /// Draws `count` positions in a row for this transaction and returns the first. To be called
    /// when nothing but a failure of the server can keep the events from being written.
    pub fn draw(&self, events: &Events, count: usize) -> Result<i64, Error> {
        positions::draw(self.database_slot, events, count)
    }

    /// A row comes by SQL, with a position of its own, as in a restore.
    pub fn register_foreign(&self, events: &Events, position: i64) -> Result<(), Error> {
        positions::register_foreign(self.database_slot, events, position)
    }

    /// Begins another history where one has to begin, before readers are told how far they may go: after a promotion
    /// or a recovery to a point in time.
    pub fn begin_history(&self, events: &Events) -> Result<(), Error> {
        history::continue_or_begin(self.database_slot.database(), events, Purpose::Announce)
    }

    /// No position above this has ever been given out here.
    pub fn reserved(&self, events: &Events, histories: &[History]) -> i64 {
        let in_memory = self.database_slot.database().reserved.load(SeqCst);
        let first = histories.iter().map(|history| history.first).max();
        let in_log = || {
            let blocks = sequence::last_value(events.catalog.objects.position_blocks);
            blocks::end_of_block(blocks).max(heads::last_position(events))
        };
        let started = self.database_slot.database().next.load(SeqCst) != 0;
        let reserved = if started { in_memory } else { in_log() };
        reserved.max(first.unwrap_or(0))
    }

    /// Up to where a history that has gone on from this one agrees with it, as far as is known.
    pub fn agreed(&self, events: &Events, histories: &[History]) -> i64 {
        if self.database_slot.database().next.load(SeqCst) == 0 {
            return sequence::last_value(events.catalog.objects.settled_position).unwrap_or(0);
        }
        let latest = histories.iter().max_by_key(|history| history.first);
        latest.map_or(0, |latest| latest.agreed)
    }

    /// SE003 for a position of a row that is far ahead of all others.
    pub fn check_ahead(&self, events: &Events, position: i64) -> Result<(), Error> {
        positions::check_ahead(self.database_slot, events, position)
    }

    /// The safe position. Take it first and the snapshot to read with after it: an older snapshot
    /// may lack events below it.
    pub fn safe_position(&self) -> Result<i64, Error> {
        if transaction::is_standby() {
            let settled = Catalog::load()?.objects.settled_position;
            return Ok(sequence::last_value(settled).unwrap_or(0));
        }
        let safe = match self.safe_in_memory() {
            Some(safe) => safe,
            None => {
                // Nobody has drawn a position since the server started, so nothing is in flight and
                // all that is there is settled. Unless somebody has begun to meanwhile.
                let highest = heads::last_position(&Events::open(Use::Read)?);
                self.safe_in_memory().unwrap_or(highest)
            }
        };
        let database = self.database_slot.database();
        // What the notifier has written down was confirmed.
        let last_told = || sequence::last_value(Catalog::load().ok()?.objects.settled_position);
        let last_told = || last_told().unwrap_or(0);
        Ok(confirmed::confirm(
            &database.confirmed,
            &database.settled,
            safe,
            last_told,
        ))
    }

    /// The safe position that readers have been told last and since when they are held there, where they wait for a
    /// synchronous standby.
    pub fn held_for_standbys(&self) -> Option<(i64, i64)> {
        let database = self.database_slot.database();
        let since = database.confirmed.since()?;
        Some((database.settled.load(SeqCst), since))
    }

    /// The same without a clear_pending at the tables; `None` until the first append since the server
    /// started.
    pub fn safe_in_memory(&self) -> Option<i64> {
        let database = self.database_slot.database();
        let next = database.next.load(SeqCst);
        if next == 0 {
            return None;
        }
        let drawn = (next - 1).min(database.reserved.load(SeqCst));
        let lowest = slots::lowest(self.database_slot);
        Some(lowest.map_or(drawn, |lowest| drawn.min(lowest - 1)))
    }

    /// How many transactions hold positions in this database.
    pub fn in_flight(&self) -> u32 {
        slots::in_flight(self.database_slot)
    }

    /// Who holds positions in this database.
    pub fn held(&self) -> impl Iterator<Item = PositionHolder> {
        slots::holders(self.database_slot)
    }

    /// How many appends came to which end.
    pub fn counts(&self) -> &'static Counts {
        &self.database_slot.database().counts
    }

    /// How many transactions have released their locks, or are about to, and have not flushed the log since.
    pub fn unflushed(&self) -> &'static AtomicI64 {
        &self.database_slot.database().unflushed
    }

    /// What the notifiers have announced.
    pub fn announcements(&self) -> &'static Announcements {
        &self.database_slot.database().announced
    }

    /// How the ends of appends reach those who wait for events.
    pub fn wake(&self) -> &'static Wake {
        &self.database_slot.database().wake
    }
}

/// Asks for the shared memory, when the server starts.
pub fn request_shared_memory() {
    databases::request();
    slots::request();
}

/// Finds or makes the shared memory, when the server starts.
pub fn attach_shared_memory() {
    databases::attach();
    slots::attach();
}
