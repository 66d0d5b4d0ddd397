//! `/inflight`: transactions that have appended and not ended, the one that holds readers back first;
//! ending one.

use eventcore_inspect::actions::terminate;
use eventcore_inspect::inflight::{InFlight, list};
use maud::{Markup, html};

use crate::actions::{Done, Submitted};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::operate::{Confirmation, asks, source};
use crate::view::table::{self, Column, facts, long, number, row, text, wide};
use crate::view::text::{badge, position, seconds, time, told};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/inflight", |asked| Box::pin(in_flight(asked))),
    Route::page("/inflight/{pid}/end", |asked| Box::pin(confirm(asked))),
    Route::action("/inflight/{pid}/end", |sent| Box::pin(end(sent))),
];

const ALL: &str = "/inflight";

const COLUMNS: [Column; 8] = [
    number("Process"),
    text("Holds readers back"),
    text("For"),
    long("State"),
    text("Who"),
    wide("Query"),
    number("Lowest position"),
    text("End it"),
];

async fn in_flight(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let found = list(&session).await?;
    let body = html! {
        h1 { "In flight" }
        p.note { "Transactions that have appended and not ended. Readers of the whole database wait for the one that holds the safe position." }
        ec-live id="inflight" data-every="2" {
            @if found.is_empty() { (table::nothing("Nothing is in flight.")) }
            @else { (table::table("Transactions in flight", columns(&asked), rows(&asked, &found))) }
        }
    };
    Ok(Page::new("In flight", body).into())
}

/// The last column is there only if something can be ended.
fn columns(asked: &Asked) -> &'static [Column] {
    match asked.state().allow_actions {
        true => &COLUMNS,
        false => &COLUMNS[..COLUMNS.len() - 1],
    }
}

fn rows(asked: &Asked, found: &[InFlight]) -> Markup {
    let columns = columns(asked);
    html! {
        @for of in found {
            (row(columns, &[
                html! { @match of.pid { Some(pid) => { (pid) } None => { (of.holder) } } },
                holds(of),
                html! { @if let Some(age) = of.age_seconds { span.nowrap { (seconds(age)) } } },
                state(of),
                who(of),
                html! { @if let Some(query) = &of.query { code.preview { (told(query)) } } },
                position(of.lowest_position),
                html! { @if let Some(pid) = of.pid { (asks(asked, &format!("{ALL}/{pid}/end"), "End…")) } },
            ]))
        }
    }
}

fn holds(of: &InFlight) -> Markup {
    match of.holds_safe_position {
        true => badge("holds", "bad"),
        false => html! { "no" },
    }
}

fn state(of: &InFlight) -> Markup {
    html! {
        span {
            @if let Some(state) = &of.state { (told(state)) }
            @if let Some(event) = &of.wait_event { ", waits for " (told(event)) }
            @if let Some(began) = of.transaction_start { ", began " (time(began)) }
        }
    }
}

/// The role, and the name that the client gave itself.
fn who(of: &InFlight) -> Markup {
    let application = of.application_name.as_ref();
    html! {
        span {
            @if let Some(role) = &of.usename { (told(role)) }
            @if let Some(name) = application.filter(|name| !name.is_empty()) { ", " (told(name)) }
        }
    }
}

/// Asks for the number of the process to be typed.
async fn confirm(asked: Asked) -> Result<Answer, Failure> {
    let pid: i32 = asked.parsed_parameter("pid")?;
    let session = asked.session().await?;
    let found = list(&session)
        .await?
        .into_iter()
        .find(|of| of.pid == Some(pid));
    let Some(of) = found else {
        let message = format!("no transaction of process {pid} is in flight");
        return Err(Failure::not_found(message));
    };
    let confirmation = Confirmation {
        question: format!("End process {pid}?"),
        consequence: html! {
            p { "Its session is ended, and what it has appended in its open transaction is rolled back. This cannot be undone." }
            (facts(&[
                ("Holds readers back", holds(&of)),
                ("For", html! { @if let Some(age) = of.age_seconds { (seconds(age)) } }),
                ("State", state(&of)),
                ("Who", who(&of)),
            ]))
            @if let Some(query) = &of.query { (source(query)) }
        },
        action: format!("{ALL}/{pid}/end"),
        fields: html! {
            label { span { "Type the number of the process" }
                input name="typed" inputmode="numeric" required autocomplete="off"; }
        },
        button: "End it",
        back: ALL.to_owned(),
    };
    Ok(confirmation.page(&asked).into())
}

async fn end(sent: Submitted) -> Result<Done, Failure> {
    let pid: i32 = sent.asked.parsed_parameter("pid")?;
    if sent.required("typed")?.trim() != pid.to_string() {
        return Err(Failure::malformed(format!("what was typed is not {pid}"))
            .with_hint("Type the number of the process that you want to end."));
    }
    terminate(&sent.session, pid).await?;
    Ok(Done::new(
        format!("the session of process {pid} is ended"),
        ALL,
    ))
}
