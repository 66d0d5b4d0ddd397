//! The shadow tables of a [rebuild](super::rebuild), which a handler finds in place of the original's.

use super::definition::Definition;
use crate::error::Error;
use crate::pg::session;
use crate::pg::snapshot::Fresh;
use crate::pg::transaction;
use crate::pg::value::Text;
use pgrx::pg_sys::TEXTOID;

/// The first transaction: makes the tables, with the owner's rights.
pub fn begin(definition: &Definition, name: Text<'_>) -> Result<(), Error> {
    let fresh = Fresh::push();
    perform(definition, name, "eventcore.make_shadow(pg_catalog.text)")?;
    drop(fresh);
    Ok(())
}

/// Before the handler is called: has it find the shadow tables.
pub fn enter(definition: &Definition, name: Text<'_>) -> Result<(), Error> {
    if let Some(rebuild) = &definition.rebuild {
        perform(definition, name, "eventcore.check_shadow(pg_catalog.text)")?;
        session::search_first(&rebuild.schema);
    }
    Ok(())
}

/// After the handler was called: refuses the batch, with SE009, if it has found the original's tables all the same.
pub fn leave(definition: &Definition, name: Text<'_>) -> Result<(), Error> {
    if definition.rebuild.is_some() {
        let check = "eventcore.check_original_unused(pg_catalog.text)";
        perform(definition, name, check)?;
    }
    Ok(())
}

/// Calls a function with the name of the projection.
pub fn perform(definition: &Definition, name: Text<'_>, function: &str) -> Result<(), Error> {
    let mut function = definition.open(function, &[TEXTOID])?;
    function.perform_on(name.datum());
    transaction::end_command();
    Ok(())
}
