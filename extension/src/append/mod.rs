//! Appending: check every declared stream, then write every event, in the caller's transaction.
//!
//! 1. Everything is validated before a table is touched ([`request`], [`json`], [`arrays`]).
//! 2. The declared streams are locked in one order, and only then are their versions read
//!    ([`streams`]).
//! 3. All failed checks are reported together, unless the append is a repeat ([`repeat`]).
//! 4. Positions are drawn and the rows are written ([`write`]).
//!
//! Two appends wait for each other only if they share a stream.

mod appended;
mod arrays;
mod json;
mod repeat;
mod request;
mod streams;
mod write;

pub use appended::Appended;
pub use arrays::{read as read_arrays, read_compact};
pub use json::{push_all as push_json, read as read_json};
pub use request::Request;

use crate::error::Error;
use crate::guards::reentry::refuse_reentry;
use crate::guards::replication;
use crate::pg::indexes::Indexes;
use crate::pg::transaction;
use crate::projections::inline;
use crate::read::divergence;
use crate::registry::Registry;
use crate::settings;
use crate::tables::Events;
use std::sync::atomic::Ordering::SeqCst;

/// Appends for a caller that is not a function of a command.
pub fn append(request: &Request<'_>) -> Result<Appended, Error> {
    refuse_reentry("eventcore_append")?;
    transaction::require_writable(c"eventcore_append");
    append_to(&Events::to_write()?, request, None)
}

/// Appends, or reports why it cannot. Nothing is consumed until positions are drawn.
///
/// `known` are the versions of the declared streams, in the order of declaration, if the transaction
/// has locked all of them as an append does, and if these are still their versions.
pub fn append_to(
    events: &Events,
    request: &Request<'_>,
    known: Option<Vec<i64>>,
) -> Result<Appended, Error> {
    let registry = Registry::open(&events.catalog)?;
    if !request.events.is_empty() {
        replication::require_no_publisher(&events.catalog)?;
    }
    let indexes = Indexes::open(&events.table);

    let (heads, conflicts) = match known {
        Some(heads) => {
            let conflicts = streams::conflicts(request, &heads);
            (heads, conflicts)
        }
        None => loop {
            let locked = streams::lock(events, request);
            let heads = streams::heads(events, &indexes, request)?;
            let conflicts = streams::conflicts(request, &heads);
            // Nothing may be written without the locks.
            if locked || !conflicts.is_empty() {
                break (heads, conflicts);
            }
        },
    };

    if let Some(repeated) = repeat::find(events, request, &heads, &conflicts)? {
        registry.counts().repeat();
        // The first append may still be waiting for its flush.
        transaction::flush_what_is_committed();
        return Ok(repeated);
    }
    if let Some(position) = request.known_position {
        divergence::require_present(&registry, events, position)?;
    }
    streams::require_open(request)?;
    if !conflicts.is_empty() {
        registry.counts().conflict();
        return Err(Error::VersionConflict(conflicts));
    }
    if request.events.is_empty() {
        // The appends that this result reveals may still be waiting for their flush.
        if registry.unflushed().load(SeqCst) > 0 {
            transaction::flush_what_is_committed();
        }
        return Ok(Appended {
            positions: None,
            versions: heads,
            recorded_at: transaction::now(),
            repeated: false,
        });
    }
    if settings::releases_locks_early() {
        transaction::release_locks_early(registry.unflushed());
    }
    let appended = write::write(&registry, events, &indexes, request, heads)?;
    if let Some((first, last)) = appended.positions {
        inline::project(events, first, last)?;
    }
    Ok(appended)
}
