//! What the synchronous standbys have confirmed, and whether any standby is connected.

use pgrx::pg_sys;
use std::ffi::CStr;

/// The first minor version in which the byte that tells whether standbys are named is a set of
/// flags. Before, it was 0 or 1 (`bool sync_standbys_defined`). PostgreSQL changed it with "Fix race
/// condition in handling of synchronous_standby_names immediately after startup" of 2025-05-08:
/// 15.13 (commit ec59500a1), 16.9 (c922ae2c4), 17.5 (3339847cc), and in 18 from its first release.
#[cfg(feature = "pg15")]
const FLAGS_SINCE: i32 = 150_013;
#[cfg(feature = "pg16")]
const FLAGS_SINCE: i32 = 160_009;
#[cfg(feature = "pg17")]
const FLAGS_SINCE: i32 = 170_005;
#[cfg(feature = "pg18")]
const FLAGS_SINCE: i32 = 180_000;

/// The end of the log that the synchronous standbys have flushed; `None` if commits wait for no
/// standby. It is the same for every `synchronous_commit`: what is only written may be lost, and
/// what is flushed is there after a fail-over, applied or not.
pub fn confirmed() -> Option<u64> {
    // SAFETY: made when the server started. The walsenders write these under a lock of their own;
    // each is read whole, and an old value only means that a reader waits a little longer.
    unsafe {
        let shared = pg_sys::WalSndCtl;
        if shared.is_null()
            || !are_named((&raw const (*shared).sync_standbys_status).read_volatile())
        {
            return None;
        }
        let flushed = pg_sys::SYNC_REP_WAIT_FLUSH as usize;
        Some((&raw const (*shared).lsn[flushed]).read_volatile())
    }
}

/// Whether `synchronous_standby_names` names a standby. The checkpointer publishes this. Until it
/// has, the setting of this process decides.
fn are_named(status: pg_sys::bits8) -> bool {
    // SAFETY: variables of the server; the setting is a C string.
    unsafe {
        if pg_sys::max_wal_senders == 0 {
            return false;
        }
        if !has_flags() {
            return status != 0;
        }
        if u32::from(status) & pg_sys::SYNC_STANDBY_INIT != 0 {
            return u32::from(status) & pg_sys::SYNC_STANDBY_DEFINED != 0;
        }
        let names = pg_sys::SyncRepStandbyNames;
        !names.is_null() && *names != 0
    }
}

/// Whether this server has the flags. Its minor version may differ from the one for which the
/// library was built.
fn has_flags() -> bool {
    static VERSION: std::sync::OnceLock<i32> = std::sync::OnceLock::new();
    let version = VERSION.get_or_init(|| {
        // SAFETY: every server has this setting; its value is a C string.
        unsafe {
            let value = pg_sys::GetConfigOption(c"server_version_num".as_ptr(), true, false);
            if value.is_null() {
                return i32::MAX;
            }
            let value = CStr::from_ptr(value).to_str().ok();
            value
                .and_then(|value| value.parse().ok())
                .unwrap_or(i32::MAX)
        }
    });
    *version >= FLAGS_SINCE
}

/// Whether a walsender is sending the log.
pub fn are_connected() -> bool {
    // SAFETY: as above; the array has a place for each of max_wal_senders.
    unsafe {
        let shared = pg_sys::WalSndCtl;
        if shared.is_null() {
            return false;
        }
        let first = (&raw const (*shared).walsnds).cast::<pg_sys::WalSnd>();
        let count = usize::try_from(pg_sys::max_wal_senders).unwrap_or(0);
        (0..count).any(|number| (&raw const (*first.add(number)).pid).read_volatile() != 0)
    }
}
