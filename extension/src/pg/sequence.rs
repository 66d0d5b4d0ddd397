//! Sequences, read and advanced regardless of the caller's privileges. Callers reach the sequences
//! of the extension only through its functions.

use pgrx::pg_sys::{self, Datum, Oid};

/// The last value given out; `None` before the first.
pub fn last_value(sequence: Oid) -> Option<i64> {
    let _rights = OwnRights::take();
    // SAFETY: a built-in function that takes an oid.
    unsafe {
        pgrx::direct_function_call::<i64>(
            pg_sys::pg_sequence_last_value,
            &[Some(Datum::from(sequence))],
        )
    }
}

/// Sets the last value given out.
pub fn set_last_value(sequence: Oid, value: i64) {
    let _rights = OwnRights::take();
    // SAFETY: a built-in function that takes an oid and a bigint.
    unsafe {
        pgrx::direct_function_call::<i64>(
            pg_sys::setval_oid,
            &[Some(Datum::from(sequence)), Some(Datum::from(value))],
        )
    };
}

/// Locks a sequence until the transaction ends, so that it cannot be altered or dropped.
pub fn lock(sequence: Oid) {
    // SAFETY: any OID is allowed.
    unsafe { pg_sys::LockRelationOid(sequence, pg_sys::RowExclusiveLock as pg_sys::LOCKMODE) };
}

/// The rights of a superuser, for one call of a built-in function on a sequence of the extension.
struct OwnRights {
    user: Oid,
    context: i32,
}

impl OwnRights {
    fn take() -> Self {
        let (mut user, mut context) = (Oid::INVALID, 0);
        // SAFETY: given back on drop, also on the way of an error.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            pg_sys::SetUserIdAndSecContext(
                Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID),
                context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32,
            );
        }
        Self { user, context }
    }
}

impl Drop for OwnRights {
    fn drop(&mut self) {
        // SAFETY: a plain assignment of what was there before.
        unsafe { pg_sys::SetUserIdAndSecContext(self.user, self.context) };
    }
}
