//! Releases: whether the library of one release serves the objects that another release has created
//! in a database.

use std::cmp::Ordering;

/// What a library is to the objects in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Both are of one release, or one of the versions is not ours.
    Same,
    /// The objects are older, and the library serves them.
    Served,
    /// The objects are older than the library serves.
    UpdateNeeded,
    /// The objects are newer: the library does not know them.
    LibraryOutdated,
}

/// Compares the version of a library with that of the objects. `oldest` is the oldest version of
/// objects that the library serves.
pub fn fit(library: &str, objects: &str, oldest: &str) -> Fit {
    let (Some(mine), Some(theirs)) = (numbers(library), numbers(objects)) else {
        return Fit::Same;
    };
    match theirs.cmp(&mine) {
        Ordering::Equal => Fit::Same,
        Ordering::Greater => Fit::LibraryOutdated,
        Ordering::Less if numbers(oldest).is_some_and(|oldest| theirs < oldest) => {
            Fit::UpdateNeeded
        }
        Ordering::Less => Fit::Served,
    }
}

/// Major, minor and patch. A pre-release counts as its release.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let release = version.split(['-', '+']).next()?;
    let mut parts = release.split('.').map(str::parse);
    let mut next = || parts.next()?.ok();
    let numbers = [next()?, next()?, next()?];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_serves_its_own_release_and_older_ones_down_to_a_limit() {
        assert_eq!(fit("1.2.0", "1.2.0", "1.1.0"), Fit::Same);
        assert_eq!(fit("1.2.0", "1.1.9", "1.1.0"), Fit::Served);
        assert_eq!(fit("1.2.0", "1.1.0", "1.1.0"), Fit::Served);
        assert_eq!(fit("1.2.0", "1.0.9", "1.1.0"), Fit::UpdateNeeded);
    }

    #[test]
    fn a_library_serves_no_newer_release() {
        assert_eq!(fit("1.2.0", "1.2.1", "0.0.0"), Fit::LibraryOutdated);
        assert_eq!(fit("1.9.0", "1.10.0", "0.0.0"), Fit::LibraryOutdated);
    }

    #[test]
    fn a_pre_release_counts_as_its_release() {
        assert_eq!(fit("1.2.0", "1.2.0-rc.1", "0.0.0"), Fit::Same);
        assert_eq!(fit("1.2.0-rc.1", "1.1.0", "0.0.0"), Fit::Served);
    }

    #[test]
    fn nothing_is_said_of_a_version_that_is_not_ours() {
        for objects in ["", "1.2", "1.2.3.4", "next", "1.2.x"] {
            assert_eq!(fit("1.2.0", objects, "0.0.0"), Fit::Same, "{objects}");
        }
    }
}
