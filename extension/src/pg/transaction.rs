//! The current transaction.

use super::raise::{entry, entry_without_error};
use super::{ffi, flush, raw, snapshot};
use pgrx::pg_sys::{self, Datum, ResourceReleasePhase, SubXactEvent, XactEvent};
use pgrx::{PgSqlErrorCode, ereport};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_void};
use std::sync::atomic::AtomicI64;

/// Functions that are called at the ends of transactions.
pub struct Hooks {
    /// Before PREPARE TRANSACTION; may raise an error.
    pub before_prepare: fn(),
    /// After a rollback, or after a commit that is visible to all and as durable as
    /// `synchronous_commit` requires; must not fail.
    pub after_end: fn(TransactionEnd),
    /// After a savepoint or an exception block has ended, with the numbers of its subtransaction
    /// and of the parent; must not fail.
    pub after_subtransaction: fn(u32, u32, TransactionEnd),
}

/// How a transaction or a part of it ended.
#[derive(Clone, Copy)]
pub enum TransactionEnd {
    Committed,
    RolledBack,
}

thread_local! {
    static HOOKS: RefCell<Vec<&'static Hooks>> = const { RefCell::new(Vec::new()) };
    static WATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Registers the hooks for this backend. To be called once.
pub fn register(hooks: &'static Hooks) {
    watch_ends();
    HOOKS.with_borrow_mut(|all| all.push(hooks));
}

/// Makes this transaction release its locks before it flushes the log; see [`flush`]. It is counted
/// in `unflushed` from before other processes see its commit until it has flushed. So a process
/// that sees the commit and finds the count at 0 knows that the commit is on disk.
pub fn release_locks_early(unflushed: &'static AtomicI64) {
    watch_ends();
    flush::after_locks(unflushed);
}

/// Makes this transaction also flush what other transactions have committed by now, because its
/// result reveals it.
pub fn flush_what_is_committed() {
    watch_ends();
    flush::what_is_committed();
}

/// Makes every later snapshot of this transaction show what is committed by then. That is for a
/// transaction of a single statement, whose first snapshot nobody has seen. Fails with the name of
/// the isolation level in a transaction block that keeps its snapshot.
pub fn see_newest() -> Result<(), &'static str> {
    watch_ends();
    snapshot::see_newest()
}

/// Makes the server call this module at the ends of transactions.
fn watch_ends() {
    if WATCHING.replace(true) {
        return;
    }
    let nothing = std::ptr::null_mut();
    // SAFETY: functions of this module, which take no argument.
    unsafe {
        pg_sys::RegisterXactCallback(Some(on_event), nothing);
        pg_sys::RegisterSubXactCallback(Some(on_subtransaction), nothing);
        pg_sys::RegisterResourceReleaseCallback(Some(on_release), nothing);
    }
}

