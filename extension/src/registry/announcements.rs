//! What the notifiers of a database have announced, for those who look after it.

use crate::pg::transaction;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Written by the notifier only.
pub struct Announcements {
    notifications: AtomicI64,
    position: AtomicI64,
    /// When the notifier began, and when it announced last, as timestamptz.
    started_at: AtomicI64,
    at: AtomicI64,
}

/// What it is at one moment.
pub struct AnnouncementState {
    /// When the notifier began, if there is one.
    pub started_at: i64,
    /// How many were sent since counting began.
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

    /// Begins to count anew; the notifier may be the same.
    pub fn begin(&self) {
        self.notifications.store(0, Relaxed);
        self.position.store(0, Relaxed);
        self.at.store(0, Relaxed);
    }

    /// This process is the notifier now.
    pub fn start(&self) {
        self.started_at.store(transaction::now(), Relaxed);
    }

    /// The notifier has sent a notification with this position.
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
