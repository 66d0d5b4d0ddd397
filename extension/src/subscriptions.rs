//! What the SQL of durable subscriptions needs from Rust: a lock that a poll can release early, a
//! wait for work, and a wake-up of waiters when the transaction has ended.

use crate::arguments::filter::Filter;
use crate::error::{Error, Unavailable};
use crate::locks;
use crate::pg::delete::delete_or_wait;
use crate::pg::function::Call;
use crate::pg::scan::{Condition, Direction, IndexScan};
use crate::pg::snapshot::Snapshot;
use crate::pg::transaction::{self, Hooks};
use crate::read;
use crate::registry::Registry;
use crate::registry::wake::{RECHECK_INTERVAL, Wake};
use crate::tables::columns::subscriptions_by_name;
use crate::tables::{self, Catalog};
use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

static HOOKS: Hooks = Hooks {
    before_prepare: || {},
    after_end: |_| announce(),
    after_subtransaction: |_, _, _| {},
};

thread_local! {
    /// What this transaction announces at its end, and whether to all waiters.
    static ANNOUNCES: Cell<Option<(&'static Wake, bool)>> = const { Cell::new(None) };
    /// Whether the transaction hooks of this process are registered.
    static HOOKED: Cell<bool> = const { Cell::new(false) };
}

/// `eventcore.see_newest(what)`.
pub fn see_newest(call: &Call<'_>) -> Result<(), Error> {
    transaction::see_newest().map_err(|level| {
        let what = call
            .text(0)
            .map_or_else(String::new, |what| what.to_string());
        Unavailable::IsolationLevel { what, level }.into()
    })
}

/// `eventcore.lock_subscription(name)`.
pub fn lock(call: &Call<'_>) -> Result<(), Error> {
    transaction::require_writable(c"a change of a subscription");
    if let Some(name) = call.text(0) {
        locks::lock_subscription(name.bytes());
        // This may have waited a long time for the lock.
        transaction::require_client();
    }
    Ok(())
}

/// `eventcore.unlock_subscription(name)`.
pub fn unlock(call: &Call<'_>) {
    if let Some(name) = call.text(0) {
        locks::unlock_subscription(name.bytes());
    }
}

/// `eventcore.delete_subscription(name)`.
///
/// Beneath SQL: a role with the privilege DELETE could also lock the table, which the server reads
/// before its first append.
pub fn delete(call: &Call<'_>) -> Result<(), Error> {
    lock(call)?;
    let Some(name) = call.text(0) else {
        return Ok(());
    };
    // The calling statement may have changed it.
    transaction::end_command();
    let (table, by_name) = tables::subscriptions()?;
    let snapshot = Snapshot::latest();
    let mut scan = IndexScan::new(&table, &by_name, &snapshot);
    scan.seek(
        &[Condition::TextEquals(subscriptions_by_name::NAME, name)],
        Direction::Forward,
    );
    if let Some(row) = scan.next()
        && !delete_or_wait(&table, &row)
    {
        transaction::fail_serialization(&format!(
            "another transaction has changed subscription \"{name}\""
        ));
    }
    transaction::end_command();
    Ok(())
}

/// `eventcore.announce_work(to_all)`.
pub fn announce_work(call: &Call<'_>) -> Result<(), Error> {
    announce_at_end(call.boolean(0) == Some(true))
}

/// Wakes the waiters for a stream, or all waiters, when the transaction ends.
pub fn announce_at_end(to_all: bool) -> Result<(), Error> {
    if !HOOKED.replace(true) {
        transaction::register(&HOOKS);
    }
    let before = ANNOUNCES.get().is_some_and(|(_, to_all)| to_all);
    ANNOUNCES.set(Some((wake()?, to_all || before)));
    Ok(())
}

/// `eventcore.announced_work()`.
pub fn announced_work() -> Result<i64, Error> {
    Ok(wake()?.announced_work())
}

/// `eventcore.monotonic()`: microseconds of a clock that is never set.
pub fn monotonic() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let elapsed = START.get_or_init(Instant::now).elapsed();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

/// `eventcore.wait_for_work(after_position, announced, microseconds, blocked, stream_prefixes,
/// event_types)`.
pub fn wait_for_work(call: &Call<'_>) -> Result<Option<i64>, Error> {
    let (Some(after), Some(announced), Some(microseconds), Some(blocked)) = (
        call.bigint(0),
        call.bigint(1),
        call.bigint(2),
        call.boolean(3),
    ) else {
        return Ok(None);
    };
    let filter = Filter::read(call, 4, 5)?;
    let patience = u64::try_from(microseconds).unwrap_or(0);
    let registry = Registry::open(&Catalog::load()?)?;
    let wake = registry.wake();
    let queue = if blocked {
        &wake.blocked
    } else {
        &wake.waiting
    };
    let mut read_to = after;
    let mut failed = None;
    queue.wait_until(Duration::from_micros(patience), RECHECK_INTERVAL, || {
        transaction::require_client();
        wake.count_check();
        if wake.announced_work() != announced {
            return true;
        }
        match read::look_ahead(&registry, read_to, &filter) {
            Ok((found, nothing_up_to)) => {
                read_to = nothing_up_to;
                found
            }
            Err(error) => {
                failed = Some(error);
                true
            }
        }
    });
    failed.map_or(Ok(Some(read_to)), Err)
}

fn wake() -> Result<&'static Wake, Error> {
    Ok(Registry::open(&Catalog::load()?)?.wake())
}

/// Every process now sees what the transaction did.
fn announce() {
    if let Some((wake, to_all)) = ANNOUNCES.take() {
        wake.announce_work(to_all);
        if to_all {
            // The notifier may have to start or end workers.
            wake.tell_notifier();
        }
    }
}
