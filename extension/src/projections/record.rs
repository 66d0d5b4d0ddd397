//! What a worker records of a projection. It calls SQL functions of the extension, which change
//! `eventcore.projections` and `eventcore.projection_parked` with the rights of the projection's
//! owner.

use crate::error::{Error, Unavailable};
use crate::pg::callable::{Argument, Function};
use crate::pg::catch::ErrorSummary;
use crate::pg::value::Text;
use crate::tables::release;
use pgrx::pg_sys::Oid;

/// What is known of a failed transaction.
pub struct Failure {
    /// The checkpoint at which it began.
    pub checkpoint: i64,
    /// The first and the last event that the handler had, if it was called.
    pub events: Option<(i64, i64)>,
    /// The position of the parked event to replay.
    pub replay: Option<i64>,
    /// Whether no event is to blame; `None` lets the SQLSTATE decide.
    pub blameless: Option<bool>,
    /// Whether the process ended in the middle of it.
    pub process_ended: bool,
}

/// Writes the checkpoint of a projection.
pub fn advanced(projection: Text<'_>, to: i64) -> Result<(), Error> {
    call(
        "eventcore.projection_advanced(pg_catalog.text,pg_catalog.int8)",
        [Argument::text(projection), Argument::bigint(Some(to))],
    )
}

/// Writes the checkpoints of projections for which there was no event: name, checkpoint, and the
/// position to write. Returns the names of those that are written; another transaction may have
/// locked the row of one. `None` if the extension was not updated and has no function for it.
pub fn passed(projections: &[(&str, i64, i64)]) -> Option<Vec<Text<'static>>> {
    let names = projections
        .iter()
        .map(|(name, ..)| Text::copy(name.as_bytes()).keep());
    Function::texts_by_name(
        "eventcore.projections_passed(pg_catalog.text[],pg_catalog.int8[],pg_catalog.int8[])",
        [
            Argument::texts(names),
            Argument::bigints(projections.iter().map(|(_, from, _)| *from)),
            Argument::bigints(projections.iter().map(|(.., to)| *to)),
        ],
    )
}

/// Records that a batch of a projection has failed.
pub fn failed(projection: Text<'_>, failure: &Failure, error: &ErrorSummary) -> Result<(), Error> {
    call(
        "eventcore.projection_failed(pg_catalog.text,pg_catalog.int8,pg_catalog.int8,\
         pg_catalog.int8,pg_catalog.text,pg_catalog.text,pg_catalog.bool,pg_catalog.bool)",
        [
            Argument::text(projection),
            Argument::bigint(Some(failure.checkpoint)),
            Argument::bigint(failure.events.map(|(first, _)| first)),
            Argument::bigint(failure.events.map(|(_, last)| last)),
            text(&error.sqlstate),
            text(&error.message),
            Argument::boolean(failure.blameless),
            Argument::boolean(Some(failure.process_ended)),
        ],
    )
}

/// Records that the parked event at this position has been replayed: it is no longer parked.
pub fn replayed(projection: Text<'_>, position: i64) -> Result<(), Error> {
    call(
        "eventcore.projection_replayed(pg_catalog.text,pg_catalog.int8)",
        [Argument::text(projection), Argument::bigint(Some(position))],
    )
}

/// Records that the replay of the parked event at this position has failed.
pub fn replay_failed(
    projection: Text<'_>,
    position: i64,
    failure: &Failure,
    error: &ErrorSummary,
) -> Result<(), Error> {
    call(
        "eventcore.projection_replay_failed(pg_catalog.text,pg_catalog.int8,pg_catalog.text,\
         pg_catalog.text,pg_catalog.bool,pg_catalog.bool)",
        [
            Argument::text(projection),
            Argument::bigint(Some(position)),
            text(&error.sqlstate),
            text(&error.message),
            Argument::boolean(failure.blameless),
            Argument::boolean(Some(failure.process_ended)),
        ],
    )
}

/// Raises 42501 unless the caller has the rights of this owner.
pub fn check_owner(projection: Text<'_>, owner: Oid) -> Result<(), Error> {
    call(
        "eventcore.check_projection_owner(pg_catalog.text,pg_catalog.regrole)",
        [Argument::text(projection), Argument::role(owner)],
    )
}

/// Empties the tables of a projection.
pub fn reset(projection: Text<'_>) -> Result<(), Error> {
    call(
        "eventcore.reset_projection(pg_catalog.text)",
        [Argument::text(projection)],
    )
}

/// Makes the shadow tables of a rebuild.
pub fn make_shadow(projection: Text<'_>) -> Result<(), Error> {
    call(
        "eventcore.make_shadow(pg_catalog.text)",
        [Argument::text(projection)],
    )
}

/// Raises an error unless the shadow tables of a rebuild exist.
pub fn check_shadow(projection: Text<'_>) -> Result<(), Error> {
    call(
        "eventcore.check_shadow(pg_catalog.text)",
        [Argument::text(projection)],
    )
}

/// Raises SE009 if this transaction has used a table of the original of a rebuild.
pub fn check_original_unused(projection: Text<'_>) -> Result<(), Error> {
    call(
        "eventcore.check_original_unused(pg_catalog.text)",
        [Argument::text(projection)],
    )
}

/// Replaces the rows of the original by those of its rebuild, and ends the rebuild.
pub fn take_place(projection: Text<'_>) -> Result<(), Error> {
    call(
        "eventcore.take_place(pg_catalog.text)",
        [Argument::text(projection)],
    )
}

fn text(text: &str) -> Argument {
    Argument::text(Text::copy(text.as_bytes()).keep())
}

/// Calls a function of the extension. SE009 if it does not exist, or not yet with these arguments.
fn call<const N: usize>(function: &str, arguments: [Argument; N]) -> Result<(), Error> {
    Function::perform_by_name(function, arguments)
        .ok_or_else(|| release::differs(Unavailable::NotInstalled))
}
