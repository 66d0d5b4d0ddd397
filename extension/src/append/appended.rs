//! The result of an append.

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
