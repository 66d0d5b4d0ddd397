//! [`Metadata`]: what an application stores with an event besides its payload.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::invalid_value::InvalidValue;
use super::payload::Payload;

/// What an application stores with an event besides its payload: a JSON object, as text that never
/// changes and is cheap to clone.
///
/// [`decode`](Self::decode) and [`RecordedEvent::decode_with`](crate::RecordedEvent::decode_with)
/// parse it. Nothing else does. So an event can be read even if the program cannot parse its
/// metadata, for example because it contains a number that no Rust type holds.
///
/// ```
/// use eventcore::Metadata;
/// use serde_json::{Map, Value, json};
///
/// let metadata = Metadata::encode(&json!({ "actor": "ada" }))?;
/// assert_eq!(metadata.as_str(), r#"{"actor":"ada"}"#);
/// assert_eq!(metadata.decode::<Map<String, Value>>()?["actor"], "ada");
/// assert!(Metadata::encode(&1).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Metadata(Payload);

impl Metadata {
    /// The value as JSON. It must be an object.
    ///
    /// # Errors
    ///
    /// The value cannot be written as JSON, or is not an object.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, InvalidValue> {
        Payload::encode(value)
            .map_err(InvalidValue::metadata)?
            .try_into()
    }

    /// Decodes the JSON as a type of yours, or as a map.
    ///
    /// # Errors
    ///
    /// The JSON is not a `T`.
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        self.0.decode()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same text as a payload.
    pub(crate) fn as_payload(&self) -> &Payload {
        &self.0
    }

    /// Metadata that a store returned.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code))]
    pub(crate) fn of_store(json: Payload) -> Self {
        Self(json)
    }
}

impl TryFrom<Payload> for Metadata {
    type Error = InvalidValue;

    fn try_from(json: Payload) -> Result<Self, InvalidValue> {
        match json.as_str().starts_with('{') {
            true => Ok(Self(json)),
            false => Err(InvalidValue::metadata("is not a JSON object")),
        }
    }
}

impl From<Map<String, Value>> for Metadata {
    fn from(fields: Map<String, Value>) -> Self {
        Self(Value::Object(fields).into())
    }
}

impl FromIterator<(String, Value)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Self {
        fields.into_iter().collect::<Map<_, _>>().into()
    }
}

impl FromStr for Metadata {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        text.parse::<Payload>()?.try_into()
    }
}

impl PartialEq<Value> for Metadata {
    fn eq(&self, other: &Value) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Metadata({})", self.0)
    }
}

/// Serialized as a JSON object, not as a string.
impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Payload::deserialize(deserializer)?;
        json.try_into().map_err(serde::de::Error::custom)
    }
}
