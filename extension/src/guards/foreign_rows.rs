//! Rows that SQL inserts into `eventcore.events` with positions of their own: from a restore, or
//! from logical replication. A trigger registers them, so that readers see them in order too. If a
//! restore has disabled the triggers, the statement that enables them registers the rows.
//!
//! The rows must be rows that an append could have written, because readers rely on that.

use crate::error::{Error, Malformed};
use crate::pg::function::{Call, Returned, TriggerRow};
use crate::pg::jsonb::Kind;
use crate::pg::raise::raise;
use crate::pg::relation::Use;
use crate::pg::transaction;
use crate::registry::{MAX_POSITION, Registry};
use crate::tables::Events;
use crate::tables::columns::events as column;
use crate::tables::heads;
use eventcore_rules::check_name;
use pgrx::pg_sys::Oid;

/// The trigger function of `events_before_insert`, called for each row. Returns the row.
pub fn before_insert(call: &Call<'_>) -> Returned {
    let events = Events::open(Use::Write)?;
    // The columns of another table have other types.
    let row = call.trigger_row(events.table.oid()).ok_or_else(|| {
        Malformed::argument(
            "eventcore.before_insert()",
            "can be called only by its trigger on eventcore.events",
        )
    })?;
    check(&row)?;
    let registry = Registry::open(&events.catalog)?;
    let position = row.bigint(column::POSITION);
    registry.check_ahead(&events, position)?;
    registry.register_foreign(&events, position)?;
    Ok(Some(row.datum()))
}

/// `eventcore.pass_position(up_to)`.
pub fn pass_position(call: &Call<'_>) -> Result<(), Error> {
    let Some(position) = call.bigint(0).filter(|position| *position > 0) else {
        return Ok(());
    };
    transaction::require_writable(c"a change of positions");
    let events = Events::open(Use::Write)?;
    let registry = Registry::open(&events.catalog)?;
    registry.register_foreign(&events, position)
}

/// Called after ALTER TABLE … ENABLE TRIGGER: SQL may have inserted rows while the triggers were
/// disabled.
pub fn after_enabling_triggers(table: Oid) {
    if let Err(error) = register_last(table) {
        raise(&error);
    }
}

fn register_last(table: Oid) -> Result<(), Error> {
    // If an index is missing, nothing can be appended until it is created again.
    if let Ok(events) = Events::open(Use::Write)
        && events.catalog.objects.events == table
    {
        let registry = Registry::open(&events.catalog)?;
        registry.register_foreign(&events, heads::last_position(&events))?;
    }
    Ok(())
}

/// SE003 for a row that no append writes. NULLs are left to the constraints of the table.
fn check(row: &TriggerRow) -> Result<(), Error> {
    let position = row.bigint(column::POSITION);
    if !(1..=MAX_POSITION).contains(&position) {
        let reason = format!("is {position}, not between 1 and {MAX_POSITION}");
        return Err(Malformed::argument("position", reason).into());
    }
    // Versions have the same limit as positions, because each event has a position of its own.
    let version = row.bigint(column::VERSION);
    if !(1..=MAX_POSITION).contains(&version) {
        let reason = format!("is {version}, not between 1 and {MAX_POSITION}");
        return Err(Malformed::argument("version", reason).into());
    }
    for (name, number) in [
        ("stream_id", column::STREAM_ID),
        ("event_type", column::EVENT_TYPE),
    ] {
        if let Some(value) = row.text(number) {
            check_name(value.bytes())
                .map_err(|error| Malformed::argument(name, error.to_string()))?;
        }
    }
    if [i64::MIN, i64::MAX].contains(&row.bigint(column::RECORDED_AT)) {
        return Err(Malformed::argument("recorded_at", "is infinite").into());
    }
    if row
        .jsonb(column::PAYLOAD)
        .is_some_and(|payload| payload.kind() == Kind::Null)
    {
        return Err(Malformed::argument("payload", "is null").into());
    }
    if row
        .jsonb(column::METADATA)
        .is_some_and(|metadata| metadata.kind() != Kind::Object)
    {
        return Err(Malformed::argument("metadata", "is not a JSON object").into());
    }
    Ok(())
}
