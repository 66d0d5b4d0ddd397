//! A slot in shared memory for every database that uses the extension: how far its positions are.

use super::announcements::Announcements;
use super::confirmed::Confirmed;
use super::counts::Counts;
use super::executions::Executions;
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
    /// The slot of the database that this process is connected to, once it is known.
    static MINE: Cell<Option<DatabaseSlot>> = const { Cell::new(None) };
}

/// The state of one database, on cache lines of its own.
#[repr(C, align(64))]
pub struct Database {
    /// The next position to draw; 0 until the first append since the server started.
    pub next: AtomicI64,
    /// No position above this may be used yet, because its block is not on disk.
    pub reserved: AtomicI64,
    /// The highest safe position that any reader has been told. It never decreases.
    pub settled: AtomicI64,
    /// The highest position of a row that SQL inserted and that was not drawn here; 0 for none.
    pub foreign: AtomicI64,
    /// How often SQL inserted rows that may belong to another history, plus how often such a
    /// transaction ended.
    pub doubts: AtomicI64,
    /// The value of `doubts` for which it was last decided whether a new history begins.
    pub cleared: AtomicI64,
    /// What the synchronous standbys have confirmed.
    pub confirmed: Confirmed,
    /// How the end of an append reaches waiters.
    pub wake: Wake,
    /// The OID of the database; 0 for a free slot.
    oid: AtomicU32,
    /// The OID of `eventcore.position_blocks`. It differs after DROP and CREATE EXTENSION.
    sequence: AtomicU32,
    /// What the notifiers have announced.
    pub announced: Announcements,
    /// The counts of appends.
    pub counts: Counts,
    /// The counts of executions of commands.
    pub executions: Executions,
    /// How many transactions have released their locks, or are about to, and have not flushed the
    /// log yet.
    pub unflushed: AtomicI64,
}

/// The number of a database's slot in shared memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DatabaseSlot(u32);

impl DatabaseSlot {
    /// Finds the slot of the database that this process is connected to, or takes a free one.
    pub fn open(catalog: &Catalog) -> Result<Self, Error> {
        let (oid, sequence) = (my_database(), catalog.objects.position_blocks.to_u32());
        let known = MINE
            .get()
            .filter(|database_slot| database_slot.database().is(oid, sequence));
        let database_slot = match known {
            Some(database_slot) => database_slot,
            None => {
                // A statement that began before a DROP EXTENSION may still know the old sequence.
                // It must not take the slot from the new installation.
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

    /// A number that is never 0: 0 means no database.
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
            executions: Executions::fresh(),
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

/// Asks the notifier of a database to leave it, for a statement that needs exclusive use of the
/// database.
pub fn send_notifier_away(oid: u32) {
    for database in of(oid) {
        database.wake.send_notifier_away();
    }
}

/// Clears the pending flag of a database, because its notifier is about to look for the extension.
pub fn clear_pending(oid: u32) {
    for database in of(oid) {
        database.wake.clear_pending();
    }
}

/// Requests no notifier for a database in which the extension was not found.
pub fn dismiss_notifier(oid: u32) {
    for database in of(oid) {
        database.wake.dismiss();
    }
}

/// Whether a database has a notifier.
pub fn has_notifier(oid: u32) -> bool {
    of(oid).any(|database| database.wake.has_notifier())
}

/// Whether any process waits in any database.
pub fn has_waiters() -> bool {
    DATABASES
        .get()
        .iter()
        .any(|database| database.wake.has_waiters())
}

/// Wakes all waiters in all databases.
pub fn wake_all_waiters() {
    for database in DATABASES.get() {
        if database.wake.has_waiters() {
            database.wake.wake_all_waiters();
        }
    }
}

/// The databases for which the launcher should start a notifier now.
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

/// Frees the slot of a database that was dropped. A missing extension is no reason to free it: DROP
/// EXTENSION may be in a transaction that has not committed and holds positions.
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

/// Finds the slot of a database, or takes a free one.
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
            // The database is new here, or the extension was dropped and created again.
            database.next.store(0, SeqCst);
            database.reserved.store(0, SeqCst);
            database.settled.store(0, SeqCst);
            database.foreign.store(0, SeqCst);
            database.doubts.store(0, SeqCst);
            database.cleared.store(0, SeqCst);
            database.confirmed.begin();
            database.announced.begin();
            database.counts.begin();
            database.executions.begin();
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
