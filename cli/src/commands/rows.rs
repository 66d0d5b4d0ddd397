//! Events as rows and as records.

use eventcore_inspect::Event;
use serde_json::value::RawValue;

use crate::output::{Column, Row, Show, counted, left, maybe, right, seconds};

impl Row for Event {
    fn columns() -> Vec<Column> {
        vec![
            right("POSITION"),
            left("RECORDED"),
            left("STREAM"),
            right("VERSION"),
            left("TYPE"),
            left("PAYLOAD"),
        ]
    }

    fn cells(&self, show: Show) -> Vec<String> {
        vec![
            self.position.to_string(),
            show.time(self.recorded_at),
            self.stream_id.clone(),
            self.version.to_string(),
            self.event_type.clone(),
            self.payload.get().to_owned(),
        ]
    }
}

/// The fields of an event.
pub(super) fn fields(event: &Event, show: Show) -> Vec<(&'static str, String)> {
    vec![
        ("position", event.position.to_string()),
        ("stream", event.stream_id.clone()),
        ("version", event.version.to_string()),
        ("type", event.event_type.clone()),
        ("event id", event.event_id.to_string()),
        ("correlation id", maybe(event.correlation_id)),
        ("causation id", maybe(event.causation_id)),
        ("recorded", show.time(event.recorded_at)),
        ("payload", indented(&event.payload)),
        (
            "metadata",
            event.metadata.as_deref().map(indented).unwrap_or_default(),
        ),
    ]
}

/// The prefixes or types that a reader is limited to.
pub(super) fn filter(only: Option<&[String]>) -> String {
    only.map_or_else(|| "all".to_owned(), |only| only.join(", "))
}

/// How far a reader is behind. Not every position has an event, or one that it wants.
pub(super) fn lag(positions: i64, behind: f64) -> String {
    format!(
        "at most {}, {}",
        counted(positions, "event"),
        seconds(behind)
    )
}

/// JSON on several lines, with every text and number as it was: only white space between them is
/// added. What the server sends has a space after each comma and colon.
pub(super) fn indented(json: &RawValue) -> String {
    let mut shown = String::new();
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut letters = json.get().chars().peekable();
    while let Some(letter) = letters.next() {
        if in_text {
            shown.push(letter);
            match letter {
                '\\' => shown.extend(letters.next()),
                '"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match letter {
            '"' => {
                in_text = true;
                shown.push(letter);
            }
            '{' | '[' => {
                shown.push(letter);
                let closing = if letter == '{' { '}' } else { ']' };
                if let Some(letter) = letters.next_if_eq(&closing) {
                    shown.push(letter);
                } else {
                    depth += 1;
                    new_line(&mut shown, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut shown, depth);
                shown.push(letter);
            }
            ',' => {
                shown.push(letter);
                new_line(&mut shown, depth);
            }
            ':' => shown.push_str(": "),
            letter if letter.is_ascii_whitespace() => {}
            letter => shown.push(letter),
        }
    }
    shown
}

fn new_line(shown: &mut String, depth: usize) {
    shown.push('\n');
    shown.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_no_text_or_number_changes() {
        let json = r#"{"n": 12345678901234567890.10, "t": "a, {b}: \"c\\", "e": [], "l": [1, {}]}"#;
        let raw = RawValue::from_string(json.to_owned()).unwrap();
        let expected = "{\n  \"n\": 12345678901234567890.10,\n  \"t\": \"a, {b}: \\\"c\\\\\",\n  \"e\": [],\n  \"l\": [\n    1,\n    {}\n  ]\n}";
        assert_eq!(indented(&raw), expected);
    }
}
