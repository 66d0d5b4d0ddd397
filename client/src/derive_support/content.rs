//! Serializes a variant without its name: only its content becomes JSON.

use std::fmt::{self, Display};

use serde::ser::{
    Impossible, Serialize, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleVariant, Serializer,
};
use serde_json::{Error, Value};

use crate::values::Payload;

/// The JSON of the variant's content.
///
/// Also returns whether the type serializes itself in the form of serde's derive.
pub(super) fn of<E: Serialize>(event: &E) -> Result<(Payload, bool), Error> {
    let written = Payload::write(|buffer| {
        let mut json = serde_json::Serializer::new(buffer);
        event.serialize(Content(&mut json))
    });
    match written {
        Ok(payload) => Ok((payload, true)),
        Err(Refused::Json(error)) => Err(error),
        Err(Refused::NoVariant) => Ok((by_hand(event)?, false)),
    }
}

/// For a type that does not serialize itself in serde's form of a variant: the content of an
/// object's only field, else the whole value.
fn by_hand<E: Serialize>(event: &E) -> Result<Payload, Error> {
    Ok(match serde_json::to_value(event)? {
        Value::Object(tagged) if tagged.len() == 1 => tagged
            .into_iter()
            .next()
            .map_or(Value::Null, |(_, content)| content),
        other => other,
    }
    .into())
}

/// Passes on only the content of a variant.
struct Content<S>(S);

#[derive(Debug)]
enum Refused {
    /// The value is not a variant with content.
    NoVariant,
    Json(Error),
}

/// Methods that refuse their input.
macro_rules! refuse {
    ($($method:ident($($argument:ty),*)),* -> $result:ty) => {
        refuse! { @ $(($method($($argument),*) -> $result))* }
    };
    (@ $(($method:ident($($argument:ty),*) -> $result:ty))*) => {
        $(
            fn $method(self, $(_: $argument),*) -> Result<$result, Refused> {
                Err(Refused::NoVariant)
            }
        )*
    };
}

impl<S: Serializer<Error = Error>> Serializer for Content<S> {
    type Ok = S::Ok;
    type Error = Refused;
    type SerializeSeq = Impossible<S::Ok, Refused>;
    type SerializeTuple = Impossible<S::Ok, Refused>;
    type SerializeTupleStruct = Impossible<S::Ok, Refused>;
    type SerializeTupleVariant = Content<S::SerializeTuple>;
    type SerializeMap = Impossible<S::Ok, Refused>;
    type SerializeStruct = Impossible<S::Ok, Refused>;
    type SerializeStructVariant = Content<S::SerializeStruct>;

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<S::Ok, Refused> {
        value.serialize(self.0).map_err(Refused::Json)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Content<S::SerializeTuple>, Refused> {
        Ok(Content(self.0.serialize_tuple(len)?))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        len: usize,
    ) -> Result<Content<S::SerializeStruct>, Refused> {
        Ok(Content(self.0.serialize_struct(name, len)?))
    }

    refuse! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32),
        serialize_i64(i64), serialize_i128(i128), serialize_u8(u8), serialize_u16(u16),
        serialize_u32(u32), serialize_u64(u64), serialize_u128(u128), serialize_f32(f32),
        serialize_f64(f64), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
        serialize_none(), serialize_unit(), serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str)
        -> S::Ok
    }
    refuse! { serialize_seq(Option<usize>) -> Self::SerializeSeq }
    refuse! { serialize_tuple(usize) -> Self::SerializeTuple }
    refuse! { serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct }
    refuse! { serialize_map(Option<usize>) -> Self::SerializeMap }
    refuse! { serialize_struct(&'static str, usize) -> Self::SerializeStruct }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<S::Ok, Refused> {
        Err(Refused::NoVariant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, Refused> {
        Err(Refused::NoVariant)
    }
}

impl<S: SerializeTuple<Error = Error>> SerializeTupleVariant for Content<S> {
    type Ok = S::Ok;
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        Ok(self.0.serialize_element(value)?)
    }

    fn end(self) -> Result<S::Ok, Refused> {
        Ok(self.0.end()?)
    }
}

impl<S: SerializeStruct<Error = Error>> SerializeStructVariant for Content<S> {
    type Ok = S::Ok;
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        Ok(self.0.serialize_field(key, value)?)
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), Refused> {
        Ok(self.0.skip_field(key)?)
    }

    fn end(self) -> Result<S::Ok, Refused> {
        Ok(self.0.end()?)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Json(error)
    }
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVariant => f.write_str("not a variant with content"),
            Self::Json(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

impl serde::ser::Error for Refused {
    fn custom<T: Display>(message: T) -> Self {
        Self::Json(serde::ser::Error::custom(message))
    }
}
