//! `/streams/{id}` and `/streams/{id}/{version}`: the events of a stream, and one of them with the
//! state of the stream there.

use std::time::Duration;

use eventcore_inspect::commands::{self, StreamState};
use eventcore_inspect::events::{StreamPage, of_stream};
use eventcore_inspect::streams::{StreamDetail, show};
use eventcore_inspect::{Error, Event};
use maud::{Markup, html};

use super::event::{document, end_of_json};
use super::streams::state;
use crate::answer::Answer;
use crate::asked::{Asked, Counted};
use crate::failure::Failure;
use crate::guard::is_from_here;
use crate::page::Page;
use crate::routes::Route;
use crate::view::failure::failure;
use crate::view::form::{field, filter};
use crate::view::operate::{one_more, page};
use crate::view::table::{self, Column, cells, number, text, wide};
use crate::view::text::{event_type, maybe_time, position, stream as stream_link, time, told};
use crate::view::{events, json, link};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/streams/{id}", |asked| Box::pin(stream(asked))),
    Route::page("/streams/{id}/{version}", |asked| Box::pin(version(asked))),
];

/// How many events a page shows.
const PAGE: usize = 50;

/// How long a state is folded.
const LONGEST: Duration = Duration::from_millis(1_500);

const COLUMNS: [Column; 5] = [
    number("Version"),
    text("Type"),
    text("Recorded"),
    number("Position"),
    wide("Payload"),
];

async fn stream(asked: Asked) -> Result<Answer, Failure> {
    let name = asked.name("id");
    let forward = asked.value("dir") == Some("forward");
    let session = asked.session().await?;
    let shown = show(&session, name).await?;
    let wanted = StreamPage {
        after: asked.parsed("after")?.unwrap_or(0),
        limit: Some(one_more(PAGE)),
        backward: !forward,
        types: asked.value("type").map(|name| vec![name.to_owned()]),
    };
    let found = of_stream(&session, name, &wanted).await?;
    let (found, next) = page(found, PAGE, |last| {
        asked.with(&[("after", Some(&last.version.to_string()))])
    });
    let turned = match forward {
        true => asked.with(&[("dir", None), ("after", None)]),
        false => asked.with(&[("dir", Some("forward")), ("after", None)]),
    };
    let body = html! {
        h1 { (told(name)) }
        (detail(&shown))
        (filter(&asked, html! {
            @if let Some(name) = asked.value("name") { input type="hidden" name="name" value=(name); }
            @if forward { input type="hidden" name="dir" value="forward"; }
            (field(&asked, "type", "Type", "every type"))
        }))
        p.links {
            a href=(turned) { @if forward { "Newest first" } @else { "Oldest first" } }
            a href=(link::with_query("/compare", [("s", name)])) { "Compare with another stream" }
            a href=(link::with_query("/tail", [("prefix", name)])) { "Follow" }
        }
        @if found.is_empty() { (table::nothing("No event on this page.")) }
        @else { (table::table("Events of the stream", &COLUMNS, rows(&found))) }
        (table::more(next.as_deref(), if forward { "Newer events" } else { "Older events" }))
    };
    Ok(Page::new(name, body).into())
}

fn detail(shown: &StreamDetail) -> Markup {
    let by = shown.changed_by.as_deref().unwrap_or_default();
    let mut facts = vec![
        ("State", state(&shown.state)),
        ("Version", crate::view::text::number(shown.version)),
        ("First event", maybe_time(shown.first_recorded_at)),
        (
            "Last event",
            html! {
                (maybe_time(shown.last_recorded_at))
                @if let Some(at) = shown.last_position { " at position " (position(at)) }
            },
        ),
    ];
    if let Some(at) = shown.changed_at {
        facts.push(("Changed", html! { (time(at)) " by " (told(by)) }));
        facts.push((
            "Reason",
            told(shown.reason.as_deref().unwrap_or("none given")),
        ));
    }
    table::facts(&facts)
}

