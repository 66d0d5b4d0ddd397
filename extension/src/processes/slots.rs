//! A slot in shared memory for each background process of the extension. It is kept when the process has ended, until
//! another one needs it.

use super::batch_slot::BatchSlot;
use super::text::SharedText;
use crate::pg::shared_memory::{Shared, SharedArray};
use crate::pg::{transaction, worker};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, Ordering::SeqCst, fence};

pub static SLOTS: SharedArray<ProcessSlot> = SharedArray::new(c"eventcore workers");

/// The longest error that is kept, in bytes, behind its SQLSTATE.
const MAX_ERROR: usize = 400;

thread_local! {
    /// The slot of this process, once it has one.
    pub static MY_SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What a process is there for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Launcher = 1,
    Notifier = 2,
    Projections = 3,
}

/// A process, or one that has ended.
pub struct ProcessSlot {
    /// 0 for a slot that nobody has had yet.
    pub kind: AtomicU32,
    /// 0 where it belongs to none.
    pub database: AtomicU32,
    /// The role that it has logged in as; 0 for the launcher and the notifiers.
    pub role: AtomicU32,
    /// 0 when it has ended.
    pub pid: AtomicI32,
    /// It has come as far as to begin its work.
    pub at_work: AtomicBool,
    /// When it began, as a timestamptz.
    pub since: AtomicI64,
    pub failures: AtomicI64,
    /// When it failed last, as a timestamptz.
    failed_at: AtomicI64,
    /// Odd while the error is being written.
    version: AtomicU32,
    error: SharedText<{ MAX_ERROR + 5 }>,
    pub batch: BatchSlot,
}

/// What is to be said of a process.
pub struct ProcessState {
    pub kind: &'static str,
    pub role: u32,
    pub pid: Option<i32>,
    pub since: i64,
    pub projection: Option<String>,
    pub failures: i64,
    /// When it failed last, with what SQLSTATE and what message.
    pub last: Option<(i64, String, String)>,
}

impl Shared for ProcessSlot {
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
            batch: BatchSlot::fresh(),
        }
    }
}

impl ProcessSlot {
    pub fn is(&self, kind: Kind, database: u32, role: u32) -> bool {
        self.kind.load(SeqCst) == kind as u32
            && self.database.load(SeqCst) == database
            && self.role.load(SeqCst) == role
    }

    /// Nobody is there, and nobody has left anything to be done.
    pub fn is_free(&self) -> bool {
        self.pid.load(SeqCst) == 0 && self.batch.is_empty()
    }

    /// Only by the process whose slot it is.
    pub fn record_failure(&self, sqlstate: &str, message: &str) {
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

    pub fn state(&self) -> Option<ProcessState> {
        let kind = match self.kind.load(SeqCst) {
            1 => "launcher",
            2 => "notifier",
            3 => "projections",
            _ => return None,
        };
        let pid = self.pid.load(SeqCst);
        Some(ProcessState {
            kind,
            role: self.role.load(SeqCst),
            pid: (pid != 0).then_some(pid),
            since: self.since.load(SeqCst),
            projection: self.batch.projection(),
            failures: self.failures.load(SeqCst),
            last: self.last_error(),
        })
    }
}

/// How many processes there may be: each of `max_worker_processes`, and as many that have ended.
pub fn count() -> usize {
    2 * worker::max_workers()
}

pub fn my_slot() -> Option<&'static ProcessSlot> {
    MY_SLOT.get().map(|number| &SLOTS.get()[number])
}
