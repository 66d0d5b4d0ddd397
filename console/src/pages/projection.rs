//! `/projections/{name}`: one projection, the event it failed on, its rebuild with the time that is
//! left; pause, resume, rebuild, drop.

use eventcore_inspect::actions::{ProjectionAction, change_projection};
use eventcore_inspect::projections::{Projection, show};
use eventcore_inspect::{ErrorKind, Session, events};
use maud::{Markup, html};

use super::projections::state;
use crate::actions::{Done, Submitted};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::monitor::{LAG_EVERY, Reader};
use crate::page::Page;
use crate::routes::Route;
use crate::view::held::held_back;
use crate::view::operate::{Confirmation, asks, names, progress, trail};
use crate::view::table::facts;
use crate::view::text::{count, event_type, maybe_time, position, seconds, stream, time, told};
use crate::view::{form, json, link};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/projections/{name}", |asked| Box::pin(projection(asked))),
    Route::page("/projections/{name}/confirm", |asked| {
        Box::pin(confirm(asked))
    }),
    Route::action("/projections/{name}/pause", |sent| {
        Box::pin(change(sent, ProjectionAction::Pause, "paused"))
    }),
    Route::action("/projections/{name}/resume", |sent| {
        Box::pin(change(sent, ProjectionAction::Resume, "resumed"))
    }),
    Route::action("/projections/{name}/rebuild", |sent| {
        Box::pin(change(sent, REBUILD, "being rebuilt"))
    }),
    Route::action("/projections/{name}/rebuild-shadow", |sent| {
        Box::pin(change(
            sent,
            REBUILD_WITH_SHADOW,
            "being rebuilt with a shadow",
        ))
    }),
    Route::action("/projections/{name}/drop", |sent| {
        Box::pin(change(sent, ProjectionAction::Drop, "dropped"))
    }),
];

const ALL: &str = "/projections";

const REBUILD: ProjectionAction = ProjectionAction::Rebuild { with_shadow: false };
const REBUILD_WITH_SHADOW: ProjectionAction = ProjectionAction::Rebuild { with_shadow: true };

async fn projection(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let of = show(&session, asked.name("name")).await?;
    let rebuild = rebuild_of(&session, &of).await?;
    let body = html! {
        (trail(&[("Projections", ALL.to_owned())]))
        h1 { (told(&of.name)) }
        (buttons(&asked, &of, rebuild.is_some()))
        ec-live id="projection" data-every="2" {
            (held_back(&asked))
            @if let Some(rebuilds) = &of.rebuilds {
                p { "A rebuild of " a href=(link::named(ALL, rebuilds)) { (told(rebuilds)) }
                    ". When it has caught up, its rows replace those of the tables."
                    @if let Some(schema) = &of.shadow_schema { " Until then they are in the schema " code { (told(schema)) } "." } }
            }
            (all_facts(&asked, &of))
            @if let Some(rebuild) = &rebuild { (rebuild_progress(&asked, rebuild)) }
            (failure(&session, &of).await?)
        }
    };
    Ok(Page::new(of.name, body).into())
}

