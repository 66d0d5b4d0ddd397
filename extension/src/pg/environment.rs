//! The settings that functions of applications run with: those of the session that registered them,
//! not those of the session that calls them.

use super::array::TextArray;
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

/// How many lists of settings are remembered. Most databases have one or two.
const MOST_LISTS: usize = 8;

/// A list of settings with their values.
pub struct Settings {
    /// The list as it is stored.
    stored: Vec<u8>,
    settings: Vec<Setting>,
    last_comparison: RefCell<Option<Comparison>>,
}

struct Setting {
    name: CString,
    value: CString,
    has_variable: bool,
}

/// The result of comparing the settings that have a variable with those of the session.
struct Comparison {
    session: SessionValues,
    differing: SettingNumbers,
}

/// A set of settings: one bit for each number in the list. It owns no memory, so it can be made
/// under a guard.
type SettingNumbers = u64;

thread_local! {
    /// The lists that were read from rows.
    static READ: RefCell<Vec<Rc<Settings>>> = const { RefCell::new(Vec::new()) };
}

impl Settings {
    /// Reads a column of type text[], whose elements have the form `name=value`. Settings that are
    /// not to be applied are left out.
    pub fn of_row(row: &Row<'_>, column: i16) -> Rc<Self> {
        let stored = row.bytes(column).unwrap_or_default();
        READ.with_borrow_mut(|read| {
            if let Some(known) = read.iter().find(|known| known.stored == stored) {
                return Rc::clone(known);
            }
            if read.len() == MOST_LISTS {
                read.clear();
            }
            let settings = Rc::new(Self {
                stored: stored.to_vec(),
                settings: Setting::parse_all(row, column),
                last_comparison: RefCell::default(),
            });
            read.push(Rc::clone(&settings));
            settings
        })
    }

    /// The settings that have another value in this session.
    fn differing(&self) -> SettingNumbers {
        let unless_changed =
            |last: &Comparison| last.session.are_in_force().then_some(last.differing);
        let last = self
            .last_comparison
            .borrow()
            .as_ref()
            .and_then(unless_changed);
        let with_variable = last.unwrap_or_else(|| {
            let differing = self.compare(|setting| setting.has_variable);
            self.last_comparison.replace(Some(Comparison {
                session: SessionValues::now(),
                differing,
            }));
            differing
        });
        with_variable | self.compare(|setting| !setting.has_variable)
    }

    /// Those of `which` that differ, looked up by their names.
    fn compare(&self, which: impl Fn(&Setting) -> bool) -> SettingNumbers {
        let mut differing = 0;
        // SAFETY: C strings. The server owns what it returns, which is compared at once.
        unsafe {
            guarded(|| {
                for (number, setting) in self.settings.iter().enumerate() {
                    if which(setting)
                        && get(&setting.name).is_none_or(|now| now != setting.value.as_c_str())
                    {
                        differing |= 1 << number;
                    }
                }
            });
        }
        differing
    }
}

impl Setting {
    fn parse_all(row: &Row<'_>, column: i16) -> Vec<Self> {
        let texts = row.text_array(column);
        let texts = texts.iter().flat_map(TextArray::iter);
        texts
            .filter_map(|text| Self::parse(&text.to_string()))
            .take(MOST)
            .collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split_once('=')?;
        PINNED.contains(&name).then_some(())?;
        Some(Self {
            name: CString::new(name).ok()?,
            value: CString::new(value).ok()?,
            has_variable: !BY_NAME.contains(&name),
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
    pub fn enter(settings: &Settings, kind: &'static str, name: &dyn Display) -> Self {
        // SAFETY: no preconditions.
        let level = unsafe { pg_sys::NewGUCNestLevel() };
        let differing = settings.differing();
        for (number, setting) in settings.settings.iter().enumerate() {
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
/// Under [`guarded`].
unsafe fn get(name: &CStr) -> Option<&CStr> {
    // SAFETY: guaranteed by the caller; a string of the server, which is compared at once.
    unsafe {
        let value = raw::GetConfigOption(name.as_ptr(), true, false);
        (!value.is_null()).then(|| CStr::from_ptr(value))
    }
}

/// # Safety
///
/// Under [`guarded`].
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
