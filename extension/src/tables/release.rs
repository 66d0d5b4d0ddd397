//! The release whose objects this database has, and whether this library serves them.
//!
//! New files come before `ALTER EXTENSION … UPDATE`, perhaps long before. So a library meets the
//! objects of earlier releases. It meets those of later ones when an administrator installs old files
//! again. It would also meet them after an update before the restart of the server, which
//! [`require_library`] refuses.

use crate::error::{Error, Unavailable};
use crate::pg::extension;
use eventcore_rules::release::{Fit, fit};

/// The version of this library.
const LIBRARY: &str = env!("CARGO_PKG_VERSION");

/// The oldest release whose objects this library serves. A release that reads a new column, except
/// of `eventcore.events`, whose columns are verified, names itself here.
const OLDEST_SERVED: &str = "0.0.0";

/// SE009 if this library does not serve the objects.
pub(super) fn require_served() -> Result<(), Error> {
    let Some(objects) = objects() else {
        return Ok(());
    };
    match fit(LIBRARY, &objects, OLDEST_SERVED) {
        Fit::Same | Fit::Served => Ok(()),
        Fit::UpdateNeeded => Err(update_needed(objects)),
        Fit::LibraryOutdated => Err(restart_needed(objects)),
    }
}

/// SE009 if this library is older than the release that CREATE EXTENSION or ALTER EXTENSION is
/// making.
pub fn require_library() -> Result<(), Error> {
    match objects() {
        Some(objects) if fit(LIBRARY, &objects, OLDEST_SERVED) == Fit::LibraryOutdated => {
            Err(restart_needed(objects))
        }
        _ => Ok(()),
    }
}

/// The error for an object that is missing or differs: `found`, unless the objects are of an
/// earlier release, which may not have had it.
pub fn differs(found: Unavailable) -> Error {
    match objects() {
        Some(objects) if is_older(&objects) => update_needed(objects),
        _ => found.into(),
    }
}

fn is_older(objects: &str) -> bool {
    matches!(
        fit(LIBRARY, objects, OLDEST_SERVED),
        Fit::Served | Fit::UpdateNeeded
    )
}

fn update_needed(objects: String) -> Error {
    let library = LIBRARY;
    Unavailable::UpdateNeeded { library, objects }.into()
}

fn restart_needed(objects: String) -> Error {
    let library = LIBRARY;
    Unavailable::RestartNeeded { library, objects }.into()
}

fn objects() -> Option<String> {
    extension::version(c"eventcore")
}