/// The functions that were registered last are called first.
fn for_each(call: impl Fn(&'static Hooks)) {
    let count = HOOKS.with_borrow(Vec::len);
    for number in (0..count).rev() {
        call(HOOKS.with_borrow(|all| all[number]));
    }
}

unsafe extern "C-unwind" fn on_event(event: XactEvent::Type, _argument: *mut c_void) {
    match event {
        XactEvent::XACT_EVENT_PRE_PREPARE => entry(|| {
            for_each(|hooks| (hooks.before_prepare)());
            Ok(())
        }),
        XactEvent::XACT_EVENT_PRE_COMMIT => entry(|| {
            snapshot::restore_level();
            flush::before_commit();
            Ok(())
        }),
        _ => entry_without_error(|| end(event)),
    }
}

/// The transaction has ended. An error now would end the server.
fn end(event: XactEvent::Type) {
    match event {
        XactEvent::XACT_EVENT_COMMIT if flush::after_commit() => {}
        XactEvent::XACT_EVENT_COMMIT => {
            for_each(|hooks| (hooks.after_end)(TransactionEnd::Committed))
        }
        XactEvent::XACT_EVENT_PREPARE => flush::forget(),
        XactEvent::XACT_EVENT_ABORT => {
            snapshot::forget_level();
            flush::forget();
            for_each(|hooks| (hooks.after_end)(TransactionEnd::RolledBack));
        }
        _ => {}
    }
}

unsafe extern "C-unwind" fn on_release(
    phase: ResourceReleasePhase::Type,
    is_commit: bool,
    _is_top_level: bool,
    _argument: *mut c_void,
) {
    let locks_are_released = phase == ResourceReleasePhase::RESOURCE_RELEASE_AFTER_LOCKS;
    if locks_are_released && is_commit && flush::is_due() {
        entry_without_error(|| {
            flush::carry_out();
            for_each(|hooks| (hooks.after_end)(TransactionEnd::Committed));
        });
    }
}

unsafe extern "C-unwind" fn on_subtransaction(
    event: SubXactEvent::Type,
    subtransaction: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    let ended = match event {
        SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => TransactionEnd::Committed,
        SubXactEvent::SUBXACT_EVENT_ABORT_SUB => TransactionEnd::RolledBack,
        _ => return,
    };
    entry_without_error(|| {
        for_each(|hooks| (hooks.after_subtransaction)(subtransaction, parent, ended));
    });
}

/// The number of the current subtransaction within its transaction.
pub fn subtransaction() -> u32 {
    // SAFETY: we are in a transaction.
    unsafe { pg_sys::GetCurrentSubTransactionId() }
}

/// Raises the server's own error if nothing may be written: in a read-only transaction, on a
/// standby, in a parallel worker.
pub fn require_writable(command: &CStr) {
    // SAFETY: a variable of the server, and a C string.
    unsafe {
        if pg_sys::XactReadOnly || raw::IsInParallelMode() {
            pg_sys::PreventCommandIfReadOnly(command.as_ptr());
            pg_sys::PreventCommandIfParallelMode(command.as_ptr());
        }
    }
}

/// Processes the changes of tables and functions that other transactions have announced. The server
/// does this on its own only with the first lock on a table.
pub fn accept_changes() {
    // SAFETY: we are in a transaction.
    unsafe { pg_sys::AcceptInvalidationMessages() };
}

/// Makes what this command has written visible to the next command of the transaction.
pub fn end_command() {
    // SAFETY: we are in a transaction that is not parallel.
    unsafe { pg_sys::CommandCounterIncrement() };
}

/// Raises the server's own error for a row that another transaction has changed meanwhile.
pub fn fail_serialization(message: &str) {
    ereport!(
        ERROR,
        PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
        message.to_owned()
    );
}

/// Raises an error if the client has disconnected, because the result would reach nobody.
pub fn require_client() {
    if !ffi::is_client_there() {
        ereport!(
            ERROR,
            PgSqlErrorCode::ERRCODE_CONNECTION_FAILURE,
            "the client has gone away"
        );
    }
}

/// Whether this server replays the log of another one.
pub fn is_standby() -> bool {
    // SAFETY: no preconditions.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// The current time, in microseconds since 2000-01-01, as a timestamptz.
pub fn now() -> i64 {
    // SAFETY: no preconditions; it cannot fail.
    unsafe { raw::GetCurrentTimestamp() }
}

/// When the client's statement began, like [`now`] but without a call of the clock.
pub fn statement_start() -> i64 {
    // SAFETY: no preconditions.
    unsafe { pg_sys::GetCurrentStatementStartTimestamp() }
}

/// Commits the transaction of a non-atomic procedure and begins another one, which holds no
/// snapshot.
pub fn commit_and_begin() {
    // SAFETY: the caller is such a procedure; SPI is left again before it returns.
    unsafe {
        pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
        pg_sys::SPI_commit();
        pg_sys::SPI_finish();
    }
}

/// Calls `forget` whenever a table or an index may have changed. To be called once.
pub fn on_relation_change(forget: &'static fn(Option<pg_sys::Oid>)) {
    let argument = Datum::from(std::ptr::from_ref(forget).cast::<c_void>());
    // SAFETY: the callback gets back the pointer to a static.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(on_invalidation), argument) };
}

unsafe extern "C-unwind" fn on_invalidation(argument: Datum, relation: pg_sys::Oid) {
    // SAFETY: what `on_relation_change` passed.
    let forget = unsafe { *argument.cast_mut_ptr::<fn(Option<pg_sys::Oid>)>() };
    entry_without_error(|| forget((relation != pg_sys::Oid::INVALID).then_some(relation)));
}

/// Calls `forget` whenever a subscription of logical replication, or what one brings, may have changed. To be called once.
pub fn on_subscription_change(forget: fn()) {
    let argument = Datum::from(forget as usize);
    for cache in [
        pg_sys::SysCacheIdentifier::SUBSCRIPTIONOID,
        pg_sys::SysCacheIdentifier::SUBSCRIPTIONRELMAP,
    ] {
        // SAFETY: the callback gets back the function.
        unsafe {
            pg_sys::CacheRegisterSyscacheCallback(
                cache as i32,
                Some(on_catalog_invalidation),
                argument,
            );
        }
    }
}

unsafe extern "C-unwind" fn on_catalog_invalidation(argument: Datum, _cache: i32, _hash: u32) {
    // SAFETY: what `on_subscription_change` passed.
    let forget = unsafe { std::mem::transmute::<usize, fn()>(argument.value()) };
    entry_without_error(forget);
}

/// Writes a line to the server's log.
pub fn log(message: &str) {
    pgrx::log!("{message}");
}
