//! `/subscriptions/{name}`: one subscription, its leases, what fails, what has stopped; pause, resume,
//! reset, drop.

use eventcore_inspect::actions::{SubscriptionAction, change_subscription};
use eventcore_inspect::subscriptions::{
    Lease, RetryingEvent, StoppedStream, Subscription, leases, retrying, show, stopped,
};
use eventcore_inspect::{Session, Time};
use maud::{Markup, html};

use super::park;
use super::subscriptions::state;
use crate::actions::{Done, Submitted};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::held::held_back;
use crate::view::operate::{Confirmation, asks, names, one_more, page, permitted, trail};
use crate::view::table::{self, Column, facts, long, number, row, text, wide};
use crate::view::text::{badge, count, maybe_time, position, seconds, stream, time, told};
use crate::view::{form, link};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/subscriptions/{name}", |asked| {
        Box::pin(subscription(asked))
    }),
    Route::page("/subscriptions/{name}/confirm", |asked| {
        Box::pin(confirm(asked))
    }),
    Route::action("/subscriptions/{name}/pause", |sent| {
        Box::pin(change(sent, SubscriptionAction::Pause, "paused"))
    }),
    Route::action("/subscriptions/{name}/resume", |sent| {
        Box::pin(change(sent, SubscriptionAction::Resume, "resumed"))
    }),
    Route::action("/subscriptions/{name}/reset", |sent| Box::pin(reset(sent))),
    Route::action("/subscriptions/{name}/drop", |sent| {
        Box::pin(change(sent, SubscriptionAction::Drop, "dropped"))
    }),
];

const ALL: &str = "/subscriptions";

/// How many streams and events are listed.
const PAGE: usize = 50;

async fn subscription(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let of = show(&session, asked.name("name")).await?;
    let below = |rest: &str| link::below(ALL, &of.name, rest, []);
    let body = html! {
        (trail(&[("Subscriptions", ALL.to_owned())]))
        h1 { (told(&of.name)) }
        div.actions {
            @if of.paused { (form::button(&asked, &below("resume"), "Resume", None)) }
            @else { (form::button(&asked, &below("pause"), "Pause", None)) }
            a.button href=(below("parked")) { "Parked events (" (of.parked) ")" }
            (asks(&asked, &park::path(&of.name, None), "Park events…"))
            (asks(&asked, &link::below(ALL, &of.name, "confirm", [("do", "reset")]), "Reset…"))
            (asks(&asked, &link::below(ALL, &of.name, "confirm", [("do", "drop")]), "Drop…"))
        }
        ec-live id="subscription" data-every="5" {
            (held_back(&asked))
            (all_facts(&of))
            (failure(&of))
            (lists(&asked, &session, &of).await?)
        }
    };
    Ok(Page::new(of.name, body).into())
}

fn all_facts(of: &Subscription) -> Markup {
    facts(&[
        ("State", state(of)),
        (
            "Behind",
            html! { (count(of.lag_events, "event")) ", " (seconds(of.lag_seconds)) },
        ),
        ("Checkpoint", position(of.checkpoint)),
        ("Safe position", position(of.safe_position)),
        ("Read to", position(of.read_position)),
        (
            "Leased",
            html! { (count(of.leased, "event")) " in " (count(of.leases, "lease")) " of " (count(of.consumers, "consumer")) },
        ),
        (
            "Waiting",
            html! { (count(of.waiting, "event")) ", " (of.retrying) " of them after a failure" },
        ),
        ("Streams behind", html! { (of.streams_behind) }),
        ("Parked", count(of.parked, "event")),
        (
            "Streams stopped",
            html! { @if of.streams_stopped > 0 { (badge(&of.streams_stopped.to_string(), "bad")) } @else { "0" } },
        ),
        (
            "Streams that begin with",
            names(of.stream_prefixes.as_deref()),
        ),
        ("Types", names(of.event_types.as_deref())),
        ("Time for the events of a poll", seconds(of.lease_seconds)),
        ("Deliveries after a failure", html! { (of.retry_limit) }),
        (
            "After a parked event, its stream",
            html! { (if of.on_parked == "stop" { "stops" } else { "goes on" }) },
        ),
        ("Created", time(of.created_at)),
    ])
}

fn failure(of: &Subscription) -> Markup {
    html! {
        @if let Some(error) = &of.last_error {
            div.failure {
                h2 { "Last failure" }
                p.message { (told(error)) }
                p.hint { (maybe_time(of.last_error_at)) }
            }
        }
        @if of.is_copy {
            div.failure {
                h2 { "A copy" }
                p { "It came with a copy of the database and belongs to another one, which delivers its events." }
            }
        }
    }
}

async fn lists(asked: &Asked, session: &Session, of: &Subscription) -> Result<Markup, Failure> {
    let leases = permitted(leases(session, &of.name).await, |leases| held(of, &leases))?;
    let after = asked.value("stream_after").unwrap_or_default();
    let stopped = stopped(session, &of.name, after, one_more(PAGE)).await;
    let stopped = permitted(stopped, |streams| stopped_streams(asked, of, streams))?;
    let after = asked.parsed("position_after")?.unwrap_or(0);
    let retrying = retrying(session, &of.name, after, one_more(PAGE)).await;
    let retrying = permitted(retrying, |events| retried(asked, of, events))?;
    Ok(html! {
        section { h2 { "Leases" } (leases) }
        @if of.on_parked == "stop" { section { h2 { "Streams that are stopped" } (stopped) } }
        section { h2 { "Events that have failed and come again" } (retrying) }
    })
}

const LEASES: [Column; 6] = [
    wide("Consumer"),
    number("Events"),
    text("Positions"),
    text("Held for"),
    text("Ends"),
    text("State"),
];

