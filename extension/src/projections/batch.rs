//! One transaction of a projection: read events up to the safe position, call the handler, write
//! the checkpoint.

use super::definition::{self, Definition, Progress};
use super::{record, shadow};
use crate::error::Error;
use crate::locks::try_lock_projection;
use crate::pg::array::row_array;
use crate::pg::callable::Function;
use crate::pg::memory::ScratchMemory;
use crate::pg::relation;
use crate::pg::scan::Direction;
use crate::pg::session::{as_statement, current_role};
use crate::pg::transaction;
use crate::pg::value::{Text, size};
use crate::processes::batches;
use crate::processes::freeze::is_frozen;
use crate::read::divergence;
use crate::registry::Registry;
use crate::tables::Events;
use crate::tables::columns::events as column;
use eventcore_rules::MAX_EVENTS_PASSED_OVER;
use pgrx::pg_sys::{Datum, Oid};
use std::cell::Cell;
use std::time::Duration;

/// The most bytes of events that one transaction handles. It always handles at least one event.
const MAX_BYTES: usize = 32 << 20;

/// The result of a transaction.
pub enum Outcome {
    /// There is nothing to do.
    Nothing,
    /// Another worker has the projection, or a session is changing it.
    Held,
    /// The projection was dropped, stopped or given to another owner.
    Gone,
    /// No new event matches.
    PassedOver,
    /// Sessions of the owner are read-only.
    Frozen,
    /// A process has abandoned a batch of the projection, which has to be handled first.
    Abandoned,
    /// The projection has to wait this long.
    NotBefore(Duration),
    /// The projection has advanced.
    Advanced,
    /// The projection rebuilds this one, has caught up, and can finish.
    CaughtUp(String),
}

/// What to record if the transaction fails: where it began, and which events the handler had.
#[derive(Default)]
pub struct FailureContext {
    pub checkpoint: Cell<i64>,
    pub events: Cell<Option<(i64, i64)>>,
    /// The position of the parked event to replay.
    pub replay: Cell<Option<i64>>,
    /// Whether the transaction was only waiting for a lock.
    pub waits: Cell<bool>,
    /// Whether the transaction has called the function that empties the tables.
    pub resets: Cell<bool>,
}

/// The result of [`claim`].
pub enum Claim {
    Claimed(Box<Definition>, Progress),
    NotNow(Outcome),
}

/// Locks a projection for this transaction, if this worker should run it now and no other worker
/// has it.
pub fn claim(name: Text<'_>, context: &FailureContext) -> Result<Claim, Error> {
    if is_frozen(current_role()) {
        return Ok(Claim::NotNow(Outcome::Frozen));
    }
    if !try_lock_projection(name.bytes()) {
        return Ok(Claim::NotNow(Outcome::Held));
    }
    let Some((definition, progress)) = definition::load(name)? else {
        return Ok(Claim::NotNow(Outcome::Gone));
    };
    if definition.inline
        || !definition.running
        || definition.copied
        || definition.owner != current_role().to_u32()
    {
        return Ok(Claim::NotNow(Outcome::Gone));
    }
    if batches::is_abandoned(&definition.name) {
        return Ok(Claim::NotNow(Outcome::Abandoned));
    }
    context.checkpoint.set(progress.checkpoint);
    if let Some(delay) = progress.delay() {
        return Ok(Claim::NotNow(Outcome::NotBefore(delay)));
    }
    Ok(Claim::Claimed(Box::new(definition), progress))
}

/// Hands the events to the handler and writes the checkpoint.
pub fn project(
    definition: &Definition,
    name: Text<'_>,
    read: EventBatch,
    context: &FailureContext,
) -> Result<(), Error> {
    let up_to = read.up_to;
    handle(definition, name, read, context)?;
    record::advanced(name, up_to)
}

/// Hands the events to the handler.
pub fn handle(
    definition: &Definition,
    name: Text<'_>,
    read: EventBatch,
    context: &FailureContext,
) -> Result<(), Error> {
    if read.events.is_empty() {
        return Ok(());
    }
    let mut handler = definition.open_handler(read.row_type)?;
    shadow::enter(definition, name)?;
    context.events.set(read.span);
    batches::begin(
        &definition.name,
        context.checkpoint.get(),
        read.span,
        context.replay.get(),
    );
    call(definition, &mut handler, read);
    shadow::leave(definition, name)
}

/// The events of one transaction.
pub struct EventBatch {
    /// In the order of their positions, as rows of `eventcore.events`.
    pub events: Vec<Datum>,
    /// The positions of the first and the last event.
    pub span: Option<(i64, i64)>,
    pub up_to: i64,
    /// Whether there was no event after these.
    pub to_end: bool,
    pub row_type: Oid,
}

/// Reads the next events after a position, which is the checkpoint unless the events between the two
/// are known not to match; `None` if there is nothing to do.
pub fn read_batch(
    definition: &Definition,
    progress: &Progress,
    after: i64,
) -> Result<Option<EventBatch>, Error> {
    let events = Events::to_read()?;
    relation::require_readable(events.catalog.objects.events);
    let registry = Registry::open(&events.catalog)?;
    divergence::require_told(&registry, &events, progress.checkpoint)?;
    // In this order, and never with an older snapshot: see `Registry::safe_position`.
    let safe = registry.safe_position()?;
    if safe <= after && after <= progress.checkpoint && !progress.reset_pending {
        return Ok(None);
    }
    let filter = definition.filter();
    let limit = if after < progress.singly_until {
        1
    } else {
        definition.batch_size
    };
    let mut found = EventBatch {
        events: Vec::new(),
        span: None,
        up_to: after,
        to_end: false,
        row_type: events.table.row_type(),
    };
    let (mut bytes, mut passed) = (0, 0);
    events.between((after, safe), Direction::Forward, |scan| {
        while found.events.len() < limit && passed < MAX_EVENTS_PASSED_OVER && bytes < MAX_BYTES {
            let Some(row) = scan.next() else {
                found.up_to = safe.max(after);
                found.to_end = true;
                break;
            };
            found.up_to = row.bigint(column::POSITION);
            if filter.admits(&row) {
                let event = row.composite();
                bytes += size(event);
                found.events.push(event);
                let first = found.span.map_or(found.up_to, |(first, _)| first);
                found.span = Some((first, found.up_to));
            } else {
                passed += 1;
            }
        }
    });
    Ok(Some(found))
}

/// Calls the handler with the events. Each call counts as a statement.
fn call(definition: &Definition, handler: &mut Function, read: EventBatch) {
    if definition.takes_array {
        let array = row_array(read.row_type, &read.events);
        as_statement(|| handler.perform_on(array));
        transaction::end_command();
        return;
    }
    let memory = ScratchMemory::new();
    for event in read.events {
        pgrx::check_for_interrupts!();
        memory.during(|| as_statement(|| handler.perform_on(event)));
        transaction::end_command();
    }
}
