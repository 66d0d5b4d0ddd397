//! `/commands/{name}/state`: the state of a stream after any version, as the command sees it.

use std::time::Duration;

use eventcore_inspect::commands::{StreamState, state};
use maud::{Markup, html};

use super::command::ALL;
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::guard::{is_from_here, question};
use crate::page::Page;
use crate::routes::Route;
use crate::view::json;
use crate::view::operate::{name_field, trail_to};
use crate::view::text::{count, number, stream, told};
use crate::view::{form, link};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/commands/{name}/state", |asked| Box::pin(shown(asked))),
    Route::page("/commands/{name}/state.json", |asked| {
        Box::pin(as_json(asked))
    }),
];

/// How long events are applied.
const LONGEST: Duration = Duration::from_secs(5);

async fn found(asked: &Asked) -> Result<StreamState, Failure> {
    let Some(name) = asked.value("stream") else {
        return Err(Failure::malformed("the field stream is missing"));
    };
    let session = asked.session().await?;
    let version = asked.parsed("version")?;
    Ok(state(&session, asked.name("name"), name, version, LONGEST).await?)
}

async fn shown(asked: Asked) -> Result<Answer, Failure> {
    if !is_from_here(&asked) {
        return Ok(question(&asked));
    }
    let name = asked.name("name");
    let found = found(&asked).await?;
    let at = |version: i64| asked.with(&[("version", Some(&version.to_string()))]);
    let version = found.version.to_string();
    let fields = [
        ("stream", found.stream_id.as_str()),
        ("version", version.as_str()),
    ];
    let json = link::below(ALL, name, "state.json", fields);
    let body = html! {
        (trail_to("Commands", ALL, name))
        h1 { (told(&found.stream_id)) " at version " (found.version) }
        (form::filter(&asked, html! {
            (name_field(&asked))
            (form::field(&asked, "stream", "Stream", ""))
            (form::field(&asked, "version", "Up to version", "the last"))
        }))
        (what(name, &found))
        (json::document(found.state.get()))
        div.actions {
            @if found.version > 0 { a.button rel="prev" href=(at(found.version - 1)) { "One version earlier" } }
            a.button rel="next" href=(at(found.version + 1)) { "One version later" }
            a.button href=(json) { "JSON" }
        }
    };
    let title = format!("{} at version {}", found.stream_id, found.version);
    Ok(Page::new(title, body).into())
}

fn what(name: &str, found: &StreamState) -> Markup {
    html! {
        @if !found.is_complete {
            p.problem role="status" { "The time was up: this is the state after the first " (number(found.events)) " events." }
        }
        p { "The state of " (stream(&found.stream_id)) " alone, as the command " (told(name)) " sees it: "
            @if found.version == 0 { "no event, so the initial state." }
            @else { (count(found.events, "event")) ", applied to the initial state." } }
    }
}

async fn as_json(asked: Asked) -> Result<Answer, Failure> {
    if !is_from_here(&asked) {
        return Ok(question(&asked));
    }
    Ok(Answer::json(found(&asked).await?.state.get().to_owned()))
}
