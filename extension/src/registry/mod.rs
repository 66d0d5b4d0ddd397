//! The registry of positions in flight, in shared memory.
//!
//! A position is drawn before its transaction commits, so positions commit out of order. A reader
//! may read up to the *safe position*: everything up to it is either committed or gone for good.
//!
//! A writer publishes in its own slot the lowest position that it may get (the next one to draw),
//! then draws, and withdraws the slot when its commit is visible or its transaction is rolled back.
//! A reader loads the next position first and then scans the slots. All of this is sequentially
//! consistent: a reader that sees a drawn position also sees the slot that was published before. No
//! writer waits for another.
//!
//! - [`databases`]: the positions of each database.
//! - [`slots`]: the positions that each process may hold.
//! - [`positions`], [`blocks`]: drawing positions, and reserving them on disk.
//! - [`history`], [`known_positions`]: whether the positions still belong to the history that this
//!   server writes.
//! - [`confirmed`]: which positions synchronous standbys have confirmed.
//! - [`wake`]: how the end of an append reaches the notifier and the waiters.
//! - [`closings`]: whether streams may have been closed.
//! - [`foreign`]: whether rows may have come by SQL.
//! - [`counts`], [`executions`], [`announcements`]: what monitoring views show.

mod announcements;
mod blocks;
mod closings;
mod confirmed;
mod counts;
mod databases;
mod executions;
mod foreign;
mod history;
mod known_positions;
mod positions;
mod slots;
pub mod wake;

pub use closings::{announce_closing, closings};
pub use databases::{
    clear_pending, databases_without_notifier, dismiss_notifier, has_notifier, has_waiters,
    release, send_notifier_away, wake_all_waiters,
};
pub use executions::{Executions, Outcome};
pub use foreign::Arrivals;
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

/// The registry of one database.
pub struct Registry {
    database_slot: DatabaseSlot,
}

impl Registry {
    /// Opens the registry of the database that this process is connected to.
    ///
    /// SE009 if the library was not preloaded, or if more databases use the extension than
    /// `eventcore.max_databases`.
    pub fn open(catalog: &Catalog) -> Result<Self, Error> {
        Ok(Self {
            database_slot: DatabaseSlot::open(catalog)?,
        })
    }

    /// Draws `count` consecutive positions for this transaction and returns the first. To be called
    /// when only a failure of the server can still keep the events from being written.
    pub fn draw(&self, events: &Events, count: usize) -> Result<i64, Error> {
        positions::draw(self.database_slot, events, count)
    }

    /// The position that is drawn next, in the history that this server writes.
    pub fn next_position(&self, events: &Events) -> Result<i64, Error> {
        positions::next(self.database_slot, events)
    }

    /// Registers a row that SQL inserts with a position of its own, for example in a restore.
    pub fn register_foreign(&self, events: &Events, position: i64) -> Result<(), Error> {
        positions::register_foreign(self.database_slot, events, position)
    }

    /// Begins a new history if one has to begin after a promotion or a point-in-time recovery,
    /// before readers are told how far they may read.
    pub fn begin_history(&self, events: &Events) -> Result<(), Error> {
        history::continue_or_begin(self.database_slot.database(), events, Purpose::Announce)
    }

    /// No position above this was ever reserved here.
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

    /// The position up to which a history that continued from this one agrees with it, as far as is
    /// known.
    pub fn agreed(&self, events: &Events, histories: &[History]) -> i64 {
        if self.database_slot.database().next.load(SeqCst) == 0 {
            return sequence::last_value(events.catalog.objects.settled_position).unwrap_or(0);
        }
        let latest = histories.iter().max_by_key(|history| history.first);
        latest.map_or(0, |latest| latest.agreed)
    }

    /// SE003 for a row with a position far ahead of all others.
    pub fn check_ahead(&self, events: &Events, position: i64) -> Result<(), Error> {
        positions::check_ahead(self.database_slot, events, position)
    }

    /// The safe position. Take it first and the snapshot for reading after it: an older snapshot
    /// may lack events below it.
    pub fn safe_position(&self) -> Result<i64, Error> {
        if transaction::is_standby() {
            let settled = Catalog::load()?.objects.settled_position;
            return Ok(sequence::last_value(settled).unwrap_or(0));
        }
        let safe = match self.safe_in_memory() {
            Some(safe) => safe,
            None => {
                // No process has drawn a position since the server started. So nothing is in flight
                // and everything is settled, unless another process has begun to draw meanwhile.
                let highest = heads::last_position(&Events::open(Use::Read)?);
                self.safe_in_memory().unwrap_or(highest)
            }
        };
        let database = self.database_slot.database();
        // The notifier has recorded only what the standbys had confirmed.
        let last_told = || sequence::last_value(Catalog::load().ok()?.objects.settled_position);
        let last_told = || last_told().unwrap_or(0);
        Ok(confirmed::confirm(
            &database.confirmed,
            &database.settled,
            safe,
            last_told,
        ))
    }

    /// If readers wait for a synchronous standby: the safe position that they were told last, and
    /// since when they wait.
    pub fn held_for_standbys(&self) -> Option<(i64, i64)> {
        let database = self.database_slot.database();
        let since = database.confirmed.since()?;
        Some((database.settled.load(SeqCst), since))
    }

    /// The safe position without access to the tables; `None` until the first append since the
    /// server started.
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

    /// The highest safe position that a reader was told since the server started; 0 if none was. The
    /// notifier takes the safe position before it wakes waiters, so it is among these.
    pub fn told(&self) -> i64 {
        self.database_slot.database().settled.load(SeqCst)
    }

    /// How many transactions hold positions in this database.
    pub fn in_flight(&self) -> u32 {
        slots::in_flight(self.database_slot)
    }

    /// The processes that hold positions in this database.
    pub fn held(&self) -> impl Iterator<Item = PositionHolder> {
        slots::holders(self.database_slot)
    }

    /// The counts of appends.
    pub fn counts(&self) -> &'static Counts {
        &self.database_slot.database().counts
    }

    /// The counts of executions of commands.
    pub fn executions(&self) -> &'static Executions {
        &self.database_slot.database().executions
    }

    /// How many transactions have released their locks, or are about to, and have not flushed the
    /// log yet.
    pub fn unflushed(&self) -> &'static AtomicI64 {
        &self.database_slot.database().unflushed
    }

    /// What the notifiers have announced.
    pub fn announcements(&self) -> &'static Announcements {
        &self.database_slot.database().announced
    }

    /// How the end of an append reaches waiters.
    pub fn wake(&self) -> &'static Wake {
        &self.database_slot.database().wake
    }
}

/// Requests the shared memory, when the server starts.
pub fn request_shared_memory() {
    databases::request();
    slots::request();
    closings::request();
    foreign::request();
}

/// Creates the shared memory, or attaches to it, when the server starts.
pub fn attach_shared_memory() {
    databases::attach();
    slots::attach();
    closings::attach();
    foreign::attach();
}
