//! The shadow tables of a [rebuild](super::rebuild), which a handler finds in place of the original's.

use super::definition::Definition;
use super::record;
use crate::error::Error;
use crate::pg::session;
use crate::pg::transaction;
use crate::pg::value::Text;

/// The first transaction: makes the tables, with the owner's rights.
pub fn begin(name: Text<'_>) -> Result<(), Error> {
    record::make_shadow(name)?;
    transaction::end_command();
    Ok(())
}

/// Before the handler is called: has it find the shadow tables.
pub fn enter(definition: &Definition, name: Text<'_>) -> Result<(), Error> {
    if let Some(rebuild) = &definition.rebuild {
        record::check_shadow(name)?;
        transaction::end_command();
        session::search_first(&rebuild.schema);
    }
    Ok(())
}

/// After the handler was called: refuses the batch, with SE009, if it has found the original's tables all the same.
pub fn leave(definition: &Definition, name: Text<'_>) -> Result<(), Error> {
    if definition.rebuild.is_some() {
        record::check_original_unused(name)?;
        transaction::end_command();
    }
    Ok(())
}
