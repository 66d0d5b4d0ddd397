//! `/streams`: streams by name, by prefix or by a part of the name.

use std::time::Duration;

use eventcore_inspect::streams::{StreamFilter, StreamSummary, containing, list};
use maud::{Markup, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::form::{field, filter};
use crate::view::table::{self, Column, number, row, text, wide};
use crate::view::text::{badge, event_type, maybe_time, position, stream};

pub(crate) const ROUTES: &[Route] = &[Route::page("/streams", |asked| Box::pin(streams(asked)))];

/// How many streams a page lists.
const PAGE: usize = 50;

/// How long a page looks for a part of a name.
const LONGEST: Duration = Duration::from_millis(1_500);

const COLUMNS: [Column; 6] = [
    wide("Stream"),
    number("Version"),
    text("State"),
    text("Last event"),
    text("Recorded"),
    number("Position"),
];

/// The streams of a page.
struct Listed {
    streams: Vec<StreamSummary>,
    /// How many names were looked at, if all had to be.
    searched: Option<u64>,
    next: Option<String>,
}

async fn streams(asked: Asked) -> Result<Answer, Failure> {
    let listed = listed(&asked).await?;
    let next = listed.next.as_deref();
    let next = next.map(|next| asked.with(&[("after", Some(next))]));
    let label = match listed.searched {
        Some(_) => "Go on searching",
        None => "Next page",
    };
    let body = html! {
        h1 { "Streams" }
        (filter(&asked, html! {
            (field(&asked, "prefix", "Begins with", "account-"))
            (field(&asked, "contains", "Contains", "part of the name"))
        }))
        @if let Some(searched) = listed.searched {
            p.searched role="status" {
                (crate::view::text::number(i64::try_from(searched).unwrap_or(i64::MAX))) " names looked at"
                @if next.is_some() { ", not all" } @else { ", all there are from here" } "."
            }
        }
        @if listed.streams.is_empty() { (table::nothing("No stream on this page.")) }
        @else { (table::table("Streams, in the order of the bytes of their names", &COLUMNS, rows(&listed.streams))) }
        (table::more(next.as_deref(), label))
    };
    Ok(Page::new("Streams", body).into())
}

async fn listed(asked: &Asked) -> Result<Listed, Failure> {
    let session = asked.session().await?;
    let filter = StreamFilter {
        prefix: asked.value("prefix").unwrap_or_default().to_owned(),
        after: asked.value("after").map(str::to_owned),
    };
    if let Some(part) = asked.value("contains") {
        let found = containing(&session, &filter, part, PAGE, LONGEST).await?;
        return Ok(Listed {
            streams: found.streams,
            searched: Some(found.searched),
            next: found.next,
        });
    }
    // One more says whether there is a next page.
    let one_more = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let mut streams = list(&session, &filter, one_more).await?;
    let has_more = streams.len() > PAGE;
    streams.truncate(PAGE);
    let next = streams.last().filter(|_| has_more);
    Ok(Listed {
        next: next.map(|last| last.stream_id.clone()),
        searched: None,
        streams,
    })
}

fn rows(streams: &[StreamSummary]) -> Markup {
    html! {
        @for found in streams {
            (row(&COLUMNS, &[
                stream(&found.stream_id),
                crate::view::text::number(found.version),
                state(&found.state),
                html! { @if let Some(name) = &found.last_event_type { (event_type(name)) } },
                maybe_time(found.last_recorded_at),
                html! { @if let Some(at) = found.last_position { (position(at)) } },
            ]))
        }
    }
}

/// Whether a stream is open.
pub(super) fn state(state: &str) -> Markup {
    let mood = match state {
        "open" => "good",
        "deleted" => "bad",
        _ => "warn",
    };
    badge(state, mood)
}
