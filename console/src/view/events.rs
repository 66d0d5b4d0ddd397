//! Events: as rows of a table, as facts, and put together to the appends that wrote them.

use eventcore_inspect::{Event, EventHead, Time};
use maud::{Markup, html};
use uuid::Uuid;

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
                version(&event.stream_id, event.version),
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

/// The columns of events whose payload is not shown.
pub(crate) const COLUMNS_OF_HEADS: [Column; 5] = [
    number("Position"),
    text("Recorded"),
    wide("Stream"),
    number("Version"),
    text("Type"),
];

/// A table of events of several streams, without what they carry.
pub(crate) fn table_of_heads(caption: &str, events: &[EventHead]) -> Markup {
    let rows = html! {
        @for event in events {
            (table::row(&COLUMNS_OF_HEADS, &[
                position(event.position),
                time(event.recorded_at),
                stream(&event.stream_id),
                version(&event.stream_id, event.version),
                event_type(&event.event_type),
            ]))
        }
    };
    table::table(caption, &COLUMNS_OF_HEADS, rows)
}

/// A version of a stream, which leads to its event.
pub(crate) fn version(stream: &str, version: i64) -> Markup {
    let to = link::version(stream, version);
    html! { a.number href=(to) { (super::text::number(version)) } }
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
        ("Version", version(&event.stream_id, event.version)),
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

/// What tells the append of an event.
pub(crate) trait Appended {
    /// The same for all events of one append, which follow one another.
    fn append(&self) -> (Time, Option<Uuid>, Option<Uuid>);
}

impl Appended for Event {
    fn append(&self) -> (Time, Option<Uuid>, Option<Uuid>) {
        (self.recorded_at, self.correlation_id, self.causation_id)
    }
}

impl Appended for EventHead {
    fn append(&self) -> (Time, Option<Uuid>, Option<Uuid>) {
        (self.recorded_at, self.correlation_id, self.causation_id)
    }
}

/// Events in order of position, put together to the appends that wrote them.
pub(crate) fn appends<T: Appended>(events: &[T]) -> impl Iterator<Item = &[T]> {
    events.chunk_by(|one, other| one.append() == other.append())
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
