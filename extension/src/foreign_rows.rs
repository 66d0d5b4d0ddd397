//! Rows that come into `eventcore.events` by SQL, with positions of their own: from a restore, or from
//! logical replication. Triggers tell the registry of them, so that readers see them in order too.

use crate::catalog::Events;
use crate::error::Error;
use crate::pg::function::{Call, When};
use crate::pg::relation::Use;
use crate::pg::transaction;
use crate::registry::Registry;

/// The trigger function of both triggers for INSERT.
pub fn around_insert(call: &Call<'_>) -> Result<(), Error> {
    let events = Events::open(Use::Write)?;
    let registry = Registry::open(&events.catalog)?;
    match call.trigger_time() {
        Some(When::Before) => registry.before_foreign_rows(),
        Some(When::After) => {
            transaction::end_command();
            registry.after_foreign_rows(&events);
        }
        None => {}
    }
    Ok(())
}
