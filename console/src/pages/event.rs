//! `/events/{position}` and `/events/id/{id}`: one event, the append that wrote it, what caused it and
//! what it caused.

use axum::http::StatusCode;
use eventcore_inspect::events::{appended_with, at, by_id};
use eventcore_inspect::search::{Query, Searched, Windows, search_heads};
use eventcore_inspect::trace::heads;
use eventcore_inspect::{Event, EventHead, Session};
use maud::{Markup, html};
use uuid::Uuid;

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::text::{event_type, told};
use crate::view::{events, link, table};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/events/{position}", |asked| Box::pin(by_position(asked))),
    Route::page("/events/id/{id}", |asked| Box::pin(by_event_id(asked))),
];

/// How far an append is shown from the event of the page.
const DISTANCE: i64 = 100;

/// How many windows of 100,000 positions are searched for an id, and for causes.
const WINDOWS_FOR_ID: usize = 10;
const WINDOWS_FOR_CAUSES: usize = 2;

/// The most events of one operation that are looked at for causes.
const MOST: usize = 500;

/// The longest chain of causes.
const LONGEST_CHAIN: usize = 50;

/// A part of a path without `.json`, and whether it had that.
pub(super) fn end_of_json(text: &str) -> (&str, bool) {
    match text.strip_suffix(".json") {
        Some(text) => (text, true),
        None => (text, false),
    }
}

/// An event as JSON.
pub(super) fn document(event: &Event) -> Result<Answer, Failure> {
    let text = events::document(event);
    let text =
        text.map_err(|error| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Answer::json(text))
}

async fn by_position(asked: Asked) -> Result<Answer, Failure> {
    let (text, is_json) = end_of_json(asked.parameter("position"));
    let position: i64 = text
        .parse()
        .map_err(|_| Failure::malformed(format!("a position cannot be {text:?}")))?;
    let session = asked.session().await?;
    let event = at(&session, position).await?;
    match is_json {
        true => document(&event),
        false => page(&session, &event).await,
    }
}

async fn by_event_id(asked: Asked) -> Result<Answer, Failure> {
    let (text, is_json) = end_of_json(asked.parameter("id"));
    let id: Uuid = text
        .parse()
        .map_err(|_| Failure::malformed(format!("the id of an event cannot be {text:?}")))?;
    let session = asked.session().await?;
    match by_id(&session, id, WINDOWS_FOR_ID).await? {
        (Some(event), _) if is_json => document(&event),
        (Some(event), _) => page(&session, &event).await,
        (None, searched) => Err(missing(id, searched)),
    }
}

fn missing(id: Uuid, searched: Searched) -> Failure {
    let message = format!("there is no event with the id {id}");
    if searched.is_complete {
        return Failure::not_found(message);
    }
    let where_from = format!(
        "{message} at the positions {} to {}",
        searched.after + 1,
        searched.up_to
    );
    Failure::not_found(where_from).with_hint(
        "This index finds an event by its id everywhere: CREATE INDEX CONCURRENTLY ON eventcore.events (event_id)",
    )
}

async fn page(session: &Session, event: &Event) -> Result<Answer, Failure> {
    let together = appended_with(session, event.position, DISTANCE).await?;
    let chain = Chain::of(session, event).await?;
    let title = format!("Event {}", event.position);
    let body = html! {
        h1 { (event_type(&event.event_type)) " at position " (crate::view::text::number(event.position)) }
        p.links {
            a rel="prev" data-key="k" href=(link::event(event.position - 1)) { "Position " (event.position - 1) }
            a rel="next" data-key="j" href=(link::event(event.position + 1)) { "Position " (event.position + 1) }
            a href=(link::version(&event.stream_id, event.version)) { "The state of the stream here" }
        }
        (events::facts(event))
        (events::content(event))
        (append(event, &together))
        (chain.shown(event))
    };
    Ok(Page::new(title, body).into())
}

/// All events of the append.
fn append(event: &Event, together: &[Event]) -> Markup {
    html! {
        section {
            h2 { "The append it came with" }
            @if together.len() <= 1 { p.nothing { "It was appended alone." } }
            @else {
                p.searched { (together.len()) " events, written together. This is number "
                    (together.iter().take_while(|other| other.position < event.position).count() + 1) "." }
                (events::table("Events of the append", together))
            }
        }
    }
}

/// What caused an event, and what it caused.
struct Chain {
    /// The nearest cause first.
    causes: Vec<EventHead>,
    effects: Vec<EventHead>,
    searched: Option<Searched>,
}

impl Chain {
    /// Among the events of the same operation near it. An event without an operation has at most its
    /// one cause looked up.
    async fn of(session: &Session, event: &Event) -> Result<Self, Failure> {
        let near = Some(event.position);
        if let Some(correlation) = event.correlation_id {
            let (found, searched) =
                heads(session, correlation, near, MOST, WINDOWS_FOR_CAUSES).await?;
            return Ok(Self::among(event, &found, searched));
        }
        let mut chain = Self {
            causes: Vec::new(),
            effects: Vec::new(),
            searched: None,
        };
        if let Some(id) = event.causation_id {
            let (cause, searched) = by_id(session, id, WINDOWS_FOR_CAUSES).await?;
            chain.causes.extend(cause.map(EventHead::from));
            chain.searched = Some(searched);
        }
        let query = Query {
            causation: Some(event.event_id),
            ..Query::default()
        };
        let windows = Windows::oldest_first(event.position, i64::MAX - 1);
        (chain.effects, _) = search_heads(session, &query, windows, MOST, 1).await?;
        Ok(chain)
    }

    fn among(event: &Event, events: &[EventHead], searched: Searched) -> Self {
        let mut causes: Vec<EventHead> = Vec::new();
        let mut wanted = event.causation_id;
        while let Some(id) = wanted.filter(|_| causes.len() < LONGEST_CHAIN) {
            let is_new = |found: &&EventHead| {
                found.event_id == id && !causes.iter().any(|seen| seen.event_id == id)
            };
            let Some(cause) = events.iter().find(is_new) else {
                break;
            };
            causes.push(cause.clone());
            wanted = cause.causation_id;
        }
        let is_effect = |other: &&EventHead| other.causation_id == Some(event.event_id);
        Self {
            causes,
            effects: events.iter().filter(is_effect).cloned().collect(),
            searched: Some(searched),
        }
    }

    fn shown(&self, event: &Event) -> Markup {
        html! {
            section {
                h2 { "What caused it, and what it caused" }
                @if let Some(searched) = self.searched { (events::searched(searched)) }
                @match (self.causes.is_empty(), event.causation_id) {
                    (true, None) => { p.nothing { "It has no causation id." } }
                    (true, Some(id)) => { p.nothing { "No event there has the id " (events::id(id)) ", which caused it." } }
                    (false, _) => {
                        ol.chain {
                            @for cause in self.causes.iter().rev() {
                                li { (event_type(&cause.event_type)) " in " (told(&cause.stream_id)) " "
                                    a href=(link::event(cause.position)) { "at " (cause.position) } }
                            }
                            li aria-current="true" { (event_type(&event.event_type)) " in " (told(&event.stream_id)) ", this event" }
                        }
                    }
                }
                @if self.effects.is_empty() { (table::nothing("It caused no event there.")) }
                @else { h3 { "It caused" } (events::table_of_heads("Events that it caused", &self.effects)) }
            }
        }
    }
}
