//! Counts the rows that are about to come into `eventcore.streams`, so that an append need not look
//! for closed streams as long as there was none.

use crate::pg::shared_memory::{Shared, SharedArray};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

static CLOSINGS: SharedArray<Closings> = SharedArray::new(c"eventcore closings");

/// How often a row was about to be inserted, in all databases of the server since it started. One
/// count for all, because it only says that something may have changed, and it is never set back.
struct Closings(AtomicU64);

impl Shared for Closings {
    fn fresh() -> Self {
        Self(AtomicU64::new(0))
    }
}

pub(super) fn request() {
    CLOSINGS.request(1);
}

pub(super) fn attach() {
    CLOSINGS.attach(1);
}

/// To be called before the row is in the table. A rollback does not take it back.
pub fn announce_closing() {
    if let Some(Closings(count)) = CLOSINGS.get().first() {
        count.fetch_add(1, SeqCst);
    }
}

/// The count. To be taken before a look at the table: then a row that was not seen changes it.
pub fn closings() -> u64 {
    CLOSINGS
        .get()
        .first()
        .map_or(0, |Closings(count)| count.load(SeqCst))
}
