//! Text for people: names that a terminal or a page shows and does not obey, durations, times ago.

use std::borrow::Cow;
use std::fmt::Write;

use crate::time::Time;

/// The text with every character escaped that a terminal would obey, that is not seen, or that
/// turns the direction of what is around it. An escape is that of JSON and Rust: `\u{1b}`.
#[must_use]
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            letter if is_unsafe(letter) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(letter));
            }
            letter => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            // A soft hyphen, joiners, marks of direction, separators of lines.
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            // Tags, which spell text that is not seen.
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A duration in one unit, rounded down.
#[must_use]
pub fn duration(seconds: f64) -> String {
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

/// How long ago a time is, in one unit. Beyond a month the date says more.
#[must_use]
pub fn ago(time: Time, now: Time) -> String {
    const SECOND: i64 = 1_000_000;
    let micros = now.unix_micros().saturating_sub(time.unix_micros());
    match micros / SECOND {
        seconds if seconds.unsigned_abs() > 30 * 86_400 => time.to_string(),
        _ if micros < -SECOND => format!("in {}", duration(-(micros as f64) / 1e6)),
        0 if micros < SECOND => "now".to_owned(),
        _ => format!("{} ago", duration(micros as f64 / 1e6)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(safe("\u{1b}[2Jx\u{7}"), "\\u{1b}[2Jx\\u{7}");
        assert_eq!(safe("a\nb\tc\r"), "a\\nb\\tc\\r");
        assert_eq!(safe("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn what_turns_the_direction_or_is_not_seen_is_escaped() {
        assert_eq!(safe("order-\u{202e}drow"), "order-\\u{202e}drow");
        assert_eq!(
            safe("a\u{200b}b\u{2066}c\u{feff}"),
            "a\\u{200b}b\\u{2066}c\\u{feff}"
        );
        assert_eq!(safe("\u{e0041}"), "\\u{e0041}");
    }

    #[test]
    fn letters_of_all_languages_stay_as_they_are() {
        for text in ["Überweisung", "שלום", "注文-1", "café", "👍"] {
            assert!(matches!(safe(text), Cow::Borrowed(same) if same == text));
        }
    }
}
