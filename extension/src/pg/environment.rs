//! The settings that functions of applications run with: those of the session that registered them,
//! not those of the session that calls them.

use super::catch::{ErrorFields, translating};
use super::ffi::guarded;
use super::scan::Row;
use super::session_values::{BY_NAME, SessionValues};
use crate::error::{Error, Unavailable};
use pgrx::pg_sys::{self, GucAction, GucContext, GucSource};
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int};
use std::fmt::Display;
use std::rc::Rc;

/// The settings that are applied. `eventcore.session_settings()` has the same list, with reasons.
const PINNED: [&str; 20] = [
    "search_path",
    "plpgsql.check_asserts",
    "row_security",
    "quote_all_identifiers",
    "transform_null_equals",
    "gin_fuzzy_search_limit",
    "default_text_search_config",
    "array_nulls",
    "standard_conforming_strings",
    "xmloption",
    "xmlbinary",
    "TimeZone",
    "timezone_abbreviations",
    "DateStyle",
    "IntervalStyle",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "extra_float_digits",
    "bytea_output",
];

/// The most settings that are applied, more than there are pinned ones.
const MOST: usize = 64;

/// A setting and its value.
#[derive(Clone)]
pub struct Setting {
    name: CString,
    value: CString,
}

thread_local! {
    /// Settings that the session was found to have, and the values of its variables then.
    static KNOWN: RefCell<Option<(Rc<[Setting]>, SessionValues)>> = const { RefCell::new(None) };
    /// The bytes of the last list that was read from a row, and its settings.
    static READ: RefCell<(Vec<u8>, Rc<[Setting]>)> = RefCell::new((Vec::new(), Rc::new([])));
}

/// The settings in a column of type text[], each in the form `name=value`. Settings that are not to
/// be applied are left out.
pub fn settings_of(row: &Row<'_>, column: i16) -> Rc<[Setting]> {
    let bytes = row.bytes(column).unwrap_or_default();
    let known = READ.with_borrow(|(read, settings)| (read == bytes).then(|| Rc::clone(settings)));
    known.unwrap_or_else(|| {
        let settings: Rc<[Setting]> = row.text_array(column).map_or_else(Rc::default, |texts| {
            let texts = (0..texts.0.len()).filter_map(|index| texts.get(index));
            texts
                .filter_map(|text| Setting::parse(&text.to_string()))
                .take(MOST)
                .collect()
        });
        READ.set((bytes.to_vec(), Rc::clone(&settings)));
        settings
    })
}

impl Setting {
    fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        PINNED.contains(&name).then_some(())?;
        Some(Self {
            name: CString::new(name).ok()?,
            value: CString::new(value).ok()?,
        })
    }

    /// The error to report if the server refuses the value or does not know the setting.
    fn refused(&self, kind: &'static str, name: &dyn Display, error: ErrorFields) -> Option<Error> {
        let is_refusal = error.sqlstate.starts_with("22") || error.sqlstate.starts_with("42");
        let refused = is_refusal.then(|| Unavailable::SettingRefused {
            kind,
            name: name.to_string(),
            setting: self.name.to_string_lossy().into_owned(),
            error: error.message,
        });
        refused.map(Error::from)
    }
}

/// Settings that apply until [`leave`](Self::leave). After an error, the end of the transaction or
/// subtransaction restores them.
#[must_use]
pub struct Environment(c_int);

impl Environment {
    /// Applies the settings of a command or a projection (`kind`), with the rights of the current
    /// role. SE009 if the server does not accept one of them any more, for example because it lacks
    /// a locale of the server that a dump came from.
    pub fn enter(settings: &Rc<[Setting]>, kind: &'static str, name: &dyn Display) -> Self {
        // SAFETY: no preconditions.
        let level = unsafe { pg_sys::NewGUCNestLevel() };
        let are_known = KNOWN.with_borrow(|known| {
            known
                .as_ref()
                .is_some_and(|(known, values)| Rc::ptr_eq(known, settings) && values.are_in_force())
        });
        let to_compare = |setting: &Setting| {
            !are_known
                || BY_NAME
                    .iter()
                    .any(|name| setting.name.to_bytes() == name.as_bytes())
        };
        // One bit for each setting that differs, since nothing under a guard may own memory.
        let mut differing = 0_u64;
        // SAFETY: C strings. The server owns what it returns, which is compared at once.
        unsafe {
            guarded(|| {
                for (number, setting) in settings.iter().enumerate() {
                    if to_compare(setting)
                        && get(&setting.name).is_none_or(|now| now != setting.value.as_c_str())
                    {
                        differing |= 1 << number;
                    }
                }
            });
        }
        if differing == 0 && !are_known {
            KNOWN.set(Some((Rc::clone(settings), SessionValues::now())));
        }
        for (number, setting) in settings.iter().enumerate() {
            if differing & (1 << number) != 0 {
                translating(
                    // SAFETY: C strings, of which the server makes copies.
                    || unsafe { guarded(|| set(&setting.name, &setting.value)) },
                    |error| setting.refused(kind, name, error),
                );
            }
        }
        Self(level)
    }

    /// Restores the settings before.
    pub fn leave(self) {
        // SAFETY: the level is that of `enter`, and nothing has opened another one since that it
        // has not closed.
        unsafe { pg_sys::AtEOXact_GUC(true, self.0) };
    }
}

mod raw {
    use super::{GucAction, GucContext, GucSource, c_int};
    use std::ffi::c_char;

    unsafe extern "C-unwind" {
        pub(super) fn GetConfigOption(
            name: *const c_char,
            missing_ok: bool,
            restrict: bool,
        ) -> *const c_char;
        pub(super) fn set_config_option(
            name: *const c_char,
            value: *const c_char,
            context: GucContext::Type,
            source: GucSource::Type,
            action: GucAction::Type,
            change: bool,
            level: c_int,
            is_reload: bool,
        ) -> c_int;
    }
}

/// # Safety
///
/// ContextGuard [`guarded`].
unsafe fn get(name: &CStr) -> Option<&CStr> {
    // SAFETY: guaranteed by the caller; a string of the server, which is compared at once.
    unsafe {
        let value = raw::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

/// # Safety
///
/// ContextGuard [`guarded`].
unsafe fn set(name: &CStr, value: &CStr) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        raw::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            GucContext::PGC_USERSET,
            GucSource::PGC_S_SESSION,
            GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}