fn rows(found: &[Event]) -> Markup {
    html! {
        @for event in found {
            tr {
                (cells(&COLUMNS, &[
                    events::version(&event.stream_id, event.version),
                    event_type(&event.event_type),
                    time(event.recorded_at),
                    position(event.position),
                    json::preview(event.payload.get()),
                ]))
            }
        }
    }
}

async fn version(asked: Asked) -> Result<Answer, Failure> {
    let name = asked.name("id");
    let (text, is_json) = end_of_json(asked.parameter("version"));
    let number: i64 = text
        .parse()
        .map_err(|_| Failure::malformed(format!("a version cannot be {text:?}")))?;
    let session = asked.session().await?;
    let event = at(&session, name, number).await?;
    if is_json {
        return document(&event);
    }
    let known = match commands::list(&session).await {
        Ok(known) => known.into_iter().map(|command| command.name).collect(),
        // A role that may read events need not see commands.
        Err(error) if error.sqlstate() == Some("42501") => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let folded = match asked.value("command") {
        Some(command) if is_from_here(&asked) => {
            Some(commands::state(&session, command, name, Some(number), LONGEST).await)
        }
        _ => None,
    };
    let chosen = asked.value("command").unwrap_or_default();
    let step = |to: i64| {
        let path = link::version(name, to);
        let with = if path.contains('?') { '&' } else { '?' };
        match chosen {
            "" => path,
            command => format!(
                "{path}{with}{}",
                link::with_query("", [("command", command)]).trim_start_matches('?')
            ),
        }
    };
    let title = format!("{name} at version {number}");
    let body = html! {
        h1 { (told(name)) " at version " (crate::view::text::number(number)) }
        p.links {
            @if number > 1 { a rel="prev" data-key="k" href=(step(number - 1)) { "Version " (number - 1) } }
            a rel="next" data-key="j" href=(step(number + 1)) { "Version " (number + 1) }
            a href=(link::event(event.position)) { "Its append and what caused it" }
            "of " (stream_link(name))
        }
        (events::facts(&event))
        (events::content(&event))
        (state_here(&asked, &known, folded.as_ref()))
    };
    Ok(Page::new(title, body).into())
}

async fn at(session: &Counted, name: &str, version: i64) -> Result<Event, Failure> {
    let none = || {
        Failure::not_found(format!(
            "the stream {name:?} has no event of version {version}"
        ))
    };
    let page = StreamPage {
        after: version
            .checked_sub(1)
            .filter(|before| *before >= 0)
            .ok_or_else(none)?,
        limit: Some(1),
        ..StreamPage::default()
    };
    let found = of_stream(session, name, &page).await?;
    let found = found.into_iter().next();
    found
        .filter(|event| event.version == version)
        .ok_or_else(none)
}

/// The stream as the `apply` of a command sees it, up to this event.
fn state_here(
    asked: &Asked,
    known: &[String],
    folded: Option<&Result<StreamState, Error>>,
) -> Markup {
    html! {
        section id="state" {
            h2 { "State here" }
            @if known.is_empty() { (table::nothing("No command is registered whose apply could fold the stream.")) }
            @else {
                form.filter method="get" action=(asked.path()) {
                    @if let Some(name) = asked.value("name") { input type="hidden" name="name" value=(name); }
                    label { span { "Folded by the apply of" }
                        select name="command" {
                            @for name in known {
                                option value=(name) selected[asked.value("command") == Some(name)] { (eventcore_inspect::text::safe(name)) }
                            }
                        }
                    }
                    button { "Show the state" }
                }
            }
            @match folded {
                None if asked.value("command").is_some() => {
                    p.problem role="status" { "A link from elsewhere led here, so the functions of the command were not run." }
                }
                None => {}
                Some(Ok(folded)) => {
                    p.searched {
                        "Events folded: " (crate::view::text::number(folded.events)) ", up to version "
                        (crate::view::text::number(folded.version)) "."
                        @if !folded.is_complete { " The time was up before the version of this page." }
                    }
                    (json::document(folded.state.get()))
                }
                Some(Err(error)) => {
                    (failure(html! { h3 { "It cannot be folded" } }, error))
                }
            }
        }
    }
}
