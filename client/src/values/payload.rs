//! [`Payload`]: what happened, as JSON text.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::invalid_value::InvalidValue;
use super::json;

/// The payload of an event: JSON text that never changes and is cheap to clone.
///
/// The text is written once, when the event is encoded, and parsed once, when it is decoded.
/// Nothing in between looks into it. Two payloads are equal if they are the same JSON value, digit
/// by digit, however it is written. A payload may hold numbers that no Rust type holds.
///
/// ```
/// use eventcore::Payload;
/// use serde_json::json;
///
/// let payload = Payload::from(json!({ "cents": 5 }));
/// assert_eq!(payload.as_str(), r#"{"cents":5}"#);
/// assert_eq!(payload, r#"{ "cents" : 5 }"#.parse::<Payload>()?);
/// assert!("{ cents: 5 }".parse::<Payload>().is_err());
/// # Ok::<(), eventcore::InvalidValue>(())
/// ```
#[derive(Clone)]
pub struct Payload(Arc<str>);

impl Payload {
    /// The value as JSON.
    ///
    /// # Errors
    ///
    /// The value cannot be written as JSON, for example because a map has keys that are not
    /// strings.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Self::write(|buffer| serde_json::to_writer(buffer, value))
    }

    /// Decodes the JSON as a type of yours, or as a [`Value`].
    ///
    /// # Errors
    ///
    /// The JSON is not a `T`.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the payload is JSON null, which no store accepts.
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    /// The JSON that `write` puts into the buffer. It must not have white space around it.
    pub(crate) fn write<E: From<serde_json::Error>>(
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut buffer = Buffer::take();
        write(&mut buffer.0)?;
        let text = std::str::from_utf8(&buffer.0).map_err(serde_json::Error::custom)?;
        Ok(Self::from_json(text))
    }

    /// A payload from text that is known to be JSON without white space around it.
    pub(crate) fn from_json(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Whether a string in it contains the character U+0000. JSON can only write it as an escape.
    pub(crate) fn has_nul(&self) -> bool {
        const NUL: &str = "\\u0000";
        let escapes = |at: usize| {
            let before = self.0.as_bytes()[..at].iter().rev();
            // An odd number of backslashes before it means that this one is the second half of an
            // escaped backslash.
            before.take_while(|byte| **byte == b'\\').count() % 2 == 0
        };
        self.0.contains(NUL) && self.0.match_indices(NUL).any(|(at, _)| escapes(at))
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::from_json(value.to_string())
    }
}

/// JSON text that serde_json has checked but not parsed, as it is written.
impl From<&RawValue> for Payload {
    fn from(json: &RawValue) -> Self {
        Self::from_json(json.get())
    }
}

impl FromStr for Payload {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        // Parses a whole value, because serde_json checks text that it skips less strictly.
        match serde_json::from_str::<Value>(text) {
            Ok(_) => Ok(Self::from_json(text.trim_ascii())),
            Err(_) => Err(InvalidValue::json("payload")),
        }
    }
}

impl TryFrom<&str> for Payload {
    type Error = InvalidValue;

    fn try_from(text: &str) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl TryFrom<String> for Payload {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        text.parse()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        json::is_same(&self.0, &other.0)
    }
}

impl PartialEq<Value> for Payload {
    fn eq(&self, other: &Value) -> bool {
        json::is_same(&self.0, &other.to_string())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({})", self.0)
    }
}

/// Serialized as the JSON value that it is, not as a string. What no [`Value`] holds, such as a
/// number with more digits than a float has, can only be serialized to JSON, and is written as it
/// is.
impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.decode::<Value>() {
            Ok(value) if *self == value => value.serialize(serializer),
            _ => {
                let raw = RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?;
                raw.serialize(serializer)
            }
        }
    }
}

/// From JSON the text is taken as it is. From other formats it is the text of the [`Value`] that
/// they hold.
impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(RAW, OfAnyFormat)
    }
}

/// Under this name serde_json hands out the text of a value. To other formats the name means
/// nothing.
const RAW: &str = "$serde_json::private::RawValue";

struct OfAnyFormat;

impl<'de> Visitor<'de> for OfAnyFormat {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    /// The form in which serde_json hands out the text.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Payload, A::Error> {
        let raw = Box::<RawValue>::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Payload::from(&*raw))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<Payload, D::Error> {
        Value::deserialize(value).map(Payload::from)
    }
}

/// A buffer in which a thread writes payloads while their length is not known.
struct Buffer(Vec<u8>);

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Buffer {
    /// The largest buffer that a thread keeps.
    const MAX_KEPT: usize = 64 * 1024;

    /// Takes the buffer instead of borrowing it, because a type's `Serialize` may itself encode a
    /// payload.
    fn take() -> Self {
        Self(BUFFER.try_with(Cell::take).unwrap_or_default())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.capacity() <= Self::MAX_KEPT {
            let mut buffer = std::mem::take(&mut self.0);
            buffer.clear();
            // If the thread is ending, the buffer is dropped.
            let _ = BUFFER.try_with(|kept| kept.set(buffer));
        }
    }
}
