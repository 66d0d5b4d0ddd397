//! Refuses readers that come from another history of this store (SE011).
//!
//! `eventcore.history` has a row for each history, which the [registry](crate::registry) writes
//! when one begins. This store never told a position above the last one that the old history
//! reserved and below the first of the next history. Nor did it tell one above everything that was
//! ever reserved. Both prove that the reader comes from another history. From the position up to
//! which both histories agree to the last one that the old history reserved, the position proves
//! nothing. There the id of the last event that was read decides.

use crate::arguments::filter::Filter;
use crate::error::Error;
use crate::pg::function::Call;
use crate::pg::relation::Use;
use crate::pg::scan::Direction;
use crate::pg::transaction;
use crate::registry::Registry;
use crate::tables::Events;
use crate::tables::columns::events as column;
use crate::tables::history::{self, History};
use eventcore_rules::MAX_EVENTS_PASSED_OVER;
use eventcore_rules::history::{is_between, is_in_history_of};
use uuid::Uuid;

/// `eventcore.require_told(position, or_reserved)`.
pub fn require_told_to(call: &Call<'_>) -> Result<(), Error> {
    let after = call.bigint(0).unwrap_or(0);
    let events = Events::open(Use::Read)?;
    if call.boolean(1) == Some(true) {
        return require_told(&Registry::open(&events.catalog)?, &events, after);
    }
    require_in_a_history(
        after,
        &history::all(&history::open(&events.catalog, Use::Read)?),
    )
}

/// What this store has told its readers so far.
pub struct Told {
    histories: Vec<History>,
    /// `None` on a standby: more positions are on their way, and it is unknown how many.
    end: Option<End>,
}

/// How far the positions of this store go.
struct End {
    reserved: i64,
    /// Up to where a history that continued from this one agrees with it.
    agreed: i64,
}

impl Told {
    /// Reads the histories.
    pub fn find(registry: &Registry, events: &Events) -> Result<Self, Error> {
        let histories = history::all(&history::open(&events.catalog, Use::Read)?);
        let end = (!transaction::is_standby()).then(|| End {
            reserved: registry.reserved(events, &histories),
            agreed: registry.agreed(events, &histories),
        });
        Ok(Self { histories, end })
    }

    /// SE011 for a position that this store has never told.
    pub fn require(&self, after: i64) -> Result<(), Error> {
        if after <= 0 {
            return Ok(());
        }
        require_in_a_history(after, &self.histories)?;
        match &self.end {
            Some(end) if after > end.reserved => Err(diverged(after, end.agreed, end.reserved + 1)),
            _ => Ok(()),
        }
    }
}

/// SE011 for a position that this store has never told.
pub fn require_told(registry: &Registry, events: &Events, after: i64) -> Result<(), Error> {
    require_same(registry, events, after, None)
}

/// Does the same for a reader that also names the last event that it has read, with this filter.
pub fn require_same(
    registry: &Registry,
    events: &Events,
    after: i64,
    last_read: Option<(Uuid, &Filter<'_>)>,
) -> Result<(), Error> {
    if after <= 0 {
        return Ok(());
    }
    let told = Told::find(registry, events)?;
    told.require(after)?;
    let in_doubt = told
        .histories
        .iter()
        .find(|history| history.agreed < after && after <= history.reserved);
    if let (Some(history), Some((event, filter))) = (in_doubt, last_read)
        && last_at(events, after, filter).is_some_and(|last| last != event)
    {
        return Err(diverged(after, history.agreed, history.first));
    }
    Ok(())
}

/// SE011 unless an append has drawn this position in the history that this server writes. The caller
/// decided on what the streams were after that append, so in another history the same versions may
/// stand for other events.
pub fn require_present(registry: &Registry, events: &Events, position: i64) -> Result<(), Error> {
    let next = registry.next_position(events)?;
    if is_in_history_of(position, next) {
        return Ok(());
    }
    let histories = history::all(&history::open(&events.catalog, Use::Read)?);
    let first = histories.iter().map(|history| history.first).max();
    match first {
        Some(first) if first <= position && position < next => Ok(()),
        _ => Err(diverged(
            position,
            registry.agreed(events, &histories),
            first.unwrap_or(next),
        )),
    }
}

/// SE011 for a position between two histories.
fn require_in_a_history(after: i64, histories: &[History]) -> Result<(), Error> {
    let between = histories
        .iter()
        .find(|history| is_between(after, history.reserved, history.first));
    between.map_or(Ok(()), |history| {
        Err(diverged(after, history.agreed, history.first))
    })
}

fn diverged(after: i64, agreed: i64, first: i64) -> Error {
    Error::Diverged {
        after,
        agreed,
        first,
    }
}

/// The id of the last event at or before a position that passes the filter; nil if there is none,
/// `None` if it takes too long to find out.
fn last_at(events: &Events, position: i64, filter: &Filter<'_>) -> Option<Uuid> {
    events.between((0, position), Direction::Backward, |scan| {
        for _ in 0..MAX_EVENTS_PASSED_OVER {
            match scan.next() {
                Some(row) if filter.admits(&row) => return Some(row.uuid(column::EVENT_ID)),
                Some(_) => {}
                None => return Some(Uuid::nil()),
            }
        }
        None
    })
}
