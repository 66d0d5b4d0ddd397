//! The values of the pinned settings in this session, read from the server's variables.
//!
//! To look a setting up by its name costs as much as a small query does for all of them. Comparing
//! the variables behind them costs a fraction of that.

use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char, c_int};

/// The pinned settings that have no variable that an extension can read. They are looked up by
/// their names.
pub(super) const BY_NAME: [&str; 2] = ["plpgsql.check_asserts", "timezone_abbreviations"];

/// The values of all other pinned settings.
pub(super) struct SessionValues {
    numbers: [c_int; NUMBERS],
    texts: [CString; TEXTS],
    /// The server makes each time zone once and keeps it, so its address tells which one it is.
    time_zone: *const pg_sys::pg_tz,
}

const NUMBERS: usize = 13;
const TEXTS: usize = 5;

mod raw {
    use std::ffi::{c_char, c_int};

    // Variables that pgrx does not bind.
    unsafe extern "C" {
        pub(super) static locale_monetary: *const c_char;
        pub(super) static locale_numeric: *const c_char;
        pub(super) static locale_time: *const c_char;
        pub(super) static xmloption: c_int;
        pub(super) static xmlbinary: c_int;
        pub(super) static bytea_output: c_int;
    }
}

impl SessionValues {
    /// Copies the values of now.
    pub(super) fn now() -> Self {
        Self {
            numbers: numbers(),
            texts: texts().map(CStr::to_owned),
            time_zone: time_zone(),
        }
    }

    /// Whether the session still has these values.
    pub(super) fn are_in_force(&self) -> bool {
        self.numbers == numbers()
            && self.time_zone == time_zone()
            && self
                .texts
                .iter()
                .zip(texts())
                .all(|(own, now)| own.as_c_str() == now)
    }
}

fn numbers() -> [c_int; NUMBERS] {
    // SAFETY: variables of the server, read on its only thread.
    unsafe {
        [
            pg_sys::row_security.into(),
            pg_sys::quote_all_identifiers.into(),
            pg_sys::Transform_null_equals.into(),
            pg_sys::GinFuzzySearchLimit,
            pg_sys::Array_nulls.into(),
            pg_sys::standard_conforming_strings.into(),
            pg_sys::DateStyle,
            pg_sys::DateOrder,
            pg_sys::IntervalStyle,
            pg_sys::extra_float_digits,
            raw::xmloption,
            raw::xmlbinary,
            raw::bytea_output,
        ]
    }
}

fn texts<'a>() -> [&'a CStr; TEXTS] {
    // SAFETY: as above. The texts are used before any setting changes.
    unsafe {
        [
            text(pg_sys::namespace_search_path),
            text(pg_sys::TSCurrentConfig),
            text(raw::locale_monetary),
            text(raw::locale_numeric),
            text(raw::locale_time),
        ]
    }
}

/// # Safety
///
/// A C string of the server, or null.
unsafe fn text<'a>(text: *const c_char) -> &'a CStr {
    if text.is_null() {
        return c"";
    }
    // SAFETY: guaranteed by the caller.
    unsafe { CStr::from_ptr(text) }
}

fn time_zone() -> *const pg_sys::pg_tz {
    // SAFETY: a variable of the server.
    unsafe { pg_sys::session_timezone }
}
