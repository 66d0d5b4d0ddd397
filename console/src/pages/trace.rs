//! `/trace/{correlation}`: all events of one operation, as a graph over its streams and as a table.

use eventcore_inspect::EventHead;
use eventcore_inspect::search::Searched;
use eventcore_inspect::trace::{INDEX, heads};
use maud::{Markup, html};
use uuid::Uuid;

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::table::{self, Column, cells, number, text, wide};
use crate::view::text::{count, event_type, position, stream, time};
use crate::view::{events, graph};

pub(crate) const ROUTES: &[Route] = &[Route::page("/trace/{correlation}", |asked| {
    Box::pin(trace(asked))
})];

/// The most events of a page.
const MOST: usize = 500;

/// How many windows of 100,000 positions are searched at first, and at most.
const WINDOWS: usize = 5;
const MOST_WINDOWS: usize = 20;

const COLUMNS: [Column; 6] = [
    number("Position"),
    text("Recorded"),
    wide("Stream"),
    number("Version"),
    text("Type"),
    text("Caused by"),
];

async fn trace(asked: Asked) -> Result<Answer, Failure> {
    let correlation: Uuid = asked.parsed_parameter("correlation")?;
    let near: Option<i64> = asked.parsed("near")?;
    let windows = asked
        .parsed("windows")?
        .unwrap_or(WINDOWS)
        .min(MOST_WINDOWS);
    let session = asked.session().await?;
    let (found, searched) = heads(&session, correlation, near, MOST, windows).await?;
    if found.is_empty() && searched.is_complete {
        let message = format!("no event has the correlation id {correlation}");
        return Err(Failure::not_found(message));
    }
    let body = html! {
        h1 { "Operation " (events::id(correlation)) }
        (what_was_searched(&asked, found.len(), searched, windows))
        @if found.is_empty() { (table::nothing("No event of it was found there.")) }
        @else {
            p { (count(found.len(), "event")) " in " (count(events::appends(&found).count(), "append")) "." }
            section { h2 { "Graph" } (graph::of(&found)) }
            section { h2 { "Events" } (table::table("Events of the operation", &COLUMNS, rows(&found))) }
        }
    };
    Ok(Page::new(format!("Operation {correlation}"), body).into())
}

fn what_was_searched(asked: &Asked, found: usize, searched: Searched, windows: usize) -> Markup {
    let more = (windows * 2).min(MOST_WINDOWS).to_string();
    html! {
        (events::searched(searched))
        @if !searched.is_complete && found >= MOST {
            p.nothing { "Only the first " (MOST) " events are shown." }
        } @else if !searched.is_complete {
            @if windows < MOST_WINDOWS { (table::more(Some(&asked.with(&[("windows", Some(&more))])), "Search further")) }
            p.nothing { "This index finds every event of an operation at once:" }
            pre { code { (INDEX) } }
        }
    }
}

fn rows(found: &[EventHead]) -> Markup {
    let position_of = |id: Uuid| {
        let cause = found.iter().find(|event| event.event_id == id);
        cause.map(|cause| cause.position)
    };
    html! {
        @for event in found {
            tr {
                (cells(&COLUMNS, &[
                    position(event.position),
                    time(event.recorded_at),
                    stream(&event.stream_id),
                    events::version(&event.stream_id, event.version),
                    event_type(&event.event_type),
                    html! {
                        @if let Some(id) = event.causation_id {
                            @match position_of(id) {
                                Some(at) => { (position(at)) }
                                None => { (events::id(id)) }
                            }
                        }
                    },
                ]))
            }
        }
    }
}
