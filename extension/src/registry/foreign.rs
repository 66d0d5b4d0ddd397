//! Counts the transactions that bring rows by SQL, so that a command need not look a second time at
//! what it has read as long as there is none. Such rows take no lock of a stream.

use crate::pg::shared_memory::{Shared, SharedArray};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

static FOREIGN: SharedArray<Foreign> = SharedArray::new(c"eventcore foreign rows");

/// The transactions in all databases of the server since it started. They are counted together,
/// because the counts only say that something may have changed, and they are never set back.
struct Foreign {
    /// Before their first row is in the table.
    begun: AtomicU64,
    /// When all processes see how they ended.
    ended: AtomicU64,
}

impl Shared for Foreign {
    fn fresh() -> Self {
        Self {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }
}

pub(super) fn request() {
    FOREIGN.request(1);
}

pub(super) fn attach() {
    FOREIGN.attach(1);
}

/// To be called once for each such transaction, before its first row is in the table.
pub(super) fn begin() {
    if let Some(foreign) = FOREIGN.get().first() {
        foreign.begun.fetch_add(1, SeqCst);
    }
}

/// To be called once for each such transaction, when all processes see how it ended.
pub(super) fn end() {
    if let Some(foreign) = FOREIGN.get().first() {
        foreign.ended.fetch_add(1, SeqCst);
    }
}

/// Whether rows by SQL may have become visible since this was taken.
#[derive(Clone, Copy)]
pub struct Arrivals(Option<u64>);

impl Arrivals {
    /// To be taken before the snapshot of what is read.
    pub fn so_far() -> Self {
        let begun = FOREIGN.get().first().and_then(|foreign| {
            // In this order: what has begun by the later load had ended by the earlier one.
            let ended = foreign.ended.load(SeqCst);
            let begun = foreign.begun.load(SeqCst);
            (begun == ended).then_some(begun)
        });
        Self(begun)
    }

    /// Whether no row can have become visible since: no such transaction was under way then, and
    /// none has begun.
    pub fn are_all(self) -> bool {
        self.0.is_some() && self.0 == Self::so_far().0
    }
}
