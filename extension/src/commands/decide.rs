//! What a command decides: the events that `handle` returns, as an append; or a rejection.

use super::definition::Definition;
use super::fold::Known;
use crate::append::{self, Request};
use crate::error::{Error, Malformed};
use crate::pg::catch::rejecting;
use crate::pg::function::Call;
use crate::pg::jsonb::Kind;
use crate::pg::value::Jsonb;

/// Calls `handle`.
///
/// SE006 when it raises an error; SE002 or SE003 when what it returns are no events for these streams.
pub fn decide<'a>(
    definition: &mut Definition<'a>,
    input: Jsonb<'a>,
    known: &Known<'a>,
    call: &Call<'a>,
) -> Result<Request<'a>, Error> {
    let metadata = call.jsonb(5);
    if metadata.is_some_and(|metadata| metadata.kind() != Kind::Object) {
        return Err(Malformed::argument("metadata", "is not a JSON object").into());
    }
    let command = definition.name;
    let handle = &mut definition.handle;
    let events = rejecting(command, || handle.jsonb_of_two(known.state.state(), input));
    let streams = known.streams.iter().map(|named| named.stream);
    let mut request = Request::of_command(
        streams.zip(known.versions.iter().copied()),
        call.uuid(2),
        call.uuid(3),
    )?;
    if let Some(events) = events {
        append::push_json(&mut request, events, metadata)?;
    }
    let request = request.finish()?;
    for (index, event) in request.events.iter().enumerate() {
        if known.streams[event.stream].only_checked {
            return Err(Error::OnlyChecked {
                stream: known.streams[event.stream].stream.to_string(),
                event: index,
            });
        }
    }
    Ok(request)
}
