//! Names, numbers, times and durations in a page.

use eventcore_inspect::Time;
use eventcore_inspect::text::{ago, duration, safe};
use maud::{Markup, html};

use super::link;

/// A text of unknown origin: what is not seen or turns the direction is shown as an escape.
pub(crate) fn told(text: &str) -> Markup {
    html! { bdi { (safe(text)) } }
}

/// The name of a stream, which leads to its page.
pub(crate) fn stream(name: &str) -> Markup {
    html! { a.name href=(link::stream(name)) { (told(name)) } }
}

/// The type of an event.
pub(crate) fn event_type(name: &str) -> Markup {
    html! { span.type { (told(name)) } }
}

/// A position, which leads to the page of its event.
pub(crate) fn position(position: i64) -> Markup {
    html! { a.number href=(link::event(position)) { (number(position)) } }
}

/// A whole number with its thousands apart. The spaces are narrow, and what is copied has none: they
/// are made by the style.
pub(crate) fn number(value: i64) -> Markup {
    let digits = value.unsigned_abs().to_string();
    let first = match digits.len() % 3 {
        0 => 3,
        rest => rest,
    };
    let (head, mut rest) = digits.split_at(first.min(digits.len()));
    let mut groups = vec![head];
    while !rest.is_empty() {
        let (group, others) = rest.split_at(3);
        groups.push(group);
        rest = others;
    }
    html! {
        span.digits {
            @if value < 0 { "−" }
            @for (at, group) in groups.iter().enumerate() {
                @if at == 0 { (group) } @else { span.group { (group) } }
            }
        }
    }
}

/// How many of something there are: `1 event`, `2 events`.
pub(crate) fn count(count: impl TryInto<i64>, thing: &str) -> Markup {
    let count = count.try_into().unwrap_or(i64::MAX);
    let is_long = count >= 1_000;
    html! { @if is_long { (number(count)) } @else { (count) } " " (thing) @if count != 1 { "s" } }
}

/// A text of ours, in which what is between backticks is code.
pub(crate) fn marked(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (safe(part)) } } @else { (safe(part)) }
        }
    }
}

/// A rate, with as many digits as say something.
pub(crate) fn rate(value: f32) -> Markup {
    match value {
        value if value >= 100.0 => number(value.round() as i64),
        value if value >= 10.0 || value == 0.0 => html! { (format!("{value:.0}")) },
        value => html! { (format!("{value:.1}")) },
    }
}

/// How long ago a time is; the browser keeps it current. The whole time is its title.
pub(crate) fn time(time: Time) -> Markup {
    html! { time datetime=(time) title=(time) { (ago(time, Time::now())) } }
}

/// The same for a time that may not be.
pub(crate) fn maybe_time(value: Option<Time>) -> Markup {
    html! { @if let Some(value) = value { (time(value)) } }
}

/// A number of seconds, in one unit.
pub(crate) fn seconds(value: f64) -> Markup {
    html! { (duration(value)) }
}

/// A number of bytes, in one unit.
pub(crate) fn bytes(value: i64) -> Markup {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => html! { (value) " B" },
        _ => html! { (format!("{size:.1} {}", units[unit])) },
    }
}

/// A short word for a state, in a colour: `good`, `bad`, `warn` or `calm`.
pub(crate) fn badge(word: &str, mood: &str) -> Markup {
    html! { span class={ "badge " (mood) } { (safe(word)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_thousands_apart_and_no_other_character() {
        let shown = number(-1_234_567).into_string();
        assert!(
            shown.contains("−1<span class=\"group\">234</span><span class=\"group\">567</span>"),
            "{shown}"
        );
        assert!(number(i64::MIN).into_string().contains("808"));
        assert!(number(0).into_string().contains('0'));
    }

    #[test]
    fn one_thing_is_no_plural_and_what_is_between_backticks_is_code() {
        assert!(count(1, "event").into_string().ends_with(" event"));
        assert!(count(0, "event").into_string().ends_with(" events"));
        assert_eq!(
            marked("see `a<b` there").into_string(),
            "see <code>a&lt;b</code> there"
        );
    }
}
