//! Our processes, for those who look after them: what each is at, and what went wrong, also with those that have ended.
//!
//! - this module: a place in shared memory for each process, kept until another one needs it.
//! - [`under_way`]: which events a worker has handed to a handler, so that a process that ends on them leaves a trace.
//! - [`crash_file`]: the same on disk, for what shared memory does not survive.

mod crash_file;
pub mod freeze;
pub mod launcher_latch;
mod text;
pub mod trouble;
pub mod under_way;

use crate::pg::catch::Caught;
use crate::pg::shared_memory::{Shared, SharedArray, exclusively};
use crate::pg::{process, signals, transaction, worker};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, Ordering::SeqCst, fence};
use text::SharedText;
use under_way::UnderWay;

static PLACES: SharedArray<Place> = SharedArray::new(c"eventcore workers");

/// The longest error that is kept, in bytes, behind its SQLSTATE.
const MAX_ERROR: usize = 400;

thread_local! {
    /// The place of this process, once it has one.
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What a process is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Launcher = 1,
    Notifier = 2,
    Projections = 3,
}

/// A process, or one that has ended.
pub struct Place {
    /// 0 for a place that nobody has had yet.
    kind: AtomicU32,
    /// 0 where it belongs to none.
    database: AtomicU32,
    /// The role that it has logged in as; 0 for the launcher and the notifiers.
    role: AtomicU32,
    /// 0 when it has ended.
    pid: AtomicI32,
    /// It has come as far as to begin its work.
    at_work: AtomicBool,
    /// When it began, as a timestamptz.
    since: AtomicI64,
    failures: AtomicI64,
    /// When it failed last, as a timestamptz.
    failed_at: AtomicI64,
    /// Odd while the error is being written.
    version: AtomicU32,
    error: SharedText<{ MAX_ERROR + 5 }>,
    under_way: UnderWay,
}

/// What is to be said of a process.
pub struct Shown {
    pub kind: &'static str,
    pub role: u32,
    pub pid: Option<i32>,
    pub since: i64,
    pub projection: Option<String>,
    pub failures: i64,
    /// When it failed last, with what SQLSTATE and what message.
    pub last: Option<(i64, String, String)>,
}

impl Shared for Place {
    fn fresh() -> Self {
        Self {
            kind: AtomicU32::new(0),
            database: AtomicU32::new(0),
            role: AtomicU32::new(0),
            pid: AtomicI32::new(0),
            at_work: AtomicBool::new(false),
            since: AtomicI64::new(0),
            failures: AtomicI64::new(0),
            failed_at: AtomicI64::new(0),
            version: AtomicU32::new(0),
            error: SharedText::fresh(),
            under_way: UnderWay::fresh(),
        }
    }
}

impl Place {
    fn is(&self, kind: Kind, database: u32, role: u32) -> bool {
        self.kind.load(SeqCst) == kind as u32
            && self.database.load(SeqCst) == database
            && self.role.load(SeqCst) == role
    }

    /// Nobody is there, and nobody has left anything to be done.
    fn is_free(&self) -> bool {
        self.pid.load(SeqCst) == 0 && self.under_way.is_nothing()
    }

    /// Only by the process whose place it is.
    fn note(&self, sqlstate: &str, message: &str) {
        self.version.fetch_add(1, SeqCst);
        fence(SeqCst);
        self.error.store(&format!("{sqlstate}{message}"));
        self.failed_at.store(transaction::now(), SeqCst);
        fence(SeqCst);
        self.version.fetch_add(1, SeqCst);
        self.failures.fetch_add(1, SeqCst);
    }

    fn last_error(&self) -> Option<(i64, String, String)> {
        if self.failures.load(SeqCst) == 0 {
            return None;
        }
        let mut found = (0, String::new());
        // It is rarely being written, and never for long.
        for _ in 0..100 {
            let version = self.version.load(SeqCst);
            fence(SeqCst);
            found = (self.failed_at.load(SeqCst), self.error.load());
            fence(SeqCst);
            if version.is_multiple_of(2) && self.version.load(SeqCst) == version {
                break;
            }
        }
        let (at, error) = found;
        let (sqlstate, message) = error.split_at_checked(5)?;
        Some((at, sqlstate.to_owned(), message.to_owned()))
    }

