//! [`Body`]: the JSON of a request, together with its bytes.

use std::fmt;
use std::marker::PhantomData;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};

use serde_json::Value;

use super::Problem;

/// The JSON of a request.
pub(super) struct Body<T> {
    /// What it says.
    pub(super) value: T,
    /// Its bytes, which tell two requests apart.
    pub(super) bytes: Bytes,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(CONTENT_TYPE);
        let is_json = kind.is_none_or(|kind| {
            let kind = kind.to_str().unwrap_or_default();
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json")
        });
        if !is_json {
            return Err(Problem::unsupported_media_type());
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(Problem::of_body)?;
        // An empty body is an empty object: all fields may be optional.
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let mut value: Value = serde_json::from_slice(text).map_err(Problem::malformed)?;
        whole_numbers(&mut value);
        let Object(value) = serde_json::from_value(value).map_err(Problem::malformed)?;
        Ok(Self { value, bytes })
    }
}

/// Makes whole numbers of those that are written with a fraction of zero, such as 3.0: for JSON Schema
/// they are integers.
fn whole_numbers(value: &mut Value) {
    /// Up to here an f64 has every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;

    match value {
        Value::Array(values) => values.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            if let Some(float) = float.filter(|float| float.fract() == 0.0 && float.abs() < EXACT) {
                *value = Value::from(float as i64);
            }
        }
        _ => {}
    }
}

/// A JSON object. A derived `Deserialize` takes an array of the fields as well, which the document
/// does not allow.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(Object)
    }
}
