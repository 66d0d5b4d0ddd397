//! The result of an execution.

use crate::append::Appended;
use crate::pg::clock::unix_microseconds;
use crate::pg::value::Text;

/// What an execution has done.
pub struct Executed<'a> {
    pub appended: Appended,
    /// The streams that were read, each with a version in `appended`.
    pub streams: Vec<Text<'a>>,
    pub attempts: i32,
}

impl<'a> Executed<'a> {
    /// The result as one list, whose order `sql/commands/execute.sql` documents.
    pub fn compact(&self) -> Vec<Option<Text<'a>>> {
        let Appended {
            positions,
            versions,
            recorded_at,
            repeated,
        } = &self.appended;
        let (first, last) = positions.unzip();
        let head = [
            first.map(number),
            last.map(number),
            Some(number(unix_microseconds(*recorded_at))),
            Some(number(i64::from(*repeated))),
            Some(number(i64::from(self.attempts))),
        ];
        let streams = self.streams.iter().zip(versions);
        let streams = streams.flat_map(|(stream, version)| [Some(*stream), Some(number(*version))]);
        head.into_iter().chain(streams).collect()
    }
}

fn number<'a>(number: i64) -> Text<'a> {
    Text::copy(number.to_string().as_bytes()).keep()
}
