//! What the code that `#[derive(Event)]` writes calls. Not for use by hand.

mod content;
mod variant;

pub use serde::Serialize;
pub use serde::de::DeserializeOwned;

use crate::store::EventError;
use crate::values::Payload;

/// The payload of an event without fields.
pub fn empty_payload() -> Payload {
    Payload::from_json("{}")
}

/// The fields of an enum's variant, at this index, without the variant's name around them.
pub fn encode_variant<E: Serialize + DeserializeOwned>(
    event_type: &str,
    index: u32,
    event: &E,
) -> Result<Payload, EventError> {
    let (payload, is_derived) =
        content::of(event).map_err(|source| EventError::encode(event_type, source))?;
    let payload = not_null(event_type, Ok(payload))?;
    if !is_derived {
        // Stored events must stay readable.
        variant::decode::<E>(index, payload.as_str())
            .map_err(|source| EventError::encode(event_type, source))?;
    }
    Ok(payload)
}

/// The fields of a struct.
pub fn encode_struct<E: Serialize>(event_type: &str, event: &E) -> Result<Payload, EventError> {
    not_null(event_type, Payload::encode(event))
}

/// The variant at this index among all variants of the enum, from its fields.
pub fn decode_variant<E: DeserializeOwned>(
    event_type: &str,
    index: u32,
    payload: &Payload,
) -> Result<E, EventError> {
    variant::decode(index, payload.as_str())
        .map_err(|source| EventError::decode(event_type, source))
}

/// A struct, or any other type, from its JSON.
pub fn decode_struct<E: DeserializeOwned>(
    event_type: &str,
    payload: &Payload,
) -> Result<E, EventError> {
    payload
        .decode()
        .map_err(|source| EventError::decode(event_type, source))
}

/// A struct without fields, whatever was stored for it.
pub fn decode_unit_struct<E: DeserializeOwned>(
    event_type: &str,
    _payload: &Payload,
) -> Result<E, EventError> {
    serde_json::from_str("null").map_err(|source| EventError::decode(event_type, source))
}

/// Converts an old event to the current one with the function of `#[upcast]`.
pub fn upcast<Old: DeserializeOwned, E, With: FnOnce(Old) -> E>(
    event_type: &str,
    payload: &Payload,
    with: With,
) -> Result<E, EventError> {
    decode_struct(event_type, payload).map(with)
}

fn not_null(
    event_type: &str,
    encoded: Result<Payload, serde_json::Error>,
) -> Result<Payload, EventError> {
    let payload = encoded.map_err(|source| EventError::encode(event_type, source))?;
    if payload.is_null() {
        return Err(EventError::null(event_type));
    }
    Ok(payload)
}
