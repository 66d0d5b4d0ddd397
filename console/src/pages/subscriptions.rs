//! `/subscriptions`: all durable subscriptions, and a form for a new one.

use eventcore_inspect::actions::{NewSubscription, create_subscription};
use eventcore_inspect::subscriptions::{Subscription, list_after};
use maud::{Markup, html};

use crate::actions::{Done, Submitted};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::monitor::Reader;
use crate::page::Page;
use crate::routes::Route;
use crate::view::held::held_back;
use crate::view::operate::{one_more, page};
use crate::view::table::{self, Column, long, number, row, text, wide};
use crate::view::text::{badge, seconds, told};
use crate::view::{form, link, spark};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/subscriptions", |asked| Box::pin(subscriptions(asked))),
    Route::action("/subscriptions", |sent| Box::pin(create(sent))),
];

const PAGE: usize = 100;

const COLUMNS: [Column; 9] = [
    wide("Subscription"),
    text("State"),
    number("Events behind"),
    text("Behind"),
    text("Trend"),
    number("Leased"),
    number("Retrying"),
    text("Parked"),
    long("Last error"),
];

async fn subscriptions(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let after = asked.value("after").unwrap_or_default();
    let found = list_after(&session, after, one_more(PAGE)).await?;
    let (found, next) = page(found, PAGE, |last| {
        asked.with(&[("after", Some(&last.name))])
    });
    let body = html! {
        h1 { "Subscriptions" }
        ec-live id="subscriptions" data-every="5" {
            (held_back(&asked))
            @if found.is_empty() { (table::nothing("No subscription on this page.")) }
            @else { (table::table("Subscriptions, by name", &COLUMNS, rows(&asked, &found))) }
        }
        (table::more(next.as_deref(), "Next page"))
        (form_for_new(&asked))
    };
    Ok(Page::new("Subscriptions", body).into())
}

fn rows(asked: &Asked, found: &[Subscription]) -> Markup {
    html! {
        @for of in found {
            @let path = link::named("/subscriptions", &of.name);
            @let lags = asked.state().monitor.lags(&Reader::Subscription(of.name.clone()));
            (row(&COLUMNS, &[
                html! { a.name href=(path) { (told(&of.name)) } },
                state(of),
                crate::view::text::number(of.lag_events),
                seconds(of.lag_seconds),
                spark::trend(&lags),
                crate::view::text::number(of.leased),
                html! { (of.retrying) },
                parked(of),
                html! { @if let Some(error) = &of.last_error { (told(error)) } },
            ]))
        }
    }
}

/// Whether it delivers.
pub(super) fn state(of: &Subscription) -> Markup {
    match (of.is_copy, of.paused) {
        (true, _) => badge("copy", "warn"),
        (_, true) => badge("paused", "warn"),
        _ if of.lag_events > 0 && of.consumers == 0 => badge("no consumer", "calm"),
        _ => badge("running", "good"),
    }
}

fn parked(of: &Subscription) -> Markup {
    let path = link::below("/subscriptions", &of.name, "parked", []);
    html! {
        @if of.parked > 0 {
            span {
                a href=(path) { (badge(&of.parked.to_string(), "warn")) }
                @if of.streams_stopped > 0 { " " (badge(&format!("{} stopped", of.streams_stopped), "bad")) }
            }
        } @else { "none" }
    }
}

fn form_for_new(asked: &Asked) -> Markup {
    if !asked.state().allow_actions {
        return html! {};
    }
    let field = |name: &str, label: &str, value: &str, hint: &str| {
        html! { label { span { (label) } input name=(name) value=(value) placeholder=(hint) autocomplete="off"; } }
    };
    html! {
        details {
            summary { "New subscription" }
            (form::action(asked, "/subscriptions", html! {
                label { span { "Name" } input name="new" required maxlength="255" autocomplete="off"; }
                label { span { "Streams that begin with, one on each line" } textarea name="prefixes" rows="2" placeholder="all" {} }
                label { span { "Types of events, one on each line" } textarea name="types" rows="2" placeholder="all" {} }
                (field("from", "Begins at: start, now, or a position", "start", ""))
                (field("lease", "Time for the events of one poll", "30 seconds", ""))
                (field("retry_limit", "Deliveries after a failure", "10", ""))
                label { span { "After a parked event, its stream" }
                    select name="on_parked" { option value="continue" { "goes on" } option value="stop" { "stops" } } }
                button { "Create" }
            }))
        }
    }
}

/// The lines of a field that are not empty; `None` if there are none.
fn lines(text: Option<&str>) -> Option<Vec<String>> {
    let lines = text.unwrap_or_default().lines();
    let lines: Vec<String> = lines
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    (!lines.is_empty()).then_some(lines)
}

async fn create(sent: Submitted) -> Result<Done, Failure> {
    let owned = |name: &str| sent.field(name).map(str::to_owned);
    let retry_limit = sent.field("retry_limit").map(str::parse::<i64>).transpose();
    let new = NewSubscription {
        name: sent.required("new")?.to_owned(),
        prefixes: lines(sent.field("prefixes")),
        types: lines(sent.field("types")),
        from: owned("from"),
        lease: owned("lease"),
        retry_limit: retry_limit
            .map_err(|_| Failure::malformed("the number of deliveries is not a number"))?,
        on_parked: owned("on_parked"),
    };
    let message = match create_subscription(&sent.session, &new).await? {
        true => format!("subscription {:?} is created", new.name),
        false => format!(
            "subscription {:?} exists already, with the same definition",
            new.name
        ),
    };
    Ok(Done::new(message, link::named("/subscriptions", &new.name)))
}
