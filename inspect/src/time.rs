//! [`Time`]: a point in time of the server.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// Microseconds between 1970, where Unix begins to count, and 2000, where PostgreSQL does.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// A `timestamptz`, to the microsecond. It displays and serializes as RFC 3339 in UTC. PostgreSQL's
/// `infinity` and what is after the year 9999 is `infinity`; likewise `-infinity` before -9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(i64);

impl Time {
    /// Microseconds since 1970.
    #[must_use]
    pub fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970; the ends of the range for infinite times.
    #[must_use]
    pub fn unix_micros(self) -> i64 {
        self.0
    }

    /// A time of this machine's clock.
    #[must_use]
    pub fn of_system(time: SystemTime) -> Self {
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(error) => -micros(error.duration()),
        })
    }

    /// The clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        Self::of_system(SystemTime::now())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_) if self.0 > 0 => f.write_str("infinity"),
            Err(_) => f.write_str("-infinity"),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A time in UTC by RFC 3339, or infinity, or -infinity.",
            "type": "string",
            "anyOf": [{"format": "date-time"}, {"enum": ["infinity", "-infinity"]}],
        })
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        match text.as_ref() {
            "infinity" => Ok(Self(i64::MAX)),
            "-infinity" => Ok(Self(i64::MIN)),
            text => {
                let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
                Ok(Self(time.as_microsecond()))
            }
        }
    }
}

impl<'a> FromSql<'a> for Time {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let since_2000 = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(since_2000.saturating_add(POSTGRES_EPOCH)))
    }

    accepts!(TIMESTAMPTZ);
}

impl ToSql for Time {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut tokio_postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let since_2000 = self.0.saturating_sub(POSTGRES_EPOCH);
        out.extend_from_slice(&since_2000.to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(since_2000: i64) -> String {
        let time = Time::from_sql(&Type::TIMESTAMPTZ, &since_2000.to_be_bytes()).unwrap();
        time.to_string()
    }

    #[test]
    fn a_time_is_shown_to_the_microsecond_in_utc() {
        assert_eq!(received(0), "2000-01-01T00:00:00.000000Z");
        assert_eq!(received(1), "2000-01-01T00:00:00.000001Z");
        assert_eq!(received(-1), "1999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn infinite_times_and_times_beyond_the_calendar_are_shown_without_a_panic() {
        assert_eq!(received(i64::MAX), "infinity");
        assert_eq!(received(i64::MIN), "-infinity");
        assert_eq!(received(9_223_371_331_199_999_999), "infinity");
    }
}
