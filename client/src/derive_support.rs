//! What the code that `#[derive(Event)]` writes calls. Not for use by hand.

use serde::de::value::U32Deserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer};
use serde::de::{VariantAccess, Visitor};
use serde_json::{Error, Map};

pub use serde::Serialize;
pub use serde::de::DeserializeOwned;
pub use serde_json::Value;

use crate::EventError;

/// The payload of an event without fields.
pub fn empty_payload() -> Value {
    Value::Object(Map::new())
}

/// The fields of an enum's variant, without the variant's name around them.
pub fn encode_variant<E: Serialize>(event_type: &str, event: &E) -> Result<Value, EventError> {
    match encode(event_type, event)? {
        Value::Object(tagged) if tagged.len() == 1 => {
            let payload = tagged
                .into_iter()
                .next()
                .map_or(Value::Null, |(_, payload)| payload);
            not_null(event_type, payload)
        }
        other => not_null(event_type, other),
    }
}

/// The fields of a struct.
pub fn encode_struct<E: Serialize>(event_type: &str, event: &E) -> Result<Value, EventError> {
    not_null(event_type, encode(event_type, event)?)
}

/// The variant at this index among all variants of the enum, from its fields.
pub fn decode_variant<E: DeserializeOwned>(
    event_type: &str,
    index: u32,
    payload: Value,
) -> Result<E, EventError> {
    E::deserialize(Variant { index, payload })
        .map_err(|source| EventError::decode(event_type, source))
}

/// A struct from its fields.
pub fn decode_struct<E: DeserializeOwned>(
    event_type: &str,
    payload: Value,
) -> Result<E, EventError> {
    serde_json::from_value(payload).map_err(|source| EventError::decode(event_type, source))
}

/// A struct without fields, whatever was stored for it.
pub fn decode_unit_struct<E: DeserializeOwned>(
    event_type: &str,
    _payload: Value,
) -> Result<E, EventError> {
    decode_struct(event_type, Value::Null)
}

fn encode<E: Serialize>(event_type: &str, event: &E) -> Result<Value, EventError> {
    serde_json::to_value(event).map_err(|source| EventError::encode(event_type, source))
}

fn not_null(event_type: &str, payload: Value) -> Result<Value, EventError> {
    match payload {
        Value::Null => Err(EventError::null(event_type)),
        payload => Ok(payload),
    }
}

/// Deserializes a variant that is known by its index, so that serde's own renaming of variants plays
/// no part in what is stored.
struct Variant {
    index: u32,
    payload: Value,
}

struct Fields(Value);

impl<'de> Deserializer<'de> for Variant {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = Fields;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Fields), Error> {
        let index: U32Deserializer<Error> = self.index.into_deserializer();
        Ok((seed.deserialize(index)?, Fields(self.payload)))
    }
}

impl<'de> VariantAccess<'de> for Fields {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.0.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.deserialize_map(visitor)
    }
}
