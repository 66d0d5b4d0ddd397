//! `/commands/{name}/dry-run`: tries a command and shows the events that it would write, or why it
//! refuses. Nothing stays.

use eventcore_inspect::execute::{Call, Executed, dry_run};
use eventcore_inspect::{Error, ErrorKind};
use maud::{Markup, html};
use serde_json::value::RawValue;

use super::command::{ALL, try_form};
use crate::actions::{Done, Submitted};
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::failure::failure;
use crate::view::json;
use crate::view::operate::trail_to;
use crate::view::table::facts;
use crate::view::text::{event_type, stream, told};

/// An action, as it takes positions and locks, and the functions of a command may do anything.
pub(crate) const ROUTES: &[Route] = &[Route::action("/commands/{name}/dry-run", |sent| {
    Box::pin(tried(sent))
})];

async fn tried(sent: Submitted) -> Result<Done, Failure> {
    let name = sent.asked.name("name");
    let text = sent.required("input")?;
    let (result, message) = match serde_json::from_str::<Box<RawValue>>(text) {
        Err(error) => (
            malformed(&error.to_string()),
            "the input is not JSON".to_owned(),
        ),
        Ok(input) => {
            let call = Call {
                command: name.to_owned(),
                input,
                correlation: None,
                causation: None,
                key: None,
                metadata: None,
            };
            match dry_run(&sent.session, &call).await {
                Ok(executed) => (would_write(&executed), "tried, and rolled back".to_owned()),
                Err(error) if is_answer(&error) => {
                    (refused(&error), format!("tried, and refused: {error}"))
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let page = page(&sent.asked, name, text, &result);
    Ok(Done::shown(message, page))
}

/// Whether it is the command that refuses, or the input that does not fit.
fn is_answer(error: &Error) -> bool {
    error.kind() == ErrorKind::Rejected
        || matches!(error.sqlstate(), Some("SE002" | "SE003" | "SE005"))
}

fn page(asked: &Asked, name: &str, input: &str, result: &Markup) -> Page {
    let body = html! {
        (trail_to("Commands", ALL, name))
        h1 { "Try " (told(name)) }
        (result)
        (try_form(asked, name, input))
    };
    Page::new(format!("Try {name}"), body)
}

fn malformed(reason: &str) -> Markup {
    html! {
        div.failure role="alert" {
            h2 { "The input is not JSON" }
            p.message { (told(reason)) }
        }
    }
}

fn refused(error: &Error) -> Markup {
    let title = match error.kind() {
        ErrorKind::Rejected => "The command refuses",
        _ => "It cannot be executed",
    };
    failure(html! { h2 { (title) } }, error)
}

fn would_write(executed: &Executed) -> Markup {
    let events = &executed.events;
    html! {
        section {
            @match executed.first_position.zip(executed.last_position) {
                None => { h2 { "It would write nothing" } }
                Some(_) if events.is_empty() => {
                    h2 { "It would write events" }
                    p.note { "The role of this console may not read them." }
                }
                Some(_) => {
                    h2 { "It would write " (events.len()) (if events.len() == 1 { " event" } else { " events" }) }
                }
            }
            p.note { "It was rolled back: nothing has been written." }
            @for event in events {
                article.card {
                    h3 { (event_type(&event.event_type)) " in " (stream(&event.stream_id)) " at version " (event.version) }
                    (json::document(event.payload.get()))
                    @if let Some(metadata) = &event.metadata { details { summary { "Metadata" } (json::document(metadata.get())) } }
                }
            }
            (facts(&[
                ("Streams that it read, and their versions afterwards", html! {
                    @for (at, of) in executed.streams.iter().enumerate() {
                        @if at > 0 { ", " } (stream(&of.stream_id)) " at " (of.version)
                    }
                }),
                ("Attempts", html! { (executed.attempts) }),
            ]))
        }
    }
}
