//! `/projections`: all projections that run inside the server.

use eventcore_inspect::projections::{Projection, list_after};
use maud::{Markup, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::monitor::Reader;
use crate::page::Page;
use crate::routes::Route;
use crate::view::held::held_back;
use crate::view::operate::{one_more, page};
use crate::view::table::{self, Column, long, number, row, text, wide};
use crate::view::text::{badge, seconds, told};
use crate::view::{link, spark};

pub(crate) const ROUTES: &[Route] = &[Route::page("/projections", |asked| {
    Box::pin(projections(asked))
})];

const PAGE: usize = 100;

const COLUMNS: [Column; 9] = [
    wide("Projection"),
    text("Mode"),
    text("State"),
    number("Events behind"),
    text("Behind"),
    text("Trend"),
    number("Skipped"),
    number("Parked"),
    long("Last error"),
];

async fn projections(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let after = asked.value("after").unwrap_or_default();
    let found = list_after(&session, after, one_more(PAGE)).await?;
    let (found, next) = page(found, PAGE, |last| {
        asked.with(&[("after", Some(&last.name))])
    });
    let body = html! {
        h1 { "Projections" }
        p.note { "Those that run inside the server. " a href="/checkpoints" { "Checkpoints" } " has those that run in clients." }
        ec-live id="projections" data-every="5" {
            (held_back(&asked))
            @if found.is_empty() { (table::nothing("No projection on this page.")) }
            @else { (table::table("Projections, by name", &COLUMNS, rows(&asked, &found))) }
        }
        (table::more(next.as_deref(), "Next page"))
    };
    Ok(Page::new("Projections", body).into())
}

fn rows(asked: &Asked, found: &[Projection]) -> Markup {
    html! {
        @for of in found {
            @let lags = asked.state().monitor.lags(&Reader::Projection(of.name.clone()));
            @let parked = link::below("/projections", &of.name, "parked", []);
            (row(&COLUMNS, &[
                html! { a.name href=(link::named("/projections", &of.name)) { (told(&of.name)) } },
                html! { (of.mode) },
                state(of),
                crate::view::text::number(of.lag_events),
                seconds(of.lag_seconds),
                spark::trend(&lags),
                html! { (of.skipped) },
                html! { @if of.parked > 0 { a href=(parked) { (badge(&of.parked.to_string(), "warn")) } } @else { "0" } },
                html! { @if let Some(error) = &of.last_error { (told(error)) } },
            ]))
        }
    }
}

/// Whether it runs, and what keeps it from that.
pub(super) fn state(of: &Projection) -> Markup {
    let mood = match of.status.as_str() {
        "running" if of.waits_for.is_none() => "good",
        "failed" => "bad",
        _ => "warn",
    };
    html! {
        (badge(&of.status, mood))
        @if let Some(waits_for) = &of.waits_for { " waits for " (told(waits_for)) }
    }
}
