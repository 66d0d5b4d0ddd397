//! The result of an append.

use crate::pg::clock::unix_microseconds;

/// What an append has written.
pub struct Appended {
    /// The first and the last position; `None` if there were no events.
    pub positions: Option<(i64, i64)>,
    /// The version of every declared stream, after the append.
    pub versions: Vec<i64>,
    /// When the events were written, as a timestamptz.
    pub recorded_at: i64,
    /// Whether an earlier append had already written the events.
    pub repeated: bool,
}

impl Appended {
    /// The result as one list, whose order `sql/events/append.sql` documents.
    pub fn compact(&self) -> Vec<Option<i64>> {
        let (first, last) = self.positions.unzip();
        let head = [
            first,
            last,
            Some(unix_microseconds(self.recorded_at)),
            Some(i64::from(self.repeated)),
        ];
        let versions = self.versions.iter().copied().map(Some);
        head.into_iter().chain(versions).collect()
    }
}
