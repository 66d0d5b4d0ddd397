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
//! Positions come from shared memory, but none is given out before the log that reserves its block
//! in `eventcore.position_blocks` is on disk. So the server never gives a position twice, even if
//! it loses the tail of its log in a crash: a reader may keep any safe position as its checkpoint.

use crate::catalog::Catalog;
use crate::error::{Error, Unavailable};
use crate::pg::sequence;
use crate::pg::shared_memory::{
    Shared, SharedArray, WaitQueue, exclusively, max_processes, my_database, my_process_number,
    wake_process,
};
use crate::pg::transaction::{self, End, Hooks};
use crate::{load, notifier, read};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering::SeqCst};

/// How many positions a value of `eventcore.position_blocks` stands for: its INCREMENT.
pub const BLOCK: i64 = 1024;

/// When fewer reserved positions than this are left, the writer that notices reserves more, so that
/// the others need not wait for the disk.
const LOW_WATER: i64 = 256;

/// A large append reserves room for this many more like it, so that not each one pays for a flush.
const APPENDS_PER_RESERVATION: i64 = 32;

/// But never more than this: what is reserved and not used is skipped when the server restarts.
const MOST_AHEAD: i64 = 64 * BLOCK;

static DATABASES: SharedArray<Database> = SharedArray::new(c"eventcore databases");
static SLOTS: SharedArray<Slot> = SharedArray::new(c"eventcore slots");

/// What a database's positions have come to. On cache lines of its own.
#[repr(C, align(64))]
pub struct Database {
    /// The next position to be drawn; 0 until the first append since the server started.
    next: AtomicI64,
    /// No position above this may be used yet: its block is not on disk.
    reserved: AtomicI64,
    /// The oid of the database, 0 for a free place.
    oid: AtomicU32,
    /// The oid of `eventcore.position_blocks`: another one after DROP and CREATE EXTENSION.
    sequence: AtomicU32,
    /// The highest safe position that anyone has seen: it never goes back.
    settled: AtomicI64,
    /// Whether and how to wake whoever waits.
    pub wake: Wake,
}

/// How the ends of appends reach the notifier, and the notifier those who wait.
pub struct Wake {
    /// The number of the notifier's process plus one; 0 while there is none.
    pub notifier: AtomicU32,
    /// The notifier has been told and has not looked yet.
    pub pending: AtomicBool,
    /// The notifier is to leave, for someone wants the database for themselves.
    pub leave: AtomicBool,
    /// When a notifier was last asked for, as a timestamptz.
    pub asked_at: AtomicI64,
    /// Those in `eventcore_wait`.
    pub waiting: WaitQueue,
}

/// What one process may hold.
#[repr(C, align(64))]
struct Slot {
    /// The lowest position that its transaction may hold, [`NOTHING`] if it holds none.
    lowest: AtomicI64,
    /// The place of its database, plus one.
    database: AtomicU32,
}

const NOTHING: i64 = i64::MAX;

impl Shared for Database {
    fn fresh() -> Self {
        Self {
            next: AtomicI64::new(0),
            reserved: AtomicI64::new(0),
            oid: AtomicU32::new(0),
            sequence: AtomicU32::new(0),
            settled: AtomicI64::new(0),
            wake: Wake {
                notifier: AtomicU32::new(0),
                pending: AtomicBool::new(false),
                leave: AtomicBool::new(false),
                asked_at: AtomicI64::new(0),
                waiting: WaitQueue::fresh(),
            },
        }
    }

    fn placed(&self) {
        self.wake.waiting.placed();
    }
}

impl Shared for Slot {
    fn fresh() -> Self {
        Self {
            lowest: AtomicI64::new(NOTHING),
            database: AtomicU32::new(0),
        }
    }
}

/// Asks for the shared memory, when the server starts.
pub fn request_shared_memory() {
    DATABASES.request(load::max_databases());
    SLOTS.request(max_processes());
}

/// Finds or makes the shared memory, when the server starts.
pub fn attach_shared_memory() {
    DATABASES.attach(load::max_databases());
    SLOTS.attach(max_processes());
}

/// What this backend knows of itself.
struct Backend {
    /// The place of its database in [`DATABASES`].
    place: Cell<Option<usize>>,
    /// It has published a lowest position.
    holds: Cell<bool>,
    /// Its transaction hooks are registered.
    hooked: Cell<bool>,
}

