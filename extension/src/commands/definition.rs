//! A command as registered in `eventcore.commands`.

use crate::error::{Error, Malformed};
use crate::pg::array::TextArray;
use crate::pg::callable::{self, Function};
use crate::pg::environment::Settings;
use crate::pg::ffi;
use crate::pg::relation::array_type;
use crate::pg::scan::{Condition, Direction, IndexScan, Row};
use crate::pg::snapshot::Snapshot;
use crate::pg::transaction;
use crate::pg::value::{Jsonb, Text};
use crate::tables::columns::{commands as column, commands_by_name, events};
use crate::tables::{self, Events};
use pgrx::pg_sys::{JSONBARRAYOID as JSONBS, JSONBOID as JSONB, Oid, TEXTARRAYOID as TEXTS};
use std::rc::Rc;

/// A function that takes one value at a time, or several at once.
pub struct Folding {
    pub function: Function,
    pub takes_array: bool,
}

/// A registered command, with its functions ready to be called.
pub struct Definition<'a> {
    pub name: Text<'a>,
    /// Applies an event, or consecutive events of one stream, to a state.
    pub apply: Folding,
    pub handle: Function,
    pub related_streams: Option<Function>,
    pub streams_function: Option<Function>,
    /// Combines the states of two sets of streams, or of several, into one.
    pub combine: Option<Folding>,
    /// JSON pointers to the streams in the input.
    pub streams: Vec<Text<'a>>,
    /// JSON pointers to the streams that are only checked.
    pub checked_streams: Vec<Text<'a>>,
    /// JSON pointers, each with the type that the value must have.
    pub required_fields: Option<Jsonb<'a>>,
    pub initial_state: Jsonb<'a>,
    pub max_attempts: i32,
    /// How many events of a stream are read before its state is saved; 0 means never.
    pub snapshot_every: i32,
    /// The settings that its functions run with.
    pub settings: Rc<Settings>,
    /// When it was registered, as a timestamptz.
    changed_at: i64,
    /// A number that changes when this backend hears of a change of any function.
    pub functions: u64,
}

impl<'a> Definition<'a> {
    /// SE007 if there is no such command, or if a function of it no longer exists.
    pub fn load(name: Text<'a>, events: &Events) -> Result<Self, Error> {
        let (commands, by_name) = tables::commands()?;
        let snapshot = Snapshot::latest();
        let mut scan = IndexScan::new(&commands, &by_name, &snapshot);
        scan.seek(
            &[Condition::TextEquals(commands_by_name::NAME, name)],
            Direction::Forward,
        );
        let row = scan
            .next()
            .ok_or_else(|| Error::UnknownCommand(name.to_string()))?;
        // The row is the latest. The cached functions may be old if the transaction already held
        // all its locks, so accept changes now.
        transaction::accept_changes();
        Self::of_row(name, &row, events.table.row_type())
    }

    fn of_row(name: Text<'a>, row: &Row<'_>, event: Oid) -> Result<Self, Error> {
        let functions = callable::changes();
        let registered = RegisteredFunctions {
            command: name,
            owners: row.text_array(column::FUNCTION_OWNERS),
            row,
        };
        let optional = |column, arguments: &[Oid], result| {
            registered.open(column, |function| function.with(arguments, result))
        };
        let missing = || {
            Error::from(Malformed::argument(
                "command",
                "is not as it was registered",
            ))
        };
        let apply = registered.open(column::APPLY, |function| {
            let one = function.with(&[JSONB, event], JSONB);
            Folding::of(one, || function.with(&[JSONB, array_type(event)], JSONB))
        })?;
        let combine = registered.open(column::COMBINE, |function| {
            let one = function.with(&[JSONB, JSONB], JSONB);
            Folding::of(one, || function.with(&[JSONBS], JSONB))
        })?;
        let initial_state = row.jsonb(column::INITIAL_STATE).map(Jsonb::keep);
        Ok(Self {
            name,
            apply: apply.ok_or_else(missing)?,
            handle: optional(column::HANDLE, &[JSONB, JSONB], JSONB)?.ok_or_else(missing)?,
            related_streams: optional(column::RELATED_STREAMS, &[JSONB, JSONB], TEXTS)?,
            streams_function: optional(column::STREAMS_FUNCTION, &[JSONB], TEXTS)?,
            combine,
            streams: texts(row, column::STREAMS),
            checked_streams: texts(row, column::CHECKED_STREAMS),
            required_fields: row.jsonb(column::REQUIRED_FIELDS).map(Jsonb::keep),
            initial_state: initial_state
                .ok_or_else(|| Malformed::argument("command", "has no initial state"))?,
            max_attempts: row.integer(column::MAX_ATTEMPTS),
            snapshot_every: row.integer(column::SNAPSHOT_EVERY),
            settings: Settings::of_row(row, column::SETTINGS),
            changed_at: row.bigint(column::CHANGED_AT),
            functions,
        })
    }

    /// A hash of everything that determines the state of a stream: this registration, `apply` as it
    /// is defined now, the initial state, and the columns of an event. A saved state with another
    /// hash must not be used.
    pub fn state_maker(&self) -> i64 {
        let hash = ffi::hash(&[events::COUNT as u8], 0);
        let hash = ffi::hash(&self.changed_at.to_le_bytes(), hash);
        self.apply
            .function
            .definition(self.initial_state.hash(hash))
            .cast_signed()
    }
}

impl Folding {
    /// `None` if the function has neither form.
    fn of(one: Option<Function>, several: impl FnOnce() -> Option<Function>) -> Option<Self> {
        let (function, takes_array) = match one {
            Some(function) => (function, false),
            None => (several()?, true),
        };
        Some(Self {
            function,
            takes_array,
        })
    }
}

/// The functions that the row of a command names.
struct RegisteredFunctions<'s, 'a> {
    command: Text<'a>,
    /// The roles that owned them.
    owners: Option<TextArray<'s>>,
    row: &'s Row<'s>,
}

/// One of them.
struct RegisteredFunction<'s> {
    name: Text<'s>,
    owners: Option<&'s TextArray<'s>>,
}

impl RegisteredFunctions<'_, '_> {
    /// The function of a column; `None` if that is NULL. SE007 if `open` does not find it.
    fn open<F>(
        &self,
        column: i16,
        open: impl FnOnce(RegisteredFunction<'_>) -> Option<F>,
    ) -> Result<Option<F>, Error> {
        let Some(name) = self.row.text(column).map(Text::keep) else {
            return Ok(None);
        };
        let owners = self.owners.as_ref();
        let opened = open(RegisteredFunction { name, owners });
        let missing = || Error::FunctionMissing {
            command: self.command.to_string(),
            function: name.to_string(),
        };
        opened.map(Some).ok_or_else(missing)
    }
}

impl RegisteredFunction<'_> {
    /// The function, if it takes and returns values of these types.
    fn with(&self, arguments: &[Oid], result: Oid) -> Option<Function> {
        let owners = self.owners.into_iter().flat_map(TextArray::iter);
        Function::open(self.name, owners.map(Text::bytes), arguments, result)
    }
}

/// The elements of a `text[]`; none if it is NULL.
fn texts<'a>(row: &Row<'_>, column: i16) -> Vec<Text<'a>> {
    let texts = row.text_array(column);
    texts
        .iter()
        .flat_map(TextArray::iter)
        .map(Text::keep)
        .collect()
}
