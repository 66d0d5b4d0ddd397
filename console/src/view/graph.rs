//! The graph of an operation as SVG: a column for each append, a lane for each stream, a line from an
//! event to the append that it caused.

use std::collections::BTreeMap;
use std::fmt::Write;

use eventcore_inspect::EventHead;
use eventcore_inspect::text::safe;
use maud::{Markup, html};
use uuid::Uuid;

use super::{events, link};

/// The most columns and lanes.
const MOST_APPENDS: usize = 60;
const MOST_STREAMS: usize = 24;

/// Lengths in pixels: of a lane's name, a column, the gap between two, a lane, a box.
const NAME: usize = 200;
const COLUMN: usize = 136;
const GAP: usize = 44;
const LANE: usize = 44;
const BOX: usize = 30;
const MARGIN: usize = 10;

/// How many letters fit into a box and in front of a lane.
const LETTERS: usize = 17;
const LETTERS_OF_NAME: usize = 26;

/// Events of one append in one stream.
struct Node<'a> {
    column: usize,
    lane: usize,
    events: Vec<&'a EventHead>,
}

impl Node<'_> {
    fn left(&self) -> usize {
        left(self.column)
    }

    fn middle(&self) -> usize {
        MARGIN + self.lane * LANE + LANE / 2
    }
}

fn left(column: usize) -> usize {
    NAME + MARGIN + column * (COLUMN + GAP)
}

/// The graph of events in order of position.
pub(crate) fn of(all: &[EventHead]) -> Markup {
    let appends: Vec<&[EventHead]> = events::appends(all).collect();
    let shown = &appends[..appends.len().min(MOST_APPENDS)];
    let mut lanes: Vec<&str> = Vec::new();
    for event in shown.iter().copied().flatten() {
        if !lanes.contains(&event.stream_id.as_str()) && lanes.len() < MOST_STREAMS {
            lanes.push(&event.stream_id);
        }
    }
    let nodes = nodes(shown, &lanes);
    let width = left(shown.len()) - GAP + MARGIN;
    let height = 2 * MARGIN + lanes.len() * LANE;
    let label = format!(
        "{} appends over {} streams; the table below says the same",
        shown.len(),
        lanes.len()
    );
    html! {
        @if shown.len() < appends.len() { p.nothing { "The graph has the first " (MOST_APPENDS) " appends." } }
        @if lanes.len() == MOST_STREAMS { p.nothing { "The graph has at most " (MOST_STREAMS) " streams." } }
        div.graph tabindex="0" role="group" aria-label=(label) {
            svg width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } role="group" aria-label=(label) {
                @for (at, name) in lanes.iter().enumerate() { (lane(at, name, width)) }
                @for (column, append) in shown.iter().enumerate() { (frame(column, append, &nodes)) }
                @for path in edges(&nodes) { path.edge d=(path) {} }
                @for node in &nodes { (drawn(node)) }
            }
        }
    }
}

fn nodes<'a>(appends: &[&'a [EventHead]], lanes: &[&str]) -> Vec<Node<'a>> {
    let mut nodes = Vec::new();
    for (column, append) in appends.iter().enumerate() {
        let mut of_lane: BTreeMap<usize, Vec<&EventHead>> = BTreeMap::new();
        for event in *append {
            if let Some(lane) = lanes.iter().position(|name| *name == event.stream_id) {
                of_lane.entry(lane).or_default().push(event);
            }
        }
        nodes.extend(of_lane.into_iter().map(|(lane, events)| Node {
            column,
            lane,
            events,
        }));
    }
    nodes
}

fn lane(at: usize, name: &str, width: usize) -> Markup {
    let middle = MARGIN + at * LANE + LANE / 2;
    html! {
        line.lane x1=(NAME) y1=(middle) x2=(width) y2=(middle) {}
        a href=(link::stream(name)) {
            title { (safe(name)) }
            text.lane-name x=(MARGIN) y=(middle + 4) { (short(name, LETTERS_OF_NAME)) }
        }
    }
}

/// The frame around the events of an append that is in several streams.
fn frame(column: usize, append: &[EventHead], nodes: &[Node<'_>]) -> Markup {
    let lanes = nodes
        .iter()
        .filter(|node| node.column == column)
        .map(|node| node.lane);
    let (first, last) = (lanes.clone().min(), lanes.max());
    html! {
        @if let (Some(first), Some(last)) = (first, last) {
            rect.append x=(left(column) - 6) y=(MARGIN + first * LANE + 2) rx="8" width=(COLUMN + 12) height=((last - first + 1) * LANE - 4) {
                title { (append.len()) " events, recorded " (append[0].recorded_at) }
            }
        }
    }
}

fn drawn(node: &Node<'_>) -> Markup {
    let first = node.events[0];
    let more = node.events.len() - 1;
    let types = node.events.iter().map(|event| event.event_type.as_str());
    let types = types.collect::<Vec<_>>().join(", ");
    let room = if more > 0 { LETTERS - 3 } else { LETTERS };
    html! {
        a href=(link::event(first.position)) {
            title { (safe(&types)) " at " (first.position) " in " (safe(&first.stream_id)) }
            rect.node x=(node.left()) y=(node.middle() - BOX / 2) rx="5" width=(COLUMN) height=(BOX) {}
            text.node-name x=(node.left() + 8) y=(node.middle() + 4) {
                (short(&first.event_type, room)) @if more > 0 { " +" (more) }
            }
        }
    }
}

/// A line from the box of each cause to the first box of each append that it caused.
fn edges(nodes: &[Node<'_>]) -> Vec<String> {
    let mut place: BTreeMap<Uuid, &Node<'_>> = BTreeMap::new();
    for node in nodes {
        place.extend(node.events.iter().map(|event| (event.event_id, node)));
    }
    let mut paths = Vec::new();
    let mut drawn = None;
    for node in nodes {
        // The boxes of an append follow one another, and have one cause.
        let cause = node.events[0].causation_id.and_then(|id| place.get(&id));
        let Some(cause) =
            cause.filter(|cause| cause.column < node.column && drawn != Some(node.column))
        else {
            continue;
        };
        drawn = Some(node.column);
        let (x1, y1) = (cause.left() + COLUMN, cause.middle());
        let (x2, y2) = (node.left(), node.middle());
        let bend = (x2 - x1) / 2;
        let mut path = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            path,
            "M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}",
            x1 + bend,
            x2 - bend
        );
        paths.push(path);
    }
    paths
}

/// The beginning of a text.
fn short(text: &str, letters: usize) -> String {
    let safe = safe(text);
    match safe.char_indices().nth(letters) {
        Some(_) => safe.chars().take(letters - 1).chain(['…']).collect(),
        None => safe.into_owned(),
    }
}