thread_local! {
    static BACKEND: Backend = const {
        Backend { place: Cell::new(None), holds: Cell::new(false), hooked: Cell::new(false) }
    };
}

static HOOKS: Hooks = Hooks {
    before_prepare: refuse_prepare,
    after_end: withdraw,
};

/// This database's part of the registry.
pub struct Registry {
    place: usize,
    database: &'static Database,
}

impl Registry {
    /// The part of the database that this process is connected to.
    ///
    /// SE009 when the library was not preloaded, or when there are more databases than places.
    pub fn open(catalog: &Catalog) -> Result<Self, Error> {
        let databases = DATABASES.get();
        if databases.is_empty() {
            return Err(Unavailable::NotPreloaded.into());
        }
        let sequence = catalog.position_blocks.to_u32();
        let known = BACKEND.with(|backend| backend.place.get());
        let place = match known {
            Some(place) if databases[place].is(my_database(), sequence) => place,
            _ => exclusively(|| claim(databases, my_database(), sequence)).ok_or(
                Unavailable::TooManyDatabases {
                    max: i32::try_from(databases.len()).unwrap_or(i32::MAX),
                },
            )?,
        };
        BACKEND.with(|backend| backend.place.set(Some(place)));
        Ok(Self {
            place,
            database: &databases[place],
        })
    }

    /// Draws `count` positions in a row for this transaction and returns the first. To be called
    /// when nothing but a failure of the server can keep the events from being written.
    pub fn draw(&self, catalog: &Catalog, count: usize) -> Result<i64, Error> {
        let count = i64::try_from(count).unwrap_or(i64::MAX / 2);
        if self.database.next.load(SeqCst) == 0 {
            self.seed(catalog)?;
        }
        notifier::ensure_running(&self.database.wake);
        let first = self.publish_and_draw(count);
        self.reserve_up_to(catalog, first, first + count - 1, count);
        Ok(first)
    }

    /// See the module. What a transaction draws later is above what it published first.
    fn publish_and_draw(&self, count: i64) -> i64 {
        BACKEND.with(|backend| {
            if !backend.hooked.replace(true) {
                transaction::register(&HOOKS);
            }
            let slot = &SLOTS.get()[my_process_number()];
            let is_first = !backend.holds.replace(true);
            if is_first {
                slot.database.store(self.place as u32 + 1, SeqCst);
                slot.lowest.store(self.database.next.load(SeqCst), SeqCst);
            }
            let first = self.database.next.fetch_add(count, SeqCst);
            if is_first {
                // Others may have drawn since: hold back no more than is ours.
                slot.lowest.store(first, SeqCst);
            }
            first
        })
    }

    /// Makes sure that the blocks of the positions `first..=last`, just drawn, are on disk.
    fn reserve_up_to(&self, catalog: &Catalog, first: i64, last: i64, count: i64) {
        let reserved = self.database.reserved.load(SeqCst);
        let crosses_low_water = last + LOW_WATER > reserved && first + LOW_WATER <= reserved + 1;
        if crosses_low_water || last > reserved {
            let room = count
                .saturating_mul(APPENDS_PER_RESERVATION)
                .min(MOST_AHEAD);
            self.reserve(catalog, last.max(reserved) + room);
        }
    }

    /// Takes blocks until `position` is in one, and waits until that is on disk.
    fn reserve(&self, catalog: &Catalog, position: i64) {
        let mut last = 0;
        while last < position {
            last = sequence::next_value(catalog.position_blocks) + BLOCK - 1;
        }
        // Also where this block needed no new log: another process may have logged it just now.
        sequence::flush_log();
        self.database.reserved.fetch_max(last, SeqCst);
    }

    /// Sets the next position after a start of the server: past everything ever given out.
    fn seed(&self, catalog: &Catalog) -> Result<(), Error> {
        let next = sequence::next_value(catalog.position_blocks);
        sequence::flush_log();
        let highest = read::highest_position(catalog);
        if highest >= next {
            return Err(Unavailable::PositionsBehind { highest, next }.into());
        }
        self.database.reserved.fetch_max(next + BLOCK - 1, SeqCst);
        // Another process may have been faster; then both blocks are reserved and its start holds.
        let _ = self.database.next.compare_exchange(0, next, SeqCst, SeqCst);
        Ok(())
    }

