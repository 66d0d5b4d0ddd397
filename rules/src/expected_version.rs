//! Expected versions: what an append requires of a stream before its events are written.

use std::fmt;

/// What an append requires of a declared stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedVersion {
    /// Nothing. In SQL `NULL`.
    Unchecked,
    /// At least one event. In SQL `-1`.
    Exists,
    /// Exactly this version; 0 is a stream with no event yet. In SQL the number itself.
    Exactly(u64),
}

/// A declared stream that was not at its expected version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionConflict<S> {
    /// The stream.
    pub stream: S,
    /// The expected version.
    pub expected: ExpectedVersion,
    /// The version it has; 0 is a stream with no event yet.
    pub actual: u64,
}

impl ExpectedVersion {
    /// Reads the SQL form: `NULL`, `-1`, or a version. `None` for anything below -1.
    pub fn from_sql(value: Option<i64>) -> Option<Self> {
        match value {
            None => Some(Self::Unchecked),
            Some(-1) => Some(Self::Exists),
            Some(version) => u64::try_from(version).ok().map(Self::Exactly),
        }
    }

    /// The SQL form. A version above SQL's range becomes the largest that SQL can hold.
    pub fn to_sql(self) -> Option<i64> {
        match self {
            Self::Unchecked => None,
            Self::Exists => Some(-1),
            Self::Exactly(version) => Some(i64::try_from(version).unwrap_or(i64::MAX)),
        }
    }

    /// Whether a stream at version `actual` meets the expectation.
    pub fn holds(self, actual: u64) -> bool {
        match self {
            Self::Unchecked => true,
            Self::Exists => actual > 0,
            Self::Exactly(version) => actual == version,
        }
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchecked => write!(f, "any version"),
            Self::Exists => write!(f, "at least one event"),
            Self::Exactly(0) => write!(f, "no event"),
            Self::Exactly(version) => write!(f, "version {version}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ExpectedVersion::{self, Exactly, Exists, Unchecked};

    #[test]
    fn every_demand_survives_the_trip_through_sql() {
        for demand in [
            Unchecked,
            Exists,
            Exactly(0),
            Exactly(1),
            Exactly(i64::MAX as u64),
        ] {
            assert_eq!(ExpectedVersion::from_sql(demand.to_sql()), Some(demand));
        }
        assert_eq!(ExpectedVersion::from_sql(Some(-2)), None);
        assert_eq!(ExpectedVersion::from_sql(Some(i64::MIN)), None);
    }

    #[test]
    fn a_demand_holds_where_it_should() {
        assert!(Unchecked.holds(0) && Unchecked.holds(7));
        assert!(!Exists.holds(0) && Exists.holds(1));
        assert!(Exactly(0).holds(0) && !Exactly(0).holds(1));
        assert!(Exactly(3).holds(3) && !Exactly(3).holds(2) && !Exactly(3).holds(4));
    }
}
