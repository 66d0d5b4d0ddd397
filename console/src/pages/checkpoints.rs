//! `/checkpoints`: projections that run in clients, by the checkpoints that they keep here.

use eventcore_inspect::checkpoints::{Checkpoint, list_after};
use maud::{Markup, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::monitor::Reader;
use crate::page::Page;
use crate::routes::Route;
use crate::view::held::held_back;
use crate::view::operate::{one_more, page};
use crate::view::spark;
use crate::view::table::{self, Column, number, row, text, wide};
use crate::view::text::{badge, position, time, told};

pub(crate) const ROUTES: &[Route] = &[Route::page("/checkpoints", |asked| {
    Box::pin(checkpoints(asked))
})];

const PAGE: usize = 100;

const COLUMNS: [Column; 5] = [
    wide("Projection"),
    number("Checkpoint"),
    number("Events behind"),
    text("Trend"),
    text("Advanced"),
];

async fn checkpoints(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let after = asked.value("after").unwrap_or_default();
    let found = list_after(&session, after, one_more(PAGE)).await?;
    let (found, next) = page(found, PAGE, |last| {
        asked.with(&[("after", Some(&last.projection))])
    });
    let body = html! {
        h1 { "Checkpoints" }
        p.note { "Projections that run in clients. " a href="/projections" { "Projections" } " has those that run inside the server." }
        ec-live id="checkpoints" data-every="5" {
            (held_back(&asked))
            @if found.is_empty() { (table::nothing("No checkpoint on this page.")) }
            @else { (table::table("Checkpoints, by projection", &COLUMNS, rows(&asked, &found))) }
        }
        (table::more(next.as_deref(), "Next page"))
    };
    Ok(Page::new("Checkpoints", body).into())
}

fn rows(asked: &Asked, found: &[Checkpoint]) -> Markup {
    html! {
        @for of in found {
            @let lags = asked.state().monitor.lags(&Reader::Checkpoint(of.projection.clone()));
            (row(&COLUMNS, &[
                html! {
                    span.name { (told(&of.projection)) }
                    @if of.is_copy { " " (badge("copy of another database", "warn")) }
                },
                position(of.position),
                crate::view::text::number(of.lag_events),
                spark::trend(&lags),
                time(of.changed_at),
            ]))
        }
    }
}
