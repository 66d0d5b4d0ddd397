//! Events as JSON: one jsonb, with an object per event, from a caller or from a command.

use super::request::{EventPart, Form, Request};
use crate::error::{Error, Malformed};
use crate::pg::function::Call;
use crate::pg::jsonb::{Item, Kind, Object};
use crate::pg::value::Jsonb;
use uuid::Uuid;

const KEYS: [&str; 5] = ["stream", "type", "payload", "metadata", "id"];

/// Reads the arguments `(streams, expected_versions, events, correlation_id, causation_id)`.
pub fn read<'a>(call: &Call<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new(
        Form::Json,
        call.text_array(0, "streams")?,
        call.bigint_array(1, "expected_versions")?,
        call.uuid(3),
        call.uuid(4),
    )?;
    let events = call
        .jsonb(2)
        .ok_or_else(|| Malformed::argument("events", "is NULL"))?;
    push_all(&mut request, events, None)?;
    request.finish()
}

/// Adds the events of a JSON array. `metadata` is added to the metadata of each event, whose own
/// keys win.
pub fn push_all<'a>(
    request: &mut Request<'a>,
    events: Jsonb<'a>,
    metadata: Option<Jsonb<'a>>,
) -> Result<(), Error> {
    let argument = request.form().argument();
    let events = events
        .elements()
        .ok_or_else(|| Malformed::argument(argument, "is not a JSON array"))?;
    request.expect_events(events.len())?;
    for index in 0..events.len() {
        let element = events.get(index);
        let event = element
            .object()
            .ok_or_else(|| Malformed::argument(argument, "is not a JSON object").at(index))?;
        push(request, index, &event, metadata)?;
    }
    Ok(())
}

fn push<'a>(
    request: &mut Request<'a>,
    index: usize,
    event: &Object<'a>,
    beneath: Option<Jsonb<'a>>,
) -> Result<(), Error> {
    let form = request.form();
    let wrong = |part, reason: &str| form.malformed(part, index, reason);
    let required = |part, item: Option<Item<'a>>| item.ok_or_else(|| wrong(part, "is missing"));
    let [stream, event_type, payload, metadata, id] = event.get_all(KEYS);

    let stream = required(EventPart::Stream, stream)?;
    let stream = stream
        .bytes()
        .ok_or_else(|| wrong(EventPart::Stream, "is not a string"))?;
    let event_type = required(EventPart::Type, event_type)?;
    let event_type = event_type
        .text()
        .ok_or_else(|| wrong(EventPart::Type, "is not a string"))?;
    let payload = required(EventPart::Payload, payload)?;

    let known = 3 + usize::from(metadata.is_some()) + usize::from(id.is_some());
    if known < event.len() {
        let unknown = event
            .keys()
            .into_iter()
            .find(|key| !KEYS.contains(&key.as_str()));
        return Err(
            Malformed::argument(form.argument(), "is not a key of an event")
                .at(index)
                .field(unknown.unwrap_or_default())
                .into(),
        );
    }
    let id = given(id).map(|id| read_id(&id)).transpose();
    let id = id.map_err(|reason| wrong(EventPart::Id, reason))?;
    let metadata = given(metadata).map(|metadata| metadata.to_jsonb());
    let metadata = match (beneath, metadata) {
        (Some(beneath), Some(metadata)) if metadata.kind() == Kind::Object => {
            Some(beneath.with(metadata))
        }
        (beneath, metadata) => metadata.or(beneath),
    };
    request.push(stream, event_type, payload.to_jsonb(), metadata, id)
}

/// A key with the value null counts as a missing key.
fn given(item: Option<Item<'_>>) -> Option<Item<'_>> {
    item.filter(|item| !item.is_null())
}

fn read_id(id: &Item<'_>) -> Result<Uuid, &'static str> {
    let text = id.bytes().ok_or("is not a string")?;
    Uuid::try_parse_ascii(text).map_err(|_| "is not a uuid")
}
