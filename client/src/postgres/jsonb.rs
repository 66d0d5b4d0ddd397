//! Payloads as `jsonb`, whose binary form consists of a version and the text.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::values::Payload;

/// The only version of the binary form so far.
const VERSION: u8 = 1;

impl ToSql for Payload {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u8(VERSION);
        out.put_slice(self.as_str().as_bytes());
        Ok(IsNull::No)
    }

    accepts!(JSONB);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Payload {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match raw.split_first() {
            // Whatever the server sends as `jsonb` is valid JSON.
            Some((&VERSION, text)) => Ok(Self::from_json(std::str::from_utf8(text)?)),
            _ => Err("unknown version of jsonb".into()),
        }
    }

    accepts!(JSONB);
}
