//! Parts of the pages that operate something: lists by pages, what a role may not see, confirmations,
//! statements to copy.

use eventcore_inspect::text::safe;
use eventcore_inspect::{Error, ErrorKind};
use maud::{Markup, html};

use super::text::told;
use super::{form, link};
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;

/// A part of a page that the role may not see is a remark in its place.
pub(crate) fn permitted<T>(
    found: Result<T, Error>,
    show: impl FnOnce(T) -> Markup,
) -> Result<Markup, Failure> {
    match found {
        Ok(found) => Ok(show(found)),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(html! {
            p.note { "The role of this console may not see this: " (told(&error.to_string())) "." }
        }),
        Err(error) => Err(error.into()),
    }
}

/// How many rows of a list to ask for: one more than a page has says whether there is another page.
pub(crate) fn one_more(page: usize) -> i64 {
    i64::try_from(page).map_or(i64::MAX, |page| page.saturating_add(1))
}

/// The rows of this page, and if there is another page the link to it, made of the last of them.
pub(crate) fn page<T>(
    mut rows: Vec<T>,
    size: usize,
    next: impl FnOnce(&T) -> String,
) -> (Vec<T>, Option<String>) {
    let has_more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| has_more).map(next);
    (rows, next)
}

/// A list of names; for `None`, a word for all.
pub(crate) fn names(names: Option<&[String]>) -> Markup {
    html! {
        @match names {
            None => { "all" }
            Some(names) => { @for (at, name) in names.iter().enumerate() {
                @if at > 0 { ", " }
                code { (told(name)) }
            } }
        }
    }
}

/// A source or a statement, with its lines, to be copied.
pub(crate) fn source(text: &str) -> Markup {
    let lines: Vec<_> = text.lines().map(safe_line).collect();
    html! { pre.source tabindex="0" { code { (lines.join("\n")) } } }
}

fn safe_line(line: &str) -> String {
    line.split('\t').map(safe).collect::<Vec<_>>().join("\t")
}

/// Part of a whole, as a bar.
pub(crate) fn progress(label: &str, done: i64, whole: i64) -> Markup {
    let percent = match whole {
        0 => 100.0,
        whole => (done as f64 / whole as f64 * 100.0).clamp(0.0, 100.0),
    };
    html! {
        span.progress {
            progress max=(whole.max(1)) value=(done.clamp(0, whole.max(1))) aria-label=(label) {}
            " " (format!("{percent:.1} %"))
        }
    }
}

/// A link to the page that asks before something is done. Nothing if actions are not allowed.
pub(crate) fn asks(asked: &Asked, path: &str, label: &str) -> Markup {
    html! { @if asked.state().allow_actions { a.button href=(path) { (label) } } }
}

/// A page that asks before something is done that cannot be undone.
pub(crate) struct Confirmation<'a> {
    /// What will be done, as a question.
    pub(crate) question: String,
    /// What follows from it.
    pub(crate) consequence: Markup,
    /// Where the form is sent.
    pub(crate) action: String,
    /// The fields that are sent along.
    pub(crate) fields: Markup,
    /// What the button says.
    pub(crate) button: &'a str,
    /// Where to go instead.
    pub(crate) back: String,
}

impl Confirmation<'_> {
    pub(crate) fn page(self, asked: &Asked) -> Page {
        let body = html! {
            h1 { (told(&self.question)) }
            (self.consequence)
            @if asked.state().allow_actions {
                div.actions {
                    (form::action(asked, &self.action, html! {
                        (self.fields)
                        button.danger { (self.button) }
                    }))
                    a.button href=(self.back) { "Do nothing" }
                }
            } @else {
                p.note role="status" { "This console is read-only. Start it with " code { "--allow-actions" } " to do this." }
                p { a href=(self.back) { "Back" } }
            }
        };
        Page::new(self.question, body)
    }
}

/// The name of the thing, for the forms that ask again: browsers leave out what the address of such a
/// form has after `?`.
pub(crate) fn name_field(asked: &Asked) -> Markup {
    html! { @if let Some(name) = asked.value("name") { input type="hidden" name="name" value=(name); } }
}

/// The trail to a page below others.
pub(crate) fn trail(steps: &[(&str, String)]) -> Markup {
    html! {
        nav.trail aria-label="Trail" {
            @for (at, (name, path)) in steps.iter().enumerate() {
                @if at > 0 { " / " }
                a href=(path) { (told(name)) }
            }
        }
    }
}

/// The trail to what is below a thing with a name.
pub(crate) fn trail_to(kind: &'static str, path: &str, name: &str) -> Markup {
    trail(&[(kind, path.to_owned()), (name, link::named(path, name))])
}