fn held(of: &Subscription, leases: &[Lease]) -> Markup {
    let rows = html! {
        @for lease in leases {
            @let left = seconds_until(lease.leased_until);
            (row(&LEASES, &[
                told(&lease.consumer),
                html! { (lease.events) },
                html! {
                    @if let (Some(first), Some(last)) = (lease.first_position, lease.last_position) {
                        (position(first)) @if last != first { " to " (position(last)) }
                    }
                },
                // An extension of the lease begins this anew.
                seconds((of.lease_seconds - left).max(0.0)),
                time(lease.leased_until),
                if lease.is_expired { badge("expired", "bad") } else { badge("held", "good") },
            ]))
        }
    };
    html! {
        @if leases.is_empty() { (table::nothing("No consumer holds events.")) }
        @else { (table::table("Leases, those that end first at the beginning", &LEASES, rows)) }
    }
}

fn seconds_until(time: Time) -> f64 {
    let micros = time.unix_micros().saturating_sub(Time::now().unix_micros());
    micros as f64 / 1e6
}

const STOPPED: [Column; 3] = [
    wide("Stream"),
    number("First parked event"),
    number("Parked"),
];

fn stopped_streams(asked: &Asked, of: &Subscription, streams: Vec<StoppedStream>) -> Markup {
    let (streams, next) = page(streams, PAGE, |last| {
        asked.with(&[("stream_after", Some(&last.stream_id))])
    });
    let parked = |from: i64| {
        let after = (from - 1).to_string();
        link::below(ALL, &of.name, "parked", [("after", after.as_str())])
    };
    let rows = html! {
        @for found in &streams {
            (row(&STOPPED, &[
                stream(&found.stream_id),
                html! { a href=(parked(found.first_parked)) { (crate::view::text::number(found.first_parked)) } },
                html! { (found.parked) },
            ]))
        }
    };
    html! {
        @if streams.is_empty() { (table::nothing("None.")) }
        @else { (table::table("Streams that stand still for a parked event", &STOPPED, rows)) }
        (table::more(next.as_deref(), "More streams"))
    }
}

const RETRYING: [Column; 8] = [
    number("Position"),
    wide("Stream"),
    number("Failures"),
    text("Failed"),
    text("Again"),
    text("Consumer"),
    long("Reason"),
    text("Set aside"),
];

fn retried(asked: &Asked, of: &Subscription, events: Vec<RetryingEvent>) -> Markup {
    // The last column is there only if something can be set aside.
    let columns = match asked.state().allow_actions {
        true => &RETRYING[..],
        false => &RETRYING[..RETRYING.len() - 1],
    };
    let (events, next) = page(events, PAGE, |last| {
        asked.with(&[("position_after", Some(&last.position.to_string()))])
    });
    let rows = html! {
        @for event in &events {
            (row(columns, &[
                position(event.position),
                html! { span { (stream(&event.stream_id)) " at version " (event.version) } },
                html! { (event.failures) },
                maybe_time(event.failed_at),
                match event.not_before { Some(at) => time(at), None => badge("leased", "calm") },
                html! { @if let Some(consumer) = &event.consumer { (told(consumer)) } },
                html! { @if let Some(reason) = &event.reason { (told(reason)) } },
                // A consumer may be handling what is leased.
                html! { @if event.not_before.is_some() { (asks(asked, &park::path(&of.name, Some(event.position)), "Park…")) } },
            ]))
        }
    };
    html! {
        @if events.is_empty() { (table::nothing("None.")) }
        @else { (table::table("Events that have failed, by position", columns, rows)) }
        (table::more(next.as_deref(), "More events"))
    }
}

/// Asks before a reset and before a drop.
async fn confirm(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let of = show(&session, asked.name("name")).await?;
    let back = link::named(ALL, &of.name);
    let confirmation = match asked.value("do") {
        Some("reset") => Confirmation {
            question: format!("Reset subscription {:?}?", of.name),
            consequence: html! {
                p { "It continues after the position that you give, which may be lower or higher than its checkpoint, "
                    (position(of.checkpoint)) ". What is after it is delivered again; what is before it is not." }
                p { "All its leases (" (of.leases) ") are lost. Of its parked events (" (of.parked)
                    "), those up to the position stay parked, and the others are delivered again." }
            },
            action: link::below(ALL, &of.name, "reset", []),
            fields: html! {
                label { span { "Continue after position" }
                    input name="to" inputmode="numeric" pattern="[0-9]+" required autocomplete="off"; }
            },
            button: "Reset",
            back,
        },
        Some("drop") => Confirmation {
            question: format!("Drop subscription {:?}?", of.name),
            consequence: html! {
                p { "It is removed with its checkpoint, its leases (" (of.leases) ") and its parked events (" (of.parked)
                    "). Consumers that poll it fail from then on. This cannot be undone." }
            },
            action: link::below(ALL, &of.name, "drop", []),
            fields: html! {},
            button: "Drop",
            back,
        },
        _ => return Err(Failure::malformed("there is nothing to confirm")),
    };
    Ok(confirmation.page(&asked).into())
}

async fn reset(sent: Submitted) -> Result<Done, Failure> {
    let [to] = sent.all("to")?[..] else {
        return Err(Failure::malformed(
            "give the position after which it continues",
        ));
    };
    change(sent, SubscriptionAction::Reset(to), "reset").await
}

async fn change(sent: Submitted, action: SubscriptionAction, done: &str) -> Result<Done, Failure> {
    let name = sent.asked.name("name");
    change_subscription(&sent.session, name, action).await?;
    let next = match action {
        SubscriptionAction::Drop => ALL.to_owned(),
        _ => link::named(ALL, name),
    };
    Ok(Done::new(format!("subscription {name:?} is {done}"), next))
}