    fn show(&self) -> Option<Shown> {
        let kind = match self.kind.load(SeqCst) {
            1 => "launcher",
            2 => "notifier",
            3 => "projections",
            _ => return None,
        };
        let pid = self.pid.load(SeqCst);
        Some(Shown {
            kind,
            role: self.role.load(SeqCst),
            pid: (pid != 0).then_some(pid),
            since: self.since.load(SeqCst),
            projection: self.under_way.projection(),
            failures: self.failures.load(SeqCst),
            last: self.last_error(),
        })
    }
}

/// How many processes there may be: each of `max_worker_processes`, and as many that have ended.
fn count() -> usize {
    2 * worker::max_workers()
}

pub fn request_shared_memory() {
    PLACES.request(count());
}

pub fn attach_shared_memory() {
    if PLACES.attach(count()) && worker::may_work() {
        under_way::find_what_was_left(PLACES.get());
    }
}

/// To be called first by each process of ours.
pub fn begin(kind: Kind, database: u32, role: u32) {
    let places = PLACES.get();
    let found = exclusively(|| {
        let free = |place: &&Place| place.is_free();
        let position = |wanted: &dyn Fn(&Place) -> bool| {
            places
                .iter()
                .position(|place| place.is_free() && wanted(place))
        };
        let oldest = || {
            let ended = places.iter().enumerate().filter(|(_, place)| free(place));
            ended
                .min_by_key(|(_, place)| place.since.load(SeqCst))
                .map(|(number, _)| number)
        };
        let number = position(&|place| place.is(kind, database, role))
            .or_else(|| position(&|place| place.kind.load(SeqCst) == 0))
            .or_else(oldest)?;
        let place = &places[number];
        if !place.is(kind, database, role) {
            place.failures.store(0, SeqCst);
            place.kind.store(kind as u32, SeqCst);
            place.database.store(database, SeqCst);
            place.role.store(role, SeqCst);
        }
        place.at_work.store(false, SeqCst);
        place.since.store(transaction::now(), SeqCst);
        place.pid.store(process::my_pid(), SeqCst);
        Some(number)
    });
    MINE.set(found);
    process::at_exit(|| {
        if let Some(place) = mine() {
            place.pid.store(0, SeqCst);
        }
    });
    signals::on_fatal(|sqlstate, message| {
        under_way::ends_with(sqlstate, message);
        // Somebody wants it to end.
        if sqlstate != "57P01" {
            fail(sqlstate, message);
        }
    });
}

/// This process has connected, and begins its work.
pub fn is_at_work() {
    if let Some(place) = mine() {
        place.at_work.store(true, SeqCst);
    }
}

/// Whether a process of this kind ended before it could begin its work, as where its role may not log in.
pub fn never_began(kind: Kind, database: u32, role: u32) -> bool {
    PLACES.get().iter().any(|place| {
        place.is(kind, database, role) && place.pid.load(SeqCst) == 0 && !place.at_work.load(SeqCst)
    })
}

/// Notes that this process could not do what it is there for.
pub fn failed(error: &Caught) {
    fail(&error.sqlstate, &error.message);
}

/// The same, for what is not an error of the server's.
pub fn fail(sqlstate: &str, message: &str) {
    if let Some(place) = mine() {
        place.note(sqlstate, message);
    }
}

/// Those of a database, and those of the whole server.
pub fn list(database: u32) -> Vec<Shown> {
    let of = |place: &&Place| [0, database].contains(&place.database.load(SeqCst));
    PLACES
        .get()
        .iter()
        .filter(of)
        .filter_map(Place::show)
        .collect()
}

/// Whether a worker of this role has ended in the middle of a batch, and nobody has dealt with that yet.
pub fn has_left(database: u32, role: u32) -> bool {
    PLACES.get().iter().any(|place| {
        place.is(Kind::Projections, database, role)
            && place.pid.load(SeqCst) == 0
            && !place.under_way.is_nothing()
    })
}

/// Forgets the processes of a database that is gone.
pub fn forget(database: u32) {
    for (number, place) in PLACES.get().iter().enumerate() {
        if place.database.load(SeqCst) == database && place.pid.load(SeqCst) == 0 {
            under_way::settle(number);
            place.kind.store(0, SeqCst);
        }
    }
}

fn mine() -> Option<&'static Place> {
    MINE.get().map(|number| &PLACES.get()[number])
}
