//! What a command decides: the events that `handle` returns, as an append, or a rejection.

use super::definition::Definition;
use super::execution::Execution;
use super::fold::CommandState;
use crate::append::{self, Request};
use crate::error::{Error, Malformed, Rejected};
use crate::pg::catch::{ErrorFields, translating};
use crate::pg::jsonb::Kind;
use crate::pg::value::Text;
use crate::registry::Outcome;

/// Calls `handle`.
///
/// SE006 if it raises an error. SE002 or SE003 if it does not return events for these streams.
pub fn decide<'a>(
    definition: &mut Definition<'a>,
    execution: &Execution<'a>,
    current: &CommandState<'a>,
) -> Result<Request<'a>, Error> {
    let metadata = execution.metadata;
    if metadata.is_some_and(|metadata| metadata.kind() != Kind::Object) {
        return Err(Malformed::argument("metadata", "is not a JSON object").into());
    }
    let command = definition.name;
    let handle = &mut definition.handle;
    let events = translating(
        || handle.jsonb_of_two(current.folded.state(), execution.input),
        |raised| {
            let rejection = rejection(command, raised);
            if rejection.is_some() {
                execution.outcome.set(Outcome::Rejected);
            }
            rejection
        },
    );
    let streams = current.streams.iter().map(|named| named.stream);
    let mut request = Request::of_command(
        streams.zip(current.versions.iter().copied()),
        execution.correlation_id,
        execution.causation_id,
    )?;
    if let Some(events) = events {
        append::push_json(&mut request, events, metadata)?;
    }
    let request = request.finish()?;
    for (index, event) in request.events.iter().enumerate() {
        if current.streams[event.stream].only_checked {
            return Err(Error::OnlyChecked {
                stream: current.streams[event.stream].stream.to_string(),
                event: index,
            });
        }
    }
    Ok(request)
}

/// SE006 for an error by which `handle` rejects the command; `None` for any other error, such as a
/// cancelled statement.
fn rejection(command: Text<'_>, raised: ErrorFields) -> Option<Error> {
    let ErrorFields {
        sqlstate,
        message,
        detail,
        hint,
    } = raised;
    is_decision(&sqlstate).then(|| {
        Error::Rejected(Rejected {
            command: command.to_string(),
            sqlstate,
            message,
            detail,
            hint,
        })
    })
}

/// Whether an error is a decision of `handle`. These are not: a lost connection, a deadlock, a lock
/// timeout, too few resources, an action of the operator, a broken server, and an error of
/// eventcore.
fn is_decision(sqlstate: &str) -> bool {
    !["08", "40", "53", "54", "57", "58", "XX", "SE", "00"].contains(&&sqlstate[..2])
        && sqlstate != "55P03"
}
