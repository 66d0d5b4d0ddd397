//! The shadow tables of a [rebuild](super::rebuild), which a handler finds instead of the tables of
//! the original.

use super::definition::Definition;
use super::record;
use crate::error::Error;
use crate::pg::session;
use crate::pg::transaction;
use crate::pg::value::Text;

/// The first transaction: creates the tables, with the rights of the owner.
pub fn begin(name: Text<'_>) -> Result<(), Error> {
    record::make_shadow(name)?;
    transaction::end_command();
    Ok(())
}

/// Lets the handler find the shadow tables. To be called before it.
pub fn enter(definition: &Definition, name: Text<'_>) -> Result<(), Error> {
    if let Some(rebuild) = &definition.rebuild {
        record::check_shadow(name)?;
        transaction::end_command();
        session::search_first(&rebuild.schema);
    }
    Ok(())
}

/// SE009 if the handler has used the tables of the original. To be called after it.
pub fn leave(definition: &Definition, name: Text<'_>) -> Result<(), Error> {
    if definition.rebuild.is_some() {
        record::check_original_unused(name)?;
        transaction::end_command();
    }
    Ok(())
}
