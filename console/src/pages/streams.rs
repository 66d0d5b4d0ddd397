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
use crate::view::operate::{one_more, page};
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
    /// The link to the next page.
    next: Option<String>,
}

async fn streams(asked: Asked) -> Result<Answer, Failure> {
    let Listed {
        streams,
        searched,
        next,
    } = listed(&asked).await?;
    let label = match searched {
        Some(_) => "Go on searching",
        None => "Next page",
    };
    let body = html! {
        h1 { "Streams" }
        (filter(&asked, html! {
            (field(&asked, "prefix", "Begins with", "account-"))
            (field(&asked, "contains", "Contains", "part of the name"))
        }))
        @if let Some(searched) = searched {
            p.searched role="status" {
                (crate::view::text::number(i64::try_from(searched).unwrap_or(i64::MAX))) " names looked at"
                @if next.is_some() { ", not all" } @else { ", all there are from here" } "."
            }
        }
        @if streams.is_empty() { (table::nothing("No stream on this page.")) }
        @else { (table::table("Streams, in the order of the bytes of their names", &COLUMNS, rows(&streams))) }
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
    let next = |after: &str| asked.with(&[("after", Some(after))]);
    if let Some(part) = asked.value("contains") {
        let found = containing(&session, &filter, part, PAGE, LONGEST).await?;
        return Ok(Listed {
            streams: found.streams,
            searched: Some(found.searched),
            next: found.next.as_deref().map(next),
        });
    }
    let streams = list(&session, &filter, one_more(PAGE)).await?;
    let (streams, next) = page(streams, PAGE, |last| next(&last.stream_id));
    Ok(Listed {
        streams,
        searched: None,
        next,
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
