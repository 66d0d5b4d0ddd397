//! An append with one array per column: the array form, and the compact form, whose payloads and
//! metadata are texts.

use super::request::{EventPart, Form, Request};
use crate::arguments::json;
use crate::error::{Error, Malformed};
use crate::pg::array::{JsonbArray, TextArray, UuidArray};
use crate::pg::function::Call;
use crate::pg::value::Jsonb;

/// The payloads, or the metadata, of the events.
enum Documents<'a> {
    Jsonb(JsonbArray<'a>),
    Texts(TextArray<'a>, EventPart),
}

impl<'a> Documents<'a> {
    fn len(&self) -> usize {
        match self {
            Self::Jsonb(array) => array.0.len(),
            Self::Texts(array, _) => array.0.len(),
        }
    }

    /// `None` for NULL. A text that cannot be a jsonb raises SE003.
    fn get(&self, index: usize, reader: &mut json::Reader) -> Option<Jsonb<'a>> {
        match self {
            Self::Jsonb(array) => array.get(index),
            Self::Texts(array, part) => array.get(index).map(|text| {
                reader.read(text, |reason| Form::Arrays.malformed(*part, index, reason))
            }),
        }
    }
}

/// Reads the arguments `(streams, expected_versions, event_streams, event_types, payloads,
/// metadata, event_ids, correlation_id, causation_id)` of the array form.
pub fn read<'a>(call: &Call<'a>) -> Result<Request<'a>, Error> {
    read_with(call, |number, _, name| {
        Ok(call.jsonb_array(number, name)?.map(Documents::Jsonb))
    })
}

/// Reads the same arguments of the compact form, and `known_position`, `correlation_ids` and
/// `causation_ids`.
pub fn read_compact<'a>(call: &Call<'a>) -> Result<Request<'a>, Error> {
    let mut request = read_with(call, |number, part, name| {
        let texts = call.text_array(number, name)?;
        Ok(texts.map(|texts| Documents::Texts(texts, part)))
    })?;
    let correlation_ids = origins(call, 10, "correlation_ids", &request)?;
    request.correlation.set_of_each(correlation_ids);
    let causation_ids = origins(call, 11, "causation_ids", &request)?;
    request.causation.set_of_each(causation_ids);
    request.known_position = call.bigint(9);
    match request.known_position {
        Some(position) if position < 1 => {
            let reason = format!("is {position}, must be at least 1");
            Err(Malformed::argument("known_position", reason).into())
        }
        _ => Ok(request),
    }
}

/// Reads an id for each event; `None` for NULL.
fn origins<'a>(
    call: &Call<'a>,
    number: usize,
    name: &'static str,
    request: &Request<'a>,
) -> Result<Option<UuidArray<'a>>, Error> {
    let ids = call.uuid_array(number, name)?;
    let length = ids.as_ref().map(|array| array.0.len());
    require_length(request.events.len(), name, length)?;
    Ok(ids)
}

/// `documents` reads the argument with a number and a name.
fn read_with<'a>(
    call: &Call<'a>,
    documents: impl Fn(usize, EventPart, &'static str) -> Result<Option<Documents<'a>>, Error>,
) -> Result<Request<'a>, Error> {
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
    let payloads = documents(4, EventPart::Payload, "payloads")?.ok_or_else(null("payloads"))?;
    let metadata = documents(5, EventPart::Metadata, "metadata")?;
    let ids = call.uuid_array(6, "event_ids")?;

    let count = streams.0.len();
    require_length(count, "event_types", Some(types.0.len()))?;
    require_length(count, "payloads", Some(payloads.len()))?;
    require_length(count, "metadata", metadata.as_ref().map(Documents::len))?;
    require_length(count, "event_ids", ids.as_ref().map(|array| array.0.len()))?;

    request.expect_events(count)?;
    let mut reader = json::Reader::new();
    for index in 0..count {
        let null = |part| move || Form::Arrays.malformed(part, index, "is NULL");
        request.push(
            streams
                .get(index)
                .ok_or_else(null(EventPart::Stream))?
                .bytes(),
            types.get(index).ok_or_else(null(EventPart::Type))?,
            payloads
                .get(index, &mut reader)
                .ok_or_else(null(EventPart::Payload))?,
            metadata
                .as_ref()
                .and_then(|array| array.get(index, &mut reader)),
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
