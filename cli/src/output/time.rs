//! Times and durations for people.

use eventcore_inspect::Time;

use crate::arguments::TimeStyle;

const MICROS: i64 = 1_000_000;

pub(super) fn shown(time: Time, style: TimeStyle, now: Time) -> String {
    let micros = time.unix_micros();
    match style {
        TimeStyle::Iso => time.to_string(),
        TimeStyle::Raw => {
            let sign = if micros < 0 { "-" } else { "" };
            let micros = micros.unsigned_abs();
            format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
        }
        TimeStyle::Relative => {
            let ago = now.unix_micros().saturating_sub(micros);
            match ago / MICROS {
                // Beyond a month the date says more.
                seconds if seconds.unsigned_abs() > 30 * 86_400 => time.to_string(),
                _ if ago < -MICROS => format!("in {}", duration(-(ago as f64) / 1e6)),
                0 if ago < MICROS => "now".to_owned(),
                _ => format!("{} ago", duration(ago as f64 / 1e6)),
            }
        }
    }
}

/// A duration in one unit, rounded down.
pub(super) fn duration(seconds: f64) -> String {
    let units = [(86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s")];
    for (length, name) in units {
        if seconds >= length {
            return format!("{} {name}", (seconds / length).floor());
        }
    }
    match seconds > 0.0 {
        true => format!("{:.0} ms", seconds * 1e3),
        false => "0 s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000_000;

    fn ago(seconds: i64) -> String {
        let time = Time::from_unix_micros(NOW - seconds * MICROS);
        shown(time, TimeStyle::Relative, Time::from_unix_micros(NOW))
    }

    #[test]
    fn a_relative_time_has_one_unit_and_a_long_ago_one_is_a_date() {
        assert_eq!(ago(0), "now");
        assert_eq!(ago(59), "59 s ago");
        assert_eq!(ago(119), "1 min ago");
        assert_eq!(ago(86_400 * 3), "3 d ago");
        assert_eq!(ago(-120), "in 2 min");
        assert_eq!(ago(86_400 * 31), "2026-12-15T08:00:00.000000Z");
    }

    #[test]
    fn a_raw_time_is_in_seconds_since_1970() {
        let raw = |micros| shown(Time::from_unix_micros(micros), TimeStyle::Raw, Time::now());
        assert_eq!(raw(1), "0.000001");
        assert_eq!(raw(-1_500_000), "-1.500000");
        assert_eq!(raw(NOW), "1800000000.000000");
    }
}
