//! The batch that a worker is processing, in its slot in shared memory.

use super::crash_file::Record;
use super::text::SharedText;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};

pub const EMPTY: u32 = 0;
pub const RUNNING: u32 = 1;
/// Only in the file: the server has ended the process because another process crashed.
pub const KILLED_WITH_OTHERS: u32 = 2;
/// The process ended by itself in the middle of the batch.
pub const AT_FAULT: u32 = 3;
/// The process was ended together with all others.
pub const BLAMELESS: u32 = 4;
/// A worker is handling the abandoned batch.
pub const CLAIMED: u32 = 5;

/// The batch of one process.
pub struct BatchSlot {
    pub state: AtomicU32,
    pub checkpoint: AtomicI64,
    pub first: AtomicI64,
    pub last: AtomicI64,
    pub replay: AtomicI64,
    pub projection: SharedText<255>,
    /// How the process ended: SQLSTATE and message.
    pub ending: SharedText<400>,
}

impl BatchSlot {
    pub fn fresh() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            checkpoint: AtomicI64::new(0),
            first: AtomicI64::new(0),
            last: AtomicI64::new(0),
            replay: AtomicI64::new(0),
            projection: SharedText::fresh(),
            ending: SharedText::fresh(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.state.load(SeqCst) == EMPTY
    }

    pub fn clear(&self) {
        self.state.store(EMPTY, SeqCst);
    }

    pub fn projection(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.projection.load())
    }

    pub fn store(&self, record: &Record) {
        self.checkpoint.store(record.checkpoint, SeqCst);
        self.first.store(record.first, SeqCst);
        self.last.store(record.last, SeqCst);
        self.replay.store(record.replay, SeqCst);
        self.projection.store(&record.projection);
        self.state.store(record.state, SeqCst);
    }

    pub fn is_abandoned(&self) -> bool {
        [AT_FAULT, BLAMELESS, CLAIMED].contains(&self.state.load(SeqCst))
    }
}
