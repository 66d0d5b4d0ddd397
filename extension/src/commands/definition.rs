//! A command as it is registered in `eventcore.commands`.

use crate::catalog;
use crate::error::{Error, Malformed};
use crate::pg::callable::Function;
use crate::pg::scan::{Condition, Direction, IndexScan, Row};
use crate::pg::snapshot::Snapshot;
use crate::pg::value::{Jsonb, Text};
use pgrx::pg_sys;

/// The columns of `eventcore.commands`.
mod column {
    pub const MAX_ATTEMPTS: i16 = 1;
    pub const APPLY: i16 = 4;
    pub const HANDLE: i16 = 5;
    pub const RELATED_STREAMS: i16 = 6;
    pub const STREAMS_FUNCTION: i16 = 7;
    pub const STREAMS: i16 = 8;
    pub const CHECKED_STREAMS: i16 = 9;
    pub const REQUIRED_FIELDS: i16 = 10;
    pub const INITIAL_STATE: i16 = 11;
}

/// The column of the index by name.
const BY_NAME: i16 = 1;

/// A registered command, its functions ready to be called.
pub struct Definition<'a> {
    pub name: Text<'a>,
    pub apply: Function,
    pub handle: Function,
    pub related_streams: Option<Function>,
    pub streams_function: Option<Function>,
    /// JSON pointers to the streams in the input.
    pub streams: Vec<Text<'a>>,
    /// The same for streams that are not written.
    pub checked_streams: Vec<Text<'a>>,
    /// JSON pointers, each with the type of what has to be there.
    pub required_fields: Option<Jsonb<'a>>,
    pub initial_state: Jsonb<'a>,
    pub max_attempts: i32,
}

impl<'a> Definition<'a> {
    /// SE007 if there is no such command, or a function of it is gone.
    pub fn load(name: Text<'a>) -> Result<Self, Error> {
        let (commands, by_name) = catalog::commands()?;
        let snapshot = Snapshot::latest();
        let mut scan = IndexScan::new(&commands, &by_name, &snapshot);
        scan.seek(&[Condition::TextEquals(BY_NAME, name)], Direction::Forward);
        let row = scan
            .next()
            .ok_or_else(|| Error::UnknownCommand(name.to_string()))?;
        Self::of_row(name, &row)
    }

    fn of_row(name: Text<'a>, row: &Row<'_>) -> Result<Self, Error> {
        let open = |column, result| {
            let function = row.text(column).map(Text::keep);
            let function = function.map(|function| {
                Function::open(function, result).ok_or_else(|| Error::FunctionMissing {
                    command: name.to_string(),
                    function: function.to_string(),
                })
            });
            function.transpose()
        };
        let required = |column| {
            let missing = || Malformed::argument("command", "is not as it was registered");
            open(column, pg_sys::JSONBOID)?.ok_or_else(|| Error::from(missing()))
        };
        let initial_state = row.jsonb(column::INITIAL_STATE).map(Jsonb::keep);
        Ok(Self {
            name,
            apply: required(column::APPLY)?,
            handle: required(column::HANDLE)?,
            related_streams: open(column::RELATED_STREAMS, pg_sys::TEXTARRAYOID)?,
            streams_function: open(column::STREAMS_FUNCTION, pg_sys::TEXTARRAYOID)?,
            streams: texts(row, column::STREAMS),
            checked_streams: texts(row, column::CHECKED_STREAMS),
            required_fields: row.jsonb(column::REQUIRED_FIELDS).map(Jsonb::keep),
            initial_state: initial_state
                .ok_or_else(|| Malformed::argument("command", "has no initial state"))?,
            max_attempts: row.integer(column::MAX_ATTEMPTS),
        })
    }
}

/// The elements of a `text[]`, none if it is NULL.
fn texts<'a>(row: &Row<'_>, column: i16) -> Vec<Text<'a>> {
    row.text_array(column).map_or_else(Vec::new, |texts| {
        let elements = (0..texts.0.len()).map(|index| texts.get(index).map(Text::keep));
        elements.flatten().collect()
    })
}
