//! What the positions of each database have come to: a database_slot in shared memory for every database
//! that uses the extension.

use super::announcements::Announcements;
use super::confirmed::Confirmed;
use super::counts::Counts;
use crate::error::{Error, Unavailable};
use crate::pg::relation::Use;
use crate::pg::shared_memory::{Shared, SharedArray, exclusively, my_database};
use crate::registry::wake::Wake;
use crate::settings;
use crate::tables::{Catalog, Events};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};

static DATABASES: SharedArray<Database> = SharedArray::new(c"eventcore databases");

thread_local! {
    /// The database_slot of the database that this process is connected to, once it is known.
    static MINE: Cell<Option<DatabaseSlot>> = const { Cell::new(None) };
}

/// One database, on cache lines of its own.
#[repr(C, align(64))]
pub struct Database {
    /// The next position to be drawn; 0 until the first append since the server started.
    pub next: AtomicI64,
    /// No position above this may be used yet: its block is not on disk.
    pub reserved: AtomicI64,
    /// The highest safe position that anyone has seen: it never goes back.
    pub settled: AtomicI64,
    /// The highest position that came by SQL and was not given out here; 0 for none.
    pub foreign: AtomicI64,
    /// How often rows came by SQL that may be of another history, or their transactions ended.
    pub doubts: AtomicI64,
    /// Up to which of these it has been decided whether another history begins.
    pub cleared: AtomicI64,
    /// What the standbys have confirmed of it.
    pub confirmed: Confirmed,
    /// How the ends of appends reach those who wait for events.
    pub wake: Wake,
    /// The oid of the database, 0 for a free database_slot.
    oid: AtomicU32,
    /// The oid of `eventcore.position_blocks`: another one after DROP and CREATE EXTENSION.
    sequence: AtomicU32,
    /// What its notifiers have announced.
    pub announced: Announcements,
    /// How many appends came to which end.
    pub counts: Counts,
    /// How many transactions have released their locks, or are about to, and have not flushed the log since.
    pub unflushed: AtomicI64,
}

/// Where a database is in shared memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DatabaseSlot(u32);

impl DatabaseSlot {
    /// The database_slot of the database that this process is connected to.
    pub fn open(catalog: &Catalog) -> Result<Self, Error> {
        let (oid, sequence) = (my_database(), catalog.objects.position_blocks.to_u32());
        let known = MINE
            .get()
            .filter(|database_slot| database_slot.database().is(oid, sequence));
        let database_slot = match known {
            Some(database_slot) => database_slot,
            None => {
                // A statement that is older than a DROP EXTENSION may still know the old sequence,
                // and must not take the database_slot from the new one.
                let current = Events::open(Use::Read)?.catalog;
                if !current.is_same(catalog) {
                    return Err(Unavailable::NotInstalled.into());
                }
                claim(oid, sequence)?
            }
        };
        MINE.set(Some(database_slot));
        Ok(database_slot)
    }

    /// A number that stands for no database where it is 0.
    pub fn number(self) -> u32 {
        self.0 + 1
    }

    pub fn database(self) -> &'static Database {
        &DATABASES.get()[self.0 as usize]
    }
}

impl Database {
    fn is(&self, oid: u32, sequence: u32) -> bool {
        self.oid.load(SeqCst) == oid && self.sequence.load(SeqCst) == sequence
    }
}

impl Shared for Database {
    fn fresh() -> Self {
        Self {
            next: AtomicI64::new(0),
            reserved: AtomicI64::new(0),
            settled: AtomicI64::new(0),
            foreign: AtomicI64::new(0),
            doubts: AtomicI64::new(0),
            cleared: AtomicI64::new(0),
            confirmed: Confirmed::fresh(),
            wake: Wake::fresh(),
            oid: AtomicU32::new(0),
            sequence: AtomicU32::new(0),
            announced: Announcements::fresh(),
            counts: Counts::fresh(),
            unflushed: AtomicI64::new(0),
        }
    }

    fn placed(&self) {
        self.wake.placed();
    }
}

pub fn request() {
    DATABASES.request(settings::max_databases());
}

pub fn attach() {
    DATABASES.attach(settings::max_databases());
}

/// Asks the notifier of a database to leave it, for a statement that needs the database to itself.
pub fn send_notifier_away(oid: u32) {
    for database in of(oid) {
        database.wake.send_notifier_away();
    }
}

/// The notifier of a database is about to clear_pending for the extension.
pub fn clear_pending(oid: u32) {
    for database in of(oid) {
        database.wake.clear_pending();
    }
}

/// Wants no notifier in a database where the extension is not found.
pub fn dismiss_notifier(oid: u32) {
    for database in of(oid) {
        database.wake.dismiss();
    }
}

/// Whether a database has a notifier.
pub fn has_notifier(oid: u32) -> bool {
    of(oid).any(|database| database.wake.has_notifier())
}

/// Whether somebody waits in any database.
pub fn has_waiters() -> bool {
    DATABASES
        .get()
        .iter()
        .any(|database| database.wake.has_waiters())
}

/// Wakes all who wait in any database.
pub fn wake_all_waiters() {
    for database in DATABASES.get() {
        if database.wake.has_waiters() {
            database.wake.wake_all_waiters();
        }
    }
}

/// The databases in which a notifier is to be started now.
pub fn databases_without_notifier() -> Vec<u32> {
    let lacking = DATABASES
        .get()
        .iter()
        .filter(|database| database.wake.lacks_notifier());
    lacking
        .map(|database| database.oid.load(SeqCst))
        .filter(|oid| *oid != 0)
        .collect()
}

/// Gives a database_slot back when its database is gone. Not when its extension seems to be: that may be in
/// a transaction that has not committed yet, and has positions in flight.
pub fn release(oid: u32) {
    exclusively(|| {
        for database in of(oid) {
            database.sequence.store(0, SeqCst);
            database.oid.store(0, SeqCst);
        }
    });
}

fn of(oid: u32) -> impl Iterator<Item = &'static Database> {
    DATABASES
        .get()
        .iter()
        .filter(move |database| database.oid.load(SeqCst) == oid)
}

/// The database_slot of a database, an old one or a free one.
fn claim(oid: u32, sequence: u32) -> Result<DatabaseSlot, Error> {
    let databases = DATABASES.get();
    if databases.is_empty() {
        return Err(Unavailable::NotPreloaded.into());
    }
    let with = |wanted| move |database: &Database| database.oid.load(SeqCst) == wanted;
    let claimed = exclusively(|| {
        let known = databases.iter().position(with(oid));
        let database_slot = known.or_else(|| databases.iter().position(with(0)))?;
        let database = &databases[database_slot];
        if !database.is(oid, sequence) {
            // New here, or the extension was dropped and created again.
            database.next.store(0, SeqCst);
            database.reserved.store(0, SeqCst);
            database.settled.store(0, SeqCst);
            database.foreign.store(0, SeqCst);
            database.doubts.store(0, SeqCst);
            database.cleared.store(0, SeqCst);
            database.confirmed.begin();
            database.announced.begin();
            database.counts.begin();
            database.sequence.store(sequence, SeqCst);
            if database.oid.swap(oid, SeqCst) != oid {
                database.wake.reset();
            }
        }
        u32::try_from(database_slot).ok()
    });
    let max = databases.len();
    Ok(DatabaseSlot(
        claimed.ok_or(Unavailable::TooManyDatabases { max })?,
    ))
}
