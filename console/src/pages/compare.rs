//! `/compare`: several streams side by side, in order of position. Events of one append are in one row.

use eventcore_inspect::Event;
use eventcore_inspect::events::{StreamPage, of_stream};
use maud::{Markup, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::text::{event_type, position, stream, time};
use crate::view::{events, json, link, table};

pub(crate) const ROUTES: &[Route] = &[Route::page("/compare", |asked| Box::pin(compare(asked)))];

/// The most streams of a page, and the most events that are read of each.
const MOST_STREAMS: usize = 6;
const PAGE: usize = 50;

/// What has been read of the streams.
struct Lanes<'a> {
    names: Vec<&'a str>,
    /// In order of position.
    events: Vec<Event>,
    /// For each stream the version after which to go on, if there may be more.
    next: Option<Vec<i64>>,
}

async fn compare(asked: Asked) -> Result<Answer, Failure> {
    let mut names: Vec<&str> = Vec::new();
    for name in asked.values("s") {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.len() > MOST_STREAMS {
        let message = format!("at most {MOST_STREAMS} streams can be compared");
        return Err(Failure::malformed(message));
    }
    let versions = asked.values("v").into_iter().map(str::parse::<i64>);
    let versions = versions.collect::<Result<Vec<_>, _>>();
    let versions = versions.map_err(|_| Failure::malformed("v has to be versions"))?;
    let lanes = match names.is_empty() {
        true => None,
        false => Some(read(&asked, names.clone(), &versions).await?),
    };
    let body = html! {
        h1 { "Compare streams" }
        form.filter method="get" action="/compare" role="search" {
            @for at in 0..(names.len() + 1).clamp(2, MOST_STREAMS) {
                label { span { "Stream " (at + 1) }
                    input type="search" name="s" value=(names.get(at).copied().unwrap_or_default())
                        autocomplete="off" autocapitalize="off" spellcheck="false";
                }
            }
            button { "Show" }
        }
        @match &lanes {
            None => { (table::nothing("Give the names of the streams.")) }
            Some(lanes) if lanes.events.is_empty() => { (table::nothing("These streams have no event on this page.")) }
            Some(lanes) => { (shown(lanes)) (table::more(next(lanes).as_deref(), "Newer events")) }
        }
    };
    Ok(Page::new("Compare streams", body).into())
}

/// A page of each stream, cut where the first of them has no more: what comes later may have events
/// of it before.
async fn read<'a>(
    asked: &Asked,
    names: Vec<&'a str>,
    versions: &[i64],
) -> Result<Lanes<'a>, Failure> {
    let session = asked.session().await?;
    let mut all = Vec::new();
    let mut end = i64::MAX;
    for (at, name) in names.iter().enumerate() {
        let page = StreamPage {
            after: versions.get(at).copied().unwrap_or(0),
            limit: i64::try_from(PAGE).ok(),
            ..StreamPage::default()
        };
        let read = of_stream(&session, name, &page).await?;
        if let Some(last) = read.last().filter(|_| read.len() >= PAGE) {
            end = end.min(last.position);
        }
        all.extend(read);
    }
    all.retain(|event| event.position <= end);
    all.sort_by_key(|event| event.position);
    let reached = |(at, name): (usize, &&str)| {
        let last = all.iter().rev().find(|event| event.stream_id == **name);
        let before = versions.get(at).copied().unwrap_or(0);
        last.map_or(before, |last| last.version)
    };
    let next = (end < i64::MAX).then(|| names.iter().enumerate().map(reached).collect());
    Ok(Lanes {
        names,
        events: all,
        next,
    })
}

fn next(lanes: &Lanes<'_>) -> Option<String> {
    let versions: Vec<String> = lanes.next.as_ref()?.iter().map(i64::to_string).collect();
    let names = lanes.names.iter().map(|name| ("s", *name));
    let versions = versions.iter().map(|version| ("v", version.as_str()));
    Some(link::with_query("/compare", names.chain(versions)))
}

fn shown(lanes: &Lanes<'_>) -> Markup {
    html! {
        div.scroll.lanes {
            table {
                caption { "Events of the streams, in order of position" }
                thead { tr {
                    th scope="col" { "Recorded" }
                    @for name in &lanes.names { th scope="col" { (stream(name)) } }
                } }
                tbody {
                    @for append in events::appends(&lanes.events) {
                        tr {
                            td data-label="Recorded" { (time(append[0].recorded_at)) }
                            @for name in &lanes.names {
                                td data-label=(eventcore_inspect::text::safe(name)) {
                                    @for event in append.iter().filter(|event| event.stream_id == **name) { (lane(event)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lane(event: &Event) -> Markup {
    html! {
        div.lane {
            span.head { (events::version(&event.stream_id, event.version)) " " (event_type(&event.event_type)) " " span.note { "at " (position(event.position)) } }
            (json::preview(event.payload.get()))
        }
    }
}
