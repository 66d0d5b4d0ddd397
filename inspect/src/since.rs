//! Times and positions as a person writes them: `10m`, `2026-11-29T05:00:00Z`, `123456`.

use crate::error::Error;
use crate::position_at::position_at;
use crate::session::Session;
use crate::time::Time;

/// A position, or a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// After this position.
    Position(i64),
    /// As many microseconds ago.
    Ago(i64),
    /// At this time.
    At(Time),
}

const UNITS: [(&str, i64); 5] = [
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(position) = text.parse() {
            return match position {
                0.. => Ok(Self::Position(position)),
                _ => Err("a position is not negative".to_owned()),
            };
        }
        if let Some(micros) = micros(text) {
            return Ok(Self::Ago(micros));
        }
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return Ok(Self::At(Time::from_unix_micros(time.as_microsecond())));
        }
        let expected =
            "is no position, no time ago such as 10m, and no time such as 2026-11-29T05:00:00Z";
        Err(expected.to_owned())
    }
}

/// A number of microseconds, as `10m`.
fn micros(text: &str) -> Option<i64> {
    UNITS.iter().find_map(|(unit, micros)| {
        let number = text.strip_suffix(unit)?.parse::<u32>().ok()?;
        Some(i64::from(number).saturating_mul(*micros))
    })
}

/// How long something may take: `30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration(pub std::time::Duration);

impl std::str::FromStr for Duration {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let micros = micros(text).and_then(|micros| u64::try_from(micros).ok());
        let micros = micros.ok_or("is no time such as 30s or 10m")?;
        Ok(Self(std::time::Duration::from_micros(micros)))
    }
}

impl Since {
    /// The position after which the events are.
    ///
    /// # Errors
    ///
    /// The role may not read events, or the connection is lost.
    pub async fn position(self, session: &Session) -> Result<i64, Error> {
        let time = match self {
            Self::Position(position) => return Ok(position),
            Self::Ago(micros) => {
                Time::from_unix_micros(Time::now().unix_micros().saturating_sub(micros))
            }
            Self::At(time) => time,
        };
        position_at(session, time).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_a_time_ago_and_a_time_are_told_apart() {
        assert_eq!("123".parse(), Ok(Since::Position(123)));
        assert_eq!("10m".parse(), Ok(Since::Ago(600_000_000)));
        assert_eq!("250ms".parse(), Ok(Since::Ago(250_000)));
        let at = Time::from_unix_micros(1_796_000_000_000_000);
        assert_eq!(at.to_string().parse(), Ok(Since::At(at)));
    }

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        let minute = std::time::Duration::from_secs(60);
        assert_eq!("1m".parse(), Ok(Duration(minute)));
        for text in ["", "1", "m", "-1s", "1.5s"] {
            assert!(text.parse::<Duration>().is_err(), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "-1",
            "10",
            "ten",
            "10 minutes",
            "2026-13-01T00:00:00Z",
            "-5m",
        ] {
            let parsed = text.parse::<Since>();
            assert!(parsed.is_err() || text == "10", "{text}: {parsed:?}");
        }
    }
}
