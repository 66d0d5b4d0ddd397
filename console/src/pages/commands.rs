//! `/commands`: all commands that run inside the database.

use eventcore_inspect::commands::{Command, list_after};
use eventcore_inspect::text::safe;
use maud::{Markup, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::link;
use crate::view::operate::{one_more, page};
use crate::view::table::{self, Column, number, row, text, wide};
use crate::view::text::{time, told};

pub(crate) const ROUTES: &[Route] = &[Route::page("/commands", |asked| Box::pin(commands(asked)))];

const PAGE: usize = 100;

const COLUMNS: [Column; 6] = [
    wide("Command"),
    text("Handle"),
    text("Apply"),
    text("Streams"),
    number("Keeps states after"),
    text("Changed"),
];

async fn commands(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let after = asked.value("after").unwrap_or_default();
    let found = list_after(&session, after, one_more(PAGE)).await?;
    let (found, next) = page(found, PAGE, |last| {
        asked.with(&[("after", Some(&last.name))])
    });
    let body = html! {
        h1 { "Commands" }
        p.note { "Those that run inside the database." }
        @if found.is_empty() { (table::nothing("No command on this page.")) }
        @else { (table::table("Commands, by name", &COLUMNS, rows(&found))) }
        (table::more(next.as_deref(), "Next page"))
    };
    Ok(Page::new("Commands", body).into())
}

fn rows(found: &[Command]) -> Markup {
    html! {
        @for of in found {
            (row(&COLUMNS, &[
                html! { a.name href=(link::named("/commands", &of.name)) { (told(&of.name)) } },
                function(&of.handle),
                function(&of.apply),
                streams(of),
                html! { @if of.snapshot_every > 0 { (of.snapshot_every) } @else { "never" } },
                time(of.changed_at),
            ]))
        }
    }
}

/// A function without the types of its arguments, which every command has alike.
fn function(signature: &str) -> Markup {
    let name = signature.split('(').next().unwrap_or_default();
    html! { code title=(safe(signature)) { (told(name)) } }
}

/// Where its streams are named.
pub(super) fn streams(of: &Command) -> Markup {
    let pointers = of.streams.iter().flatten();
    let checked = of.checked_streams.iter().flatten();
    html! {
        @if let Some(function) = &of.streams_function { code { (told(function)) } }
        @for pointer in pointers { code { (told(pointer)) } " " }
        @for pointer in checked { code { (told(pointer)) } " (checked) " }
    }
}
