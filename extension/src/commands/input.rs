//! The input of a command: its streams, and its required fields.

use super::definition::Definition;
use crate::error::{Error, Malformed};
use crate::pg::array::TextArray;
use crate::pg::jsonb::{Item, Type};
use crate::pg::value::{Jsonb, Text};

/// A stream that the input names.
#[derive(Clone, Copy)]
pub struct NamedStream<'a> {
    pub stream: Text<'a>,
    /// Whether events for it are refused.
    pub only_checked: bool,
}

/// SE003 unless the input has the fields that the command requires, each with its type.
pub fn require_fields(definition: &Definition<'_>, input: Jsonb<'_>) -> Result<(), Error> {
    let Some(required) = definition.required_fields.and_then(Jsonb::object) else {
        return Ok(());
    };
    for pointer in required.keys() {
        let wanted = required.get(&pointer);
        let wanted = wanted.as_ref().and_then(Item::bytes).unwrap_or_default();
        let found = find(input, pointer.as_bytes());
        let found = found.map_or("missing", |item| match item.json_type() {
            Type::Null => "null",
            Type::String => "string",
            Type::Number => "number",
            Type::Boolean => "boolean",
            Type::Array => "array",
            Type::Object => "object",
        });
        let is_there = found != "missing" && found != "null";
        if !(is_there && wanted == b"any" || found.as_bytes() == wanted) {
            let wanted = String::from_utf8_lossy(wanted);
            let reason = format!("is {found}, not {wanted}");
            return Err(Malformed::argument("input", reason).field(pointer).into());
        }
    }
    Ok(())
}

/// The streams that the input names, in the order of the command's pointers, without duplicates.
pub fn streams<'a>(
    definition: &mut Definition<'a>,
    input: Jsonb<'a>,
) -> Result<Vec<NamedStream<'a>>, Error> {
    let mut named = Vec::new();
    if let Some(function) = &mut definition.streams_function {
        let streams = function.texts_of(input);
        for stream in texts(streams, "result of streams_function")? {
            add(&mut named, stream, false);
        }
    } else {
        let written = definition.streams.iter().map(|pointer| (pointer, false));
        let checked = definition
            .checked_streams
            .iter()
            .map(|pointer| (pointer, true));
        for (pointer, only_checked) in written.chain(checked) {
            read_pointer(&mut named, input, *pointer, only_checked)?;
        }
    }
    if named.is_empty() {
        return Err(Malformed::argument("input", "names no stream").into());
    }
    Ok(named)
}

/// The elements of a `text[]` that a function returned.
pub fn texts<'a>(
    returned: Result<Option<TextArray<'a>>, &'static str>,
    what: &'static str,
) -> Result<Vec<Text<'a>>, Error> {
    let returned = returned.map_err(|reason| Malformed::argument(what, reason))?;
    let Some(array) = returned else {
        return Ok(Vec::new());
    };
    let text = |index| {
        let text = array.get(index).map(Text::keep);
        text.ok_or_else(|| Malformed::argument(what, "is NULL").at(index).into())
    };
    (0..array.0.len()).map(text).collect()
}

fn read_pointer<'a>(
    named: &mut Vec<NamedStream<'a>>,
    input: Jsonb<'a>,
    pointer: Text<'a>,
    only_checked: bool,
) -> Result<(), Error> {
    let wrong =
        |reason: &str| Error::from(Malformed::argument("input", reason).field(pointer.to_string()));
    let found = find(input, pointer.bytes())
        .ok_or_else(|| wrong("is missing, and the command needs the stream that it names"))?;
    if let Some(stream) = found.text() {
        add(named, stream, only_checked);
        return Ok(());
    }
    let streams = found
        .elements()
        .ok_or_else(|| wrong("is neither a string nor an array of strings"))?;
    for index in 0..streams.len() {
        let stream = streams.get(index).text();
        let stream = stream.ok_or_else(|| wrong("is not an array of strings"))?;
        add(named, stream, only_checked);
    }
    Ok(())
}

/// Adds a stream. If it is named twice, events for it are refused only if both names are of checked
/// streams.
fn add<'a>(named: &mut Vec<NamedStream<'a>>, stream: Text<'a>, only_checked: bool) {
    let known = named
        .iter_mut()
        .find(|known| known.stream.bytes() == stream.bytes());
    match known {
        Some(known) => known.only_checked &= only_checked,
        None => named.push(NamedStream {
            stream,
            only_checked,
        }),
    }
}

/// The value to which a JSON pointer (RFC 6901) leads.
fn find<'a>(input: Jsonb<'a>, pointer: &[u8]) -> Option<Item<'a>> {
    let mut item = input.item();
    for step in pointer.split(|byte| *byte == b'/').skip(1) {
        let mut key = String::from_utf8_lossy(step);
        if key.contains('~') {
            key = key.replace("~1", "/").replace("~0", "~").into();
        }
        item = match (item.object(), item.elements()) {
            (Some(object), _) => object.get(&key)?,
            (None, Some(elements)) => {
                let index: usize = key.parse().ok()?;
                (index < elements.len()).then(|| elements.get(index))?
            }
            (None, None) => return None,
        };
    }
    Some(item)
}
