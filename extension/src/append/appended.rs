//! The result of an append.

/// What became of an append.
pub struct Appended {
    /// The first and the last position; `None` when there were no events.
    pub positions: Option<(i64, i64)>,
    /// The version of every declared stream, after the append.
    pub versions: Vec<i64>,
    /// When the events were written, as a timestamptz.
    pub recorded_at: i64,
    /// The events were there already, written by an earlier append.
    pub repeated: bool,
}