    /// The safe position. Take it first and the snapshot to read with after it: an older snapshot
    /// may lack events below it.
    pub fn safe_position(&self, catalog: &Catalog) -> i64 {
        if transaction::is_standby() {
            return sequence::last_value(catalog.settled_position).unwrap_or(0);
        }
        let safe = match self.safe_in_memory() {
            Some(safe) => safe,
            None => {
                // Nobody has appended since the server started, so nothing is in flight and all
                // that is there is settled. Unless somebody has begun to meanwhile.
                let highest = read::highest_position(catalog);
                self.safe_in_memory().unwrap_or(highest)
            }
        };
        self.database.settled.fetch_max(safe, SeqCst).max(safe)
    }

    /// `None` until the first append since the server started.
    pub fn safe_in_memory(&self) -> Option<i64> {
        let next = self.database.next.load(SeqCst);
        if next == 0 {
            return None;
        }
        let drawn = (next - 1).min(self.database.reserved.load(SeqCst));
        let place = self.place as u32 + 1;
        let lowest = SLOTS
            .get()
            .iter()
            .map(|slot| (slot.lowest.load(SeqCst), slot))
            .filter(|(lowest, slot)| *lowest != NOTHING && slot.database.load(SeqCst) == place)
            .map(|(lowest, _)| lowest)
            .min();
        Some(lowest.map_or(drawn, |lowest| drawn.min(lowest - 1)))
    }

    pub fn wake(&self) -> &'static Wake {
        &self.database.wake
    }
}

impl Database {
    fn is(&self, database: u32, sequence: u32) -> bool {
        self.oid.load(SeqCst) == database && self.sequence.load(SeqCst) == sequence
    }
}

/// The place of a database, an old one or a free one; `None` when there is none left.
fn claim(databases: &[Database], oid: u32, sequence: u32) -> Option<usize> {
    let place = databases
        .iter()
        .position(|database| database.oid.load(SeqCst) == oid)
        .or_else(|| {
            databases
                .iter()
                .position(|database| database.oid.load(SeqCst) == 0)
        })?;
    let database = &databases[place];
    if !database.is(oid, sequence) {
        // New here, or the extension was dropped and created again.
        database.next.store(0, SeqCst);
        database.reserved.store(0, SeqCst);
        database.settled.store(0, SeqCst);
        database.sequence.store(sequence, SeqCst);
        database.oid.store(oid, SeqCst);
    }
    Some(place)
}

/// The wake-ups of the database that this process is connected to, once it has opened it.
pub fn wake_of_this_database() -> Option<&'static Wake> {
    let place = BACKEND.with(|backend| backend.place.get())?;
    Some(&DATABASES.get()[place].wake)
}

/// Asks the notifier of a database to leave it, for a statement that needs the database to itself.
pub fn send_notifier_away(database: u32) {
    for found in DATABASES
        .get()
        .iter()
        .filter(|found| found.oid.load(SeqCst) == database)
    {
        found.wake.leave.store(true, SeqCst);
        found.wake.tell_notifier();
    }
}

/// Gives a place back when its database is gone. Not when its extension seems to be: that may be in
/// a transaction that has not committed yet, and has positions in flight.
pub fn release(database: u32) {
    exclusively(|| {
        for found in DATABASES
            .get()
            .iter()
            .filter(|found| found.oid.load(SeqCst) == database)
        {
            found.sequence.store(0, SeqCst);
            found.oid.store(0, SeqCst);
        }
    });
}

impl Wake {
    /// Tells the notifier that the safe position may have moved; costs next to nothing when it has
    /// been told already and has not looked yet.
    pub fn tell_notifier(&self) {
        if (!self.pending.swap(true, SeqCst) || self.leave.load(SeqCst))
            && let Some(process) = self.notifier.load(SeqCst).checked_sub(1)
        {
            wake_process(process as usize);
        }
    }
}

/// Everybody sees by now how the transaction ended: it holds no position any more.
fn withdraw(_end: End) {
    BACKEND.with(|backend| {
        if !backend.holds.replace(false) {
            return;
        }
        SLOTS.get()[my_process_number()]
            .lowest
            .store(NOTHING, SeqCst);
        // Also after a rollback: the safe position moves over what is gone.
        if let Some(place) = backend.place.get() {
            DATABASES.get()[place].wake.tell_notifier();
        }
    });
}

/// A prepared transaction outlives its process, and the registry speaks of processes.
fn refuse_prepare() {
    if BACKEND.with(|backend| backend.holds.get()) {
        crate::pg::raise::raise(&Unavailable::Prepared.into());
    }
}
