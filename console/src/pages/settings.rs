//! `/settings`: the settings of eventcore, and those of PostgreSQL that matter to it.

use eventcore_inspect::settings::{Setting, list};
use eventcore_inspect::text::safe;
use maud::{Markup, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::table::{self, Column, row, text, wide};
use crate::view::text::{badge, told};

pub(crate) const ROUTES: &[Route] = &[Route::page("/settings", |asked| Box::pin(settings(asked)))];

const COLUMNS: [Column; 6] = [
    text("Setting"),
    text("Value"),
    text("Default"),
    text("Set by"),
    text("Change needs"),
    wide("What it does"),
];

async fn settings(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let (ours, others): (Vec<_>, Vec<_>) =
        list(&session).await?.into_iter().partition(|of| of.is_ours);
    let body = html! {
        h1 { "Settings" }
        section {
            h2 { "Of eventcore" }
            @if ours.is_empty() { (table::nothing("The library is not loaded: add eventcore to shared_preload_libraries.")) }
            @else { (table::table("Settings of eventcore", &COLUMNS, rows(&ours))) }
        }
        section {
            h2 { "Of PostgreSQL" }
            (table::table("Settings of PostgreSQL that matter to eventcore", &COLUMNS, rows(&others)))
        }
    };
    Ok(Page::new("Settings", body).into())
}

/// The name of a file without its folders, which are in its title.
fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn rows(settings: &[Setting]) -> Markup {
    html! {
        @for of in settings {
            (row(&COLUMNS, &[
                html! { code { (of.name) } },
                html! {
                    code { (told(&of.value)) }
                    @if of.pending_restart { " " (badge("waits for a restart", "warn")) }
                },
                html! { @if let Some(default) = &of.default { code { (told(default)) } } },
                html! { span { (told(&of.source)) @if let Some(file) = &of.file { " " span.id title=(safe(file)) { (told(last_part(file))) } } } },
                html! { (of.changed_by.as_str()) },
                html! { (told(&of.description)) },
            ]))
        }
    }
}
