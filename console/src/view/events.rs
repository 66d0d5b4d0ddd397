//! Events: as rows of a table, as facts, and put together to the appends that wrote them.

use eventcore_inspect::Event;
use maud::{Markup, html};

use super::table::{self, Column, cells, number, text, wide};
use super::text::{event_type, position, stream, time};
use super::{json, link};

/// The columns of events of several streams.
pub(crate) const COLUMNS: [Column; 6] = [
    number("Position"),
    text("Recorded"),
    text("Stream"),
    number("Version"),
    text("Type"),
    wide("Payload"),
];

/// A row of them. The live tail sends the same.
pub(crate) fn row(event: &Event) -> Markup {
    html! {
        tr data-position=(event.position) {
            (cells(&COLUMNS, &[
                position(event.position),
                time(event.recorded_at),
                stream(&event.stream_id),
                version(event),
                event_type(&event.event_type),
                json::preview(event.payload.get()),
            ]))
        }
    }
}

/// A table of events of several streams.
pub(crate) fn table(caption: &str, events: &[Event]) -> Markup {
    table::table(
        caption,
        &COLUMNS,
        html! { @for event in events { (row(event)) } },
    )
}

/// The version of an event, which leads to its place in the stream.
pub(crate) fn version(event: &Event) -> Markup {
    let to = link::version(&event.stream_id, event.version);
    html! { a.number href=(to) { (super::text::number(event.version)) } }
}

/// An id, in letters of one width.
pub(crate) fn id(id: impl std::fmt::Display) -> Markup {
    html! { code.id { (id) } }
}

/// Everything of an event but its payload.
pub(crate) fn facts(event: &Event) -> Markup {
    let correlation = event.correlation_id.map(|correlation| {
        let near = event.position.to_string();
        let path = format!("/trace/{correlation}");
        link::with_query(&path, [("near", near.as_str())])
    });
    table::facts(&[
        ("Type", event_type(&event.event_type)),
        ("Stream", stream(&event.stream_id)),
        ("Version", version(event)),
        ("Position", position(event.position)),
        (
            "Recorded",
            html! { (time(event.recorded_at)) " " span.note { (event.recorded_at) } },
        ),
        ("Event id", id(event.event_id)),
        (
            "Correlation id",
            html! {
                @match (&correlation, event.correlation_id) {
                    (Some(path), Some(correlation)) => { a href=(path) { (id(correlation)) } }
                    _ => { span.note { "none" } }
                }
            },
        ),
        (
            "Causation id",
            html! {
                @match event.causation_id {
                    Some(causation) => { a href={ "/events/id/" (causation) } { (id(causation)) } }
                    None => { span.note { "none" } }
                }
            },
        ),
    ])
}

/// The payload and the metadata of an event.
pub(crate) fn content(event: &Event) -> Markup {
    html! {
        section {
            h2 { "Payload" a.aside href={ (link::event(event.position)) ".json" } { "JSON" } }
            (json::document(event.payload.get()))
            @if let Some(metadata) = &event.metadata {
                h2 { "Metadata" }
                (json::document(metadata.get()))
            }
        }
    }
}

/// An event as a JSON document. Payload and metadata are the server's text.
pub(crate) fn document(event: &Event) -> Result<String, serde_json::Error> {
    serde_json::to_string(event)
}

/// Events in order of position, put together to the appends that wrote them. Events of one append have
/// the same time and the same ids of what they belong to.
pub(crate) fn appends(events: &[Event]) -> impl Iterator<Item = &[Event]> {
    events.chunk_by(|one, other| {
        one.recorded_at == other.recorded_at
            && one.correlation_id == other.correlation_id
            && one.causation_id == other.causation_id
    })
}

/// What a search has looked at, in words.
pub(crate) fn searched(searched: eventcore_inspect::search::Searched) -> Markup {
    html! {
        p.searched role="status" {
            @if searched.used_index { "Found by an index." }
            @else if searched.is_complete { "All positions were searched." }
            @else {
                "Searched the positions " (super::text::number(searched.after + 1))
                " to " (super::text::number(searched.up_to)) "."
            }
        }
    }
}
