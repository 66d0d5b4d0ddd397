//! A slot in shared memory for each background process of the extension. It stays when the process
//! has ended, until another process needs it.

use super::batch_slot::BatchSlot;
use super::text::SharedText;
use crate::pg::shared_memory::{Shared, SharedArray};
use crate::pg::{transaction, worker};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, Ordering::SeqCst, fence};

pub static SLOTS: SharedArray<ProcessSlot> = SharedArray::new(c"eventcore workers");

/// The longest error message that is kept, in bytes, without its SQLSTATE.
const MAX_ERROR: usize = 400;

thread_local! {
    /// The slot of this process, once it has one.
    pub static MY_SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The kinds of processes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Launcher = 1,
    Notifier = 2,
    Projections = 3,
}

/// A process, running or ended.
pub struct ProcessSlot {
    /// 0 for a slot that was never used.
    pub kind: AtomicU32,
    /// 0 if the process belongs to no database.
    pub database: AtomicU32,
    /// The role that the process has logged in as; 0 for the launcher and the notifiers.
    pub role: AtomicU32,
    /// 0 if the process has ended.
    pub pid: AtomicI32,
    /// Whether the process got as far as beginning its work.
    pub at_work: AtomicBool,
    /// When the process began, as a timestamptz.
    pub since: AtomicI64,
    pub failures: AtomicI64,
    /// When the process last failed, as a timestamptz.
    failed_at: AtomicI64,
    /// Odd while the error is being written.
    version: AtomicU32,
    error: SharedText<{ MAX_ERROR + 5 }>,
    pub batch: BatchSlot,
}

/// What a view shows of a process.
pub struct ProcessState {
    pub kind: &'static str,
    pub role: u32,
    pub pid: Option<i32>,
    pub since: i64,
    pub projection: Option<String>,
    pub failures: i64,
    /// The last failure: when, SQLSTATE, and message.
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

    /// Whether the process has ended and has left no batch to handle.
    pub fn is_free(&self) -> bool {
        self.pid.load(SeqCst) == 0 && self.batch.is_empty()
    }

    /// Records a failure. Only the process of this slot calls it.
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
        // The error is rarely being written, and only for a moment.
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

/// The number of slots: one for each of `max_worker_processes`, and as many for processes that have
/// ended.
pub fn count() -> usize {
    2 * worker::max_workers()
}

pub fn my_slot() -> Option<&'static ProcessSlot> {
    MY_SLOT.get().map(|number| &SLOTS.get()[number])
}
