//! JSON in a page: the server's text with its parts in colours. Nothing is parsed to a value, so no
//! number loses a digit.

use eventcore_inspect::text::safe;
use maud::{Markup, PreEscaped, html};

/// The longest text that a page shows. The whole is at `.json`.
const LONGEST: usize = 64 * 1024;

/// The longest text in a row of a table, in characters.
const LONGEST_IN_ROW: usize = 160;

/// How far a line is moved to the right at most, in steps.
const DEEPEST: usize = 24;

/// A part of a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Sign(char),
    Text(&'a str),
    /// A number, `true`, `false` or `null`.
    Word(&'a str),
}

/// A document on several lines.
pub(crate) fn document(text: &str) -> Markup {
    let cut = cut(text, LONGEST);
    html! {
        pre.json tabindex="0" { code { (PreEscaped(lines(cut))) } }
        @if cut.len() < text.len() {
            p.cut { "The first " (cut.len()) " of " (text.len()) " bytes." }
        }
    }
}

/// The beginning of a document on one line.
pub(crate) fn preview(text: &str) -> Markup {
    let end = text.char_indices().nth(LONGEST_IN_ROW).map(|(at, _)| at);
    html! {
        code.preview { (safe(&text[..end.unwrap_or(text.len())])) @if end.is_some() { "…" } }
    }
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

fn lines(text: &str) -> String {
    let parts: Vec<Part<'_>> = parts(text).collect();
    let mut html = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    for (at, part) in parts.iter().enumerate() {
        let next = parts.get(at + 1);
        match part {
            Part::Sign(open @ ('{' | '[')) => {
                html.push(*open);
                depth += 1;
                if !matches!(next, Some(Part::Sign('}' | ']'))) {
                    new_line(&mut html, depth);
                }
            }
            Part::Sign(close @ ('}' | ']')) => {
                depth = depth.saturating_sub(1);
                let before = at.checked_sub(1).map(|at| parts[at]);
                if !matches!(before, Some(Part::Sign('{' | '['))) {
                    new_line(&mut html, depth);
                }
                html.push(*close);
            }
            Part::Sign(',') => {
                html.push(',');
                new_line(&mut html, depth);
            }
            Part::Sign(sign) => {
                html.push(*sign);
                html.push(' ');
            }
            Part::Text(text) => {
                let class = match next {
                    Some(Part::Sign(':')) => "key",
                    _ => "string",
                };
                html.push_str(&html! { span class=(class) { (safe(text)) } }.into_string());
            }
            Part::Word(word) => {
                let class =
                    match word.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
                        true => "numeral",
                        false => "word",
                    };
                html.push_str(&html! { span class=(class) { (safe(word)) } }.into_string());
            }
        }
    }
    html
}

fn new_line(html: &mut String, depth: usize) {
    html.push('\n');
    html.push_str(&"  ".repeat(depth.min(DEEPEST)));
}

/// The parts of a JSON text, without the space between them. A text that was cut ends with a part
/// that was cut.
fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let (part, length) = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => (Part::Sign(first), 1),
            '"' => {
                let length = length_of_text(rest);
                (Part::Text(&rest[..length]), length)
            }
            _ => {
                let end = |letter: char| "{}[],:\"".contains(letter) || letter.is_whitespace();
                let length = rest.find(end).unwrap_or(rest.len());
                (Part::Word(&rest[..length]), length)
            }
        };
        rest = &rest[length..];
        Some(part)
    })
}

/// The length of the text in quotes with which this begins.
fn length_of_text(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_and_every_letter_is_kept_and_escaped() {
        let text = r#"{"a": 1234567890123456789012345678901234567890.5, "b<": ["x\"</pre>", {}, [], null]}"#;
        let shown = lines(text);
        assert!(
            shown.contains("1234567890123456789012345678901234567890.5"),
            "{shown}"
        );
        assert!(
            shown.contains("<span class=\"key\">&quot;b&lt;&quot;</span>: ["),
            "{shown}"
        );
        assert!(shown.contains("x\\&quot;&lt;/pre&gt;"), "{shown}");
        assert!(
            shown.contains("{},\n") && shown.contains("[],\n"),
            "{shown}"
        );
        assert!(!shown.contains("</pre>"), "{shown}");
    }

    #[test]
    fn a_text_that_is_cut_anywhere_is_shown_without_a_panic() {
        let text = r#"{"ä": "b\\\"ü", "c": [1.5e-7, true]}"#;
        for (at, _) in text.char_indices() {
            let _ = lines(&text[..at]);
        }
    }
}
