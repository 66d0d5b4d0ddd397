//! The registry of positions in flight, in shared memory.
//!
//! A position is drawn before its transaction commits, so positions commit out of order. A reader
//! may go as far as the *safe position*: up to there everything is committed or gone for good.
//!
//! Writer, per transaction: publish in its own slot the lowest position that it may get (the next
//! one to be drawn), then draw, and withdraw the slot when the commit is visible or the transaction
//! is gone. Reader: load the next position first, then look through the slots. All of it is
//! sequentially consistent: a reader that sees a position drawn also sees the slot that was
//! published before. No writer waits for another.
//!
//! - [`places`]: what each database's positions have come to.
//! - [`slots`]: what each process may hold.
//! - [`positions`]: drawing them.
//! - [`counts`], [`announced`]: what has been done, for those who look after a database.

mod announced;
mod counts;
mod places;
mod positions;
mod slots;

pub use places::{
    databases_without_notifier, dismiss_notifier, has_notifier, look, release, send_notifier_away,
};
pub use positions::MAX_POSITION;

use crate::catalog::{Catalog, Events};
use crate::error::Error;
use crate::heads;
use crate::pg::relation::Use;
use crate::pg::{sequence, transaction};
use crate::wake::Wake;
use announced::Announced;
use counts::Counts;
use places::Place;
use slots::Held;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

/// This database's part of the registry.
pub struct Registry {
    place: Place,
}

impl Registry {
    /// The part of the database that this process is connected to.
    ///
    /// SE009 when the library was not preloaded, or when there are more databases than places.
    pub fn open(catalog: &Catalog) -> Result<Self, Error> {
        Ok(Self {
            place: Place::open(catalog)?,
        })
    }

    /// Draws `count` positions in a row for this transaction and returns the first. To be called
    /// when nothing but a failure of the server can keep the events from being written.
    pub fn draw(&self, events: &Events, count: usize) -> Result<i64, Error> {
        positions::draw(self.place, events, count)
    }

    /// A row comes by SQL, with a position of its own, as in a restore.
    pub fn pass(&self, events: &Events, position: i64) {
        positions::pass(self.place, events, position);
    }

    /// SE003 for a position of a row that is far ahead of all others.
    pub fn check_ahead(&self, events: &Events, position: i64) -> Result<(), Error> {
        positions::check_ahead(self.place, events, position)
    }

    /// The safe position. Take it first and the snapshot to read with after it: an older snapshot
    /// may lack events below it.
    pub fn safe_position(&self) -> Result<i64, Error> {
        if transaction::is_standby() {
            let settled = Catalog::load()?.settled_position;
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
        let settled = &self.place.database().settled;
        Ok(settled.fetch_max(safe, SeqCst).max(safe))
    }

    /// The same without a look at the tables; `None` until the first append since the server
    /// started.
    pub fn safe_in_memory(&self) -> Option<i64> {
        let database = self.place.database();
        let next = database.next.load(SeqCst);
        if next == 0 {
            return None;
        }
        let drawn = (next - 1).min(database.reserved.load(SeqCst));
        let lowest = slots::lowest(self.place);
        Some(lowest.map_or(drawn, |lowest| drawn.min(lowest - 1)))
    }

    /// How many transactions hold positions in this database.
    pub fn in_flight(&self) -> u32 {
        slots::in_flight(self.place)
    }

    /// Who holds positions in this database.
    pub fn held(&self) -> impl Iterator<Item = Held> {
        slots::holders(self.place)
    }

    /// How many appends came to which end.
    pub fn counts(&self) -> &'static Counts {
        &self.place.database().counts
    }

    /// How many transactions have released their locks, or are about to, and have not flushed the log since.
    pub fn unflushed(&self) -> &'static AtomicI64 {
        &self.place.database().unflushed
    }

    /// What the notifiers have announced.
    pub fn announced(&self) -> &'static Announced {
        &self.place.database().announced
    }

    /// How the ends of appends reach those who wait for events.
    pub fn wake(&self) -> &'static Wake {
        &self.place.database().wake
    }
}

/// Asks for the shared memory, when the server starts.
pub fn request_shared_memory() {
    places::request();
    slots::request();
}

/// Finds or makes the shared memory, when the server starts.
pub fn attach_shared_memory() {
    places::attach();
    slots::attach();
}
