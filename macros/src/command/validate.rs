//! Checks a command beyond its syntax.

use syn::Error;

use super::model::Command;
use crate::attributes::Errors;

pub(super) fn validate(command: &Command<'_>, errors: &mut Errors) {
    if command.streams.is_empty() {
        let message = "a command needs a stream: mark a field of type `StreamId`, `Option<StreamId>` or \
                       `Vec<StreamId>` with #[stream]";
        errors.push(Error::new_spanned(command.name, message));
    }
}
