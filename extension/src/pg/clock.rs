//! The monotonic clock, which all processes of a machine share; and times of the server.

use std::time::Duration;

/// 2000-01-01, from which the server counts its times, in microseconds since 1970-01-01.
const ORIGIN: i64 = 946_684_800_000_000;

/// A timestamptz in microseconds since 1970-01-01 00:00 UTC.
pub fn unix_microseconds(timestamptz: i64) -> i64 {
    timestamptz.saturating_add(ORIGIN)
}

/// Microseconds since some moment before the server started.
pub fn monotonic() -> i64 {
    let (seconds, nanoseconds) = read(libc::CLOCK_MONOTONIC);
    seconds * 1_000_000 + nanoseconds / 1_000
}

/// The processor time that this process has used.
pub fn processor_time() -> Duration {
    let (seconds, nanoseconds) = read(libc::CLOCK_PROCESS_CPUTIME_ID);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(seconds)) + Duration::from_nanos(part(nanoseconds))
}

/// Seconds and nanoseconds.
fn read(clock: libc::clockid_t) -> (i64, i64) {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a place for the result; every system that PostgreSQL runs on has these clocks.
    unsafe { libc::clock_gettime(clock, &mut time) };
    #[allow(clippy::unnecessary_cast)]
    let read = (time.tv_sec as i64, time.tv_nsec as i64);
    read
}