/// The rebuild with a shadow that is under way.
async fn rebuild_of(session: &Session, of: &Projection) -> Result<Option<Projection>, Failure> {
    let name = format!("{}/rebuild", of.name);
    match show(session, &name).await {
        Ok(found) if found.rebuilds.as_ref() == Some(&of.name) => Ok(Some(found)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn buttons(asked: &Asked, of: &Projection, is_being_rebuilt: bool) -> Markup {
    let below = |rest: &str| link::below(ALL, &of.name, rest, []);
    let ask = |what: &'static str| link::below(ALL, &of.name, "confirm", [("do", what)]);
    let is_async = of.mode == "async";
    html! {
        div.actions {
            @if is_async && of.status == "running" { (form::button(asked, &below("pause"), "Pause", None)) }
            @if is_async && of.status != "copy" && (of.status != "running" || of.attempts > 0) { (form::button(asked, &below("resume"), resume(of), None)) }
            a.button href=(below("parked")) { "Parked events (" (of.parked) ")" }
            @if is_async && of.rebuilds.is_none() && !is_being_rebuilt {
                (asks(asked, &ask("rebuild-shadow"), "Rebuild with a shadow…"))
                (asks(asked, &ask("rebuild"), "Rebuild…"))
            }
            (asks(asked, &ask("drop"), "Drop…"))
        }
    }
}

/// What resuming means now.
fn resume(of: &Projection) -> &'static str {
    match of.status.as_str() {
        "failed" => "Try again",
        "paused" => "Resume",
        _ => "Do not wait to retry",
    }
}

fn all_facts(asked: &Asked, of: &Projection) -> Markup {
    facts(&[
        ("State", state(of)),
        ("Mode", html! { (of.mode) }),
        (
            "Behind",
            html! { (count(of.lag_events, "event")) ", " (seconds(of.lag_seconds)) },
        ),
        (
            "Progress",
            progress("Progress", of.checkpoint, of.safe_position),
        ),
        ("Time to catch up", time_left(asked, of)),
        ("Checkpoint", position(of.checkpoint)),
        ("Safe position", position(of.safe_position)),
        (
            "Owner",
            html! { @if let Some(owner) = &of.owner { (told(owner)) } },
        ),
        (
            "Worker",
            html! { @match of.worker_pid { Some(pid) => { "process " (pid) } None => { "none at this moment" } } },
        ),
        (
            "Failures of the next event",
            html! { (of.attempts) @if let Some(at) = of.retry_at { ", again " (time(at)) } },
        ),
        ("Skipped", count(of.skipped, "event")),
        ("Handler", html! { code { (told(&of.handler)) } }),
        (
            "Streams that begin with",
            names(of.stream_prefixes.as_deref()),
        ),
        ("Types", names(of.event_types.as_deref())),
        ("Most events in a transaction", html! { (of.batch_size) }),
        (
            "After a failure",
            html! { (of.retry_limit) " retries, then " (of.on_error) },
        ),
        ("Created", time(of.created_at)),
        (
            "Rebuilt with a shadow",
            html! { @match of.rebuilt_at { Some(at) => { (time(at)) } None => { "never" } } },
        ),
    ])
}

/// From the lag of the last minutes, in which new events count too.
fn time_left(asked: &Asked, of: &Projection) -> Markup {
    let lags = asked
        .state()
        .monitor
        .lags(&Reader::Projection(of.name.clone()));
    html! {
        @match seconds_left(&lags, of.lag_events, LAG_EVERY.as_secs_f64()) {
            _ if of.lag_events == 0 => { "it has caught up" }
            _ if of.status != "running" => { "it stands still" }
            Left::Unknown => { "not known yet" }
            Left::Seconds(left) => { "about " (seconds(left)) }
            Left::Never => { "it does not get nearer" }
        }
    }
}

/// How long it takes until nothing is left.
#[derive(Debug, PartialEq)]
enum Left {
    Unknown,
    Seconds(f64),
    Never,
}

/// How many lags are looked at.
const RECENT: usize = 7;

fn seconds_left(lags: &[i64], now: i64, each: f64) -> Left {
    let recent = &lags[lags.len().saturating_sub(RECENT)..];
    let ([first, ..], [.., last]) = (recent, recent) else {
        return Left::Unknown;
    };
    if recent.len() < 2 {
        return Left::Unknown;
    }
    let time = (recent.len() - 1) as f64 * each;
    let done = (*first - *last) as f64;
    match done > 0.0 {
        true => Left::Seconds(now as f64 / (done / time)),
        false => Left::Never,
    }
}

fn rebuild_progress(asked: &Asked, rebuild: &Projection) -> Markup {
    html! {
        section {
            h2 { "Rebuild with a shadow" }
            p { a href=(link::named(ALL, &rebuild.name)) { (told(&rebuild.name)) } " is " (state(rebuild)) ". "
                "The projection itself continues." }
            p { (progress("Progress of the rebuild", rebuild.checkpoint, rebuild.safe_position)) }
            p { "Time to catch up: " (time_left(asked, rebuild)) "." }
            @if let Some(error) = &rebuild.last_error { p.problem { (told(error)) } }
        }
    }
}

/// The last failure, with the event. It may have been followed by success.
async fn failure(session: &Session, of: &Projection) -> Result<Markup, Failure> {
    let Some(error) = &of.last_error else {
        return Ok(html! {});
    };
    let event = match of.last_error_position {
        Some(at) => match events::at(session, at).await {
            Ok(event) => Some(event),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    Ok(html! {
        div.failure {
            h2 { @if of.status == "failed" { "It stands still" } @else { "Last failure" } }
            p.message { (told(error)) }
            p.hint {
                @if let Some(code) = &of.last_sqlstate { "SQLSTATE " code { (told(code)) } ", " }
                (maybe_time(of.last_error_at))
            }
            @if let Some(at) = of.last_error_position {
                p { "On the event at position " (position(at))
                    @if let Some(event) = &event {
                        ": " (event_type(&event.event_type)) " in " (stream(&event.stream_id)) " at version " (event.version)
                    }
                    "." }
            }
            @if let Some(event) = &event { (json::document(event.payload.get())) }
        }
    })
}

/// Asks before a rebuild and before a drop.
async fn confirm(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let of = show(&session, asked.name("name")).await?;
    let name = &of.name;
    let (question, consequence, button) = match asked.value("do") {
        Some("rebuild") => (
            format!("Rebuild projection {name:?}?"),
            html! {
                p { "Its worker empties its tables with the first batch and fills them again from the first event, up to "
                    (position(of.safe_position)) ". Readers see a state that grows meanwhile. Its parked events (" (of.parked)
                    ") are forgotten: they come again." }
            },
            "Rebuild",
        ),
        Some("rebuild-shadow") => (
            format!("Rebuild projection {name:?} with a shadow?"),
            html! {
                p { "Copies of its tables are filled from the first event while the projection continues. When they have caught up, "
                    "their rows replace those of the tables in one transaction." }
            },
            "Rebuild with a shadow",
        ),
        Some("drop") => (
            format!("Drop projection {name:?}?"),
            html! {
                p { "It is removed with its checkpoint and its parked events (" (of.parked)
                    "), and a rebuild that is under way with its tables. What it has written stays. This cannot be undone." }
            },
            "Drop",
        ),
        _ => return Err(Failure::malformed("there is nothing to confirm")),
    };
    let rest = asked.value("do").unwrap_or_default();
    let confirmation = Confirmation {
        question,
        consequence,
        action: link::below(ALL, name, rest, []),
        fields: html! {},
        button,
        back: link::named(ALL, name),
    };
    Ok(confirmation.page(&asked).into())
}

async fn change(sent: Submitted, action: ProjectionAction, done: &str) -> Result<Done, Failure> {
    let name = sent.asked.name("name");
    change_projection(&sent.session, name, action).await?;
    let next = match action {
        ProjectionAction::Drop => ALL.to_owned(),
        _ => link::named(ALL, name),
    };
    Ok(Done::new(format!("projection {name:?} is {done}"), next))
}

#[cfg(test)]
mod tests {
    use super::{Left, seconds_left};

    #[test]
    fn the_time_that_is_left_follows_from_the_last_lags() {
        assert_eq!(seconds_left(&[], 5, 10.0), Left::Unknown);
        assert_eq!(seconds_left(&[9], 5, 10.0), Left::Unknown);
        assert_eq!(
            seconds_left(&[300, 200, 100], 100, 10.0),
            Left::Seconds(10.0)
        );
        assert_eq!(seconds_left(&[100, 100], 100, 10.0), Left::Never);
        assert_eq!(seconds_left(&[100, 200], 200, 10.0), Left::Never);
        // What was long ago does not count.
        let mut lags = vec![1_000_000];
        lags.extend([70, 60, 50, 40, 30, 20, 10]);
        assert_eq!(seconds_left(&lags, 10, 10.0), Left::Seconds(10.0));
    }
}
