//! What the notifiers of a database have announced, for the view `eventcore.stat_notifier`.

use crate::pg::transaction;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Only the notifier writes it.
pub struct Announcements {
    notifications: AtomicI64,
    position: AtomicI64,
    /// When the notifier began, and when it last announced a position, as timestamptz.
    started_at: AtomicI64,
    at: AtomicI64,
}

/// The announcements at one moment.
pub struct AnnouncementState {
    /// When the notifier began. Only meaningful while there is one.
    pub started_at: i64,
    /// How many notifications were sent since counting began.
    pub count: i64,
    /// The position that was sent last, and when.
    pub last: Option<(i64, i64)>,
}

impl Announcements {
    pub fn fresh() -> Self {
        Self {
            notifications: AtomicI64::new(0),
            position: AtomicI64::new(0),
            started_at: AtomicI64::new(0),
            at: AtomicI64::new(0),
        }
    }

    /// Restarts the count. The notifier may stay the same.
    pub fn begin(&self) {
        self.notifications.store(0, Relaxed);
        self.position.store(0, Relaxed);
        self.at.store(0, Relaxed);
    }

    /// Records that this process has become the notifier.
    pub fn start(&self) {
        self.started_at.store(transaction::now(), Relaxed);
    }

    /// Records that the notifier has sent a notification with this position.
    pub fn sent(&self, position: i64) {
        self.notifications.fetch_add(1, Relaxed);
        self.position.store(position, Relaxed);
        self.at.store(transaction::now(), Relaxed);
    }

    pub fn get(&self) -> AnnouncementState {
        let count = self.notifications.load(Relaxed);
        let last = (self.position.load(Relaxed), self.at.load(Relaxed));
        AnnouncementState {
            started_at: self.started_at.load(Relaxed),
            count,
            last: (count > 0).then_some(last),
        }
    }
}
