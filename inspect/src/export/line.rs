//! An event as a line of JSON, from the binary values of its columns.

use std::fmt::Display;
use std::io;

use jiff::Timestamp;
use tokio_postgres::types::{FromSql, Type};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::error::{Error, ErrorKind};
use crate::time::Time;

/// How many columns an event has.
pub(super) const COLUMNS: usize = 10;

/// The values of the columns of an event in binary, in the order of `event_columns!`; `None` is
/// NULL.
pub(super) type Columns<'a> = [Option<&'a [u8]>; COLUMNS];

/// Lines, one after the other.
#[derive(Default)]
pub(super) struct Lines {
    text: Vec<u8>,
    day: Day,
}

impl Lines {
    /// The lines so far.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Writes them, and begins again.
    pub(super) fn write_to(&mut self, out: &mut impl io::Write) -> Result<(), Error> {
        let written = out.write_all(&self.text);
        self.text.clear();
        written.map_err(Error::of_writer)
    }

    /// Adds a line for an event.
    pub(super) fn push(&mut self, columns: &Columns<'_>) -> Result<(), Error> {
        let [
            position,
            stream_id,
            version,
            event_id,
            event_type,
            payload,
            metadata,
            correlation_id,
            causation_id,
            recorded_at,
        ] = *columns;
        self.after("{\"position\":").number(position)?;
        self.after(",\"stream_id\":").string(stream_id)?;
        self.after(",\"version\":").number(version)?;
        self.after(",\"event_id\":").uuid(event_id)?;
        self.after(",\"event_type\":").string(event_type)?;
        self.after(",\"payload\":").json(payload)?;
        self.after(",\"metadata\":").json(metadata)?;
        self.after(",\"correlation_id\":").uuid(correlation_id)?;
        self.after(",\"causation_id\":").uuid(causation_id)?;
        self.after(",\"recorded_at\":").time(recorded_at)?;
        self.text.extend_from_slice(b"}\n");
        Ok(())
    }

    fn after(&mut self, text: &str) -> &mut Self {
        self.text.extend_from_slice(text.as_bytes());
        self
    }

    fn number(&mut self, value: Option<&[u8]>) -> Result<(), Error> {
        let value = i64::from_be_bytes(array(value)?);
        let mut digits = itoa::Buffer::new();
        self.after(digits.format(value));
        Ok(())
    }

    fn string(&mut self, value: Option<&[u8]>) -> Result<(), Error> {
        let text = text(value.ok_or_else(null)?)?;
        serde_json::to_writer(&mut self.text, text).map_err(wrong)
    }

    /// The text of a `jsonb`, which is valid JSON in one line.
    fn json(&mut self, value: Option<&[u8]>) -> Result<(), Error> {
        let json = match value.map(<[u8]>::split_first) {
            None => "null",
            Some(Some((1, json))) => text(json)?,
            Some(_) => return Err(wrong("unknown version of jsonb")),
        };
        self.after(json);
        Ok(())
    }

    fn uuid(&mut self, value: Option<&[u8]>) -> Result<(), Error> {
        if value.is_none() {
            self.after("null");
            return Ok(());
        }
        let id = Uuid::from_bytes(array(value)?);
        let mut digits = [0; Hyphenated::LENGTH];
        let digits = id.hyphenated().encode_lower(&mut digits);
        self.after("\"").after(digits).after("\"");
        Ok(())
    }

    fn time(&mut self, value: Option<&[u8]>) -> Result<(), Error> {
        let value = value.ok_or_else(null)?;
        let time = Time::from_sql(&Type::TIMESTAMPTZ, value).map_err(wrong)?;
        self.text.push(b'"');
        self.day.write(time, &mut self.text);
        self.text.push(b'"');
        Ok(())
    }
}

fn array<const N: usize>(value: Option<&[u8]>) -> Result<[u8; N], Error> {
    value.ok_or_else(null)?.try_into().map_err(wrong)
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(wrong)
}

fn null() -> Error {
    wrong("a column is NULL that an event always has")
}

