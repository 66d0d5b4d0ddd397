//! The array form of an append: one array per column.

use super::request::{EventPart, Form, Request};
use crate::error::{Error, Malformed};
use crate::pg::function::Call;

/// Reads the arguments `(streams, expected_versions, event_streams, event_types, payloads,
/// metadata, event_ids, correlation_id, causation_id)`.
pub fn read<'a>(call: &Call<'a>) -> Result<Request<'a>, Error> {
    let mut request = Request::new(
        Form::Arrays,
        call.text_array(0, "streams")?,
        call.bigint_array(1, "expected_versions")?,
        call.uuid(7),
        call.uuid(8),
    )?;
    let null = |name| move || Malformed::argument(name, "is NULL");
    let streams = call
        .text_array(2, "event_streams")?
        .ok_or_else(null("event_streams"))?;
    let types = call
        .text_array(3, "event_types")?
        .ok_or_else(null("event_types"))?;
    let payloads = call
        .jsonb_array(4, "payloads")?
        .ok_or_else(null("payloads"))?;
    let metadata = call.jsonb_array(5, "metadata")?;
    let ids = call.uuid_array(6, "event_ids")?;

    let count = streams.0.len();
    require_length(count, "event_types", Some(types.0.len()))?;
    require_length(count, "payloads", Some(payloads.0.len()))?;
    require_length(
        count,
        "metadata",
        metadata.as_ref().map(|array| array.0.len()),
    )?;
    require_length(count, "event_ids", ids.as_ref().map(|array| array.0.len()))?;

    request.expect_events(count)?;
    for index in 0..count {
        let null = |part| move || Form::Arrays.malformed(part, index, "is NULL");
        request.push(
            streams
                .get(index)
                .ok_or_else(null(EventPart::Stream))?
                .bytes(),
            types.get(index).ok_or_else(null(EventPart::Type))?,
            payloads.get(index).ok_or_else(null(EventPart::Payload))?,
            metadata.as_ref().and_then(|array| array.get(index)),
            ids.as_ref().and_then(|array| array.get(index)),
        )?;
    }
    request.finish()
}

/// An array that is NULL as a whole matches any length.
fn require_length(count: usize, name: &'static str, length: Option<usize>) -> Result<(), Error> {
    match length {
        Some(length) if length != count => {
            let reason = format!("has {length} elements, event_streams has {count}");
            Err(Malformed::argument(name, reason).into())
        }
        _ => Ok(()),
    }
}
