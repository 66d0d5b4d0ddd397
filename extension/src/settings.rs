//! The settings of the extension.

use crate::pg::hooks;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

static MAX_DATABASES: GucSetting<i32> = GucSetting::<i32>::new(64);
static ALLOW_DROP: GucSetting<bool> = GucSetting::<bool>::new(false);
static EARLY_LOCK_RELEASE: GucSetting<bool> = GucSetting::<bool>::new(false);
static PROJECTION_WORKERS: GucSetting<i32> = GucSetting::<i32>::new(2);

/// The most workers that may run projections in each database.
pub fn projection_workers() -> usize {
    usize::try_from(PROJECTION_WORKERS.get()).unwrap_or(0)
}

/// How many databases of this server can use the extension.
pub fn max_databases() -> usize {
    usize::try_from(MAX_DATABASES.get()).unwrap_or(1)
}

/// Whether `eventcore.events` may be dropped while it contains events.
pub fn allows_drop() -> bool {
    ALLOW_DROP.get()
}

/// Whether a transaction that appends releases its locks before it flushes the log.
pub fn releases_locks_early() -> bool {
    EARLY_LOCK_RELEASE.get()
}

/// Defines the settings, while the server is starting.
pub fn define() {
    GucRegistry::define_int_guc(
        c"eventcore.max_databases",
        c"The most databases of this server that can use eventcore.",
        c"Each takes a few hundred bytes of shared memory.",
        &MAX_DATABASES,
        1,
        65_536,
        GucContext::Postmaster,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"eventcore.allow_drop",
        c"Whether eventcore.events may be dropped while it contains events.",
        c"If off, DROP EXTENSION eventcore fails while there are events.",
        &ALLOW_DROP,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"eventcore.early_lock_release",
        c"Whether a transaction that appends releases its locks before it flushes the log.",
        c"If on, one flush can commit several appends to a hot stream. A reader of the tables by SQL can then see \
          events for a moment that a crash of the server would lose. Subscribers, and the client of the append, cannot.",
        &EARLY_LOCK_RELEASE,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"eventcore.projection_workers",
        c"The most background workers that may run projections in each database.",
        c"0 switches async projections off. Each worker takes one of max_worker_processes.",
        &PROJECTION_WORKERS,
        0,
        1_000,
        GucContext::Sighup,
        GucFlags::default(),
    );
    hooks::reserve_setting_prefix(c"eventcore");
}
