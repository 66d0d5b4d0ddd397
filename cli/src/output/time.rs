//! Times, in the style that was asked for.

use eventcore_inspect::Time;
use eventcore_inspect::text::ago;

use crate::arguments::TimeStyle;

pub(super) fn shown(time: Time, style: TimeStyle, now: Time) -> String {
    let micros = time.unix_micros();
    match style {
        TimeStyle::Iso => time.to_string(),
        TimeStyle::Raw => {
            let sign = if micros < 0 { "-" } else { "" };
            let micros = micros.unsigned_abs();
            format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
        }
        TimeStyle::Relative => ago(time, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROS: i64 = 1_000_000;
    const NOW: i64 = 1_800_000_000_000_000;

    fn relative(seconds: i64) -> String {
        let time = Time::from_unix_micros(NOW - seconds * MICROS);
        shown(time, TimeStyle::Relative, Time::from_unix_micros(NOW))
    }

    #[test]
    fn a_relative_time_has_one_unit_and_a_long_ago_one_is_a_date() {
        assert_eq!(relative(0), "now");
        assert_eq!(relative(59), "59 s ago");
        assert_eq!(relative(119), "1 min ago");
        assert_eq!(relative(86_400 * 3), "3 d ago");
        assert_eq!(relative(-120), "in 2 min");
        assert_eq!(relative(86_400 * 31), "2026-12-15T08:00:00.000000Z");
    }

    #[test]
    fn a_raw_time_is_in_seconds_since_1970() {
        let raw = |micros| shown(Time::from_unix_micros(micros), TimeStyle::Raw, Time::now());
        assert_eq!(raw(1), "0.000001");
        assert_eq!(raw(-1_500_000), "-1.500000");
        assert_eq!(raw(NOW), "1800000000.000000");
    }
}