pub(super) fn wrong(reason: impl Display) -> Error {
    Error::new(
        ErrorKind::Failed,
        format!("the server sent a row that is no event: {reason}"),
    )
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The day of the last time that was written: a date is costly, and events come by the day.
#[derive(Default)]
struct Day {
    /// Microseconds since 1970, of its midnight.
    start: i64,
    /// Its date, and a `T`.
    date: String,
}

impl Day {
    /// Makes it the day that starts there. False: the calendar has no such day.
    fn is(&mut self, start: i64) -> bool {
        if self.start == start && !self.date.is_empty() {
            return true;
        }
        let Ok(midnight) = Timestamp::from_microsecond(start) else {
            return false;
        };
        self.start = start;
        self.date = midnight.to_string();
        let end = self.date.find('T').map_or(0, |end| end + 1);
        self.date.truncate(end);
        true
    }

    /// Writes a time as [`Time`] displays it.
    fn write(&mut self, time: Time, out: &mut Vec<u8>) {
        let micros = time.unix_micros();
        let start = micros.saturating_sub(micros.rem_euclid(DAY));
        if !self.is(start) || Timestamp::from_microsecond(micros).is_err() {
            // At the ends of the calendar a time may have no date.
            return out.extend_from_slice(time.to_string().as_bytes());
        }
        let of_day = micros - start;
        let (seconds, fraction) = (of_day / SECOND, of_day % SECOND);
        out.extend_from_slice(self.date.as_bytes());
        digits::<2>(seconds / 3600, out);
        out.push(b':');
        digits::<2>(seconds / 60 % 60, out);
        out.push(b':');
        digits::<2>(seconds % 60, out);
        out.push(b'.');
        digits::<6>(fraction, out);
        out.push(b'Z');
    }
}

/// Writes a number with leading zeros.
fn digits<const N: usize>(mut number: i64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_displayed() {
        let mut day = Day::default();
        for micros in [
            0,
            1,
            -1,
            DAY - 1,
            DAY,
            -DAY,
            -DAY - 1,
            1_764_421_234_000_070,
            1_764_421_234_999_999,
            -62_167_219_200_000_001,
            -377_705_023_201_000_000 + 1,
            i64::MAX,
            i64::MIN,
            253_402_207_200_999_999,
            253_402_207_201_000_000,
            -377_705_023_201_000_000,
            253_402_300_799_999_999,
            253_402_300_800_000_000,
            -377_705_116_800_000_000,
            -377_705_116_800_000_001,
            1_764_421_234_000_070,
        ] {
            let time = Time::from_unix_micros(micros);
            let mut written = Vec::new();
            day.write(time, &mut written);
            assert_eq!(String::from_utf8(written).unwrap(), time.to_string());
        }
    }

    #[test]
    fn an_event_is_a_line_with_the_names_of_its_columns() {
        let id = [0x1f; 16];
        let mut columns: Columns<'_> = [
            Some(&[0, 0, 0, 0, 0, 0, 1, 0]),
            Some("a \"b\"\n\u{2028}".as_bytes()),
            Some(&[0, 0, 0, 0, 0, 0, 0, 9]),
            Some(&id),
            Some(b"T"),
            Some(b"\x01{\"cents\": 12345678901234567890.10}"),
            None,
            Some(&id),
            None,
            Some(&[0; 8]),
        ];
        let mut lines = Lines::default();
        lines.push(&columns).unwrap();
        let expected = "{\"position\":256,\"stream_id\":\"a \\\"b\\\"\\n\u{2028}\",\"version\":9,\
            \"event_id\":\"1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f\",\"event_type\":\"T\",\
            \"payload\":{\"cents\": 12345678901234567890.10},\"metadata\":null,\
            \"correlation_id\":\"1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f\",\"causation_id\":null,\
            \"recorded_at\":\"2000-01-01T00:00:00.000000Z\"}\n";
        assert_eq!(std::str::from_utf8(lines.text()).unwrap(), expected);

        let wrong: [(usize, Option<&[u8]>); 8] = [
            (0, None),
            (0, Some(&[1])),
            (1, Some(&[0xff])),
            (3, Some(&[0; 15])),
            (5, Some(b"")),
            (5, Some(b"\x02{}")),
            (7, Some(&[0; 17])),
            (9, Some(&[0; 7])),
        ];
        for (column, value) in wrong {
            let right = std::mem::replace(&mut columns[column], value);
            assert!(lines.push(&columns).is_err(), "{column} {value:?}");
            columns[column] = right;
        }
    }
}
