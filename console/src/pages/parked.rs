//! `/subscriptions/{name}/parked` and `/projections/{name}/parked`: events that were set aside and
//! why; some of them replayed or discarded.
//!
//! What is replayed is what a person has seen: a form sends positions and never "all", so what is
//! parked meanwhile stays.

use eventcore_inspect::actions::{ParkedAction, ParkedOf, change_parked};
use eventcore_inspect::{Event, Session, Time, projections, subscriptions};
use maud::{Markup, html};

use crate::actions::{Done, Submitted};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::operate::{Confirmation, name_field, one_more, page, trail_to};
use crate::view::table::{self, Column, long, number, row, text, wide};
use crate::view::text::{badge, event_type, position, stream, time, told};
use crate::view::{json, link};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/subscriptions/{name}/parked", |asked| {
        Box::pin(list(asked, ParkedOf::Subscription))
    }),
    Route::page("/subscriptions/{name}/parked/confirm", |asked| {
        Box::pin(confirm(asked, ParkedOf::Subscription))
    }),
    Route::action("/subscriptions/{name}/parked/replay", |sent| {
        Box::pin(change(sent, ParkedOf::Subscription, ParkedAction::Replay))
    }),
    Route::action("/subscriptions/{name}/parked/discard", |sent| {
        Box::pin(change(sent, ParkedOf::Subscription, ParkedAction::Discard))
    }),
    Route::page("/projections/{name}/parked", |asked| {
        Box::pin(list(asked, ParkedOf::Projection))
    }),
    Route::page("/projections/{name}/parked/confirm", |asked| {
        Box::pin(confirm(asked, ParkedOf::Projection))
    }),
    Route::action("/projections/{name}/parked/replay", |sent| {
        Box::pin(change(sent, ParkedOf::Projection, ParkedAction::Replay))
    }),
    Route::action("/projections/{name}/parked/discard", |sent| {
        Box::pin(change(sent, ParkedOf::Projection, ParkedAction::Discard))
    }),
];

/// How many events a page lists. Each may send its position in the address of the next page, which
/// has room for about 3,000.
const PAGE: usize = 100;

/// How many positions are shown before something is done with them.
const SHOWN: usize = 100;

/// A parked event of either.
struct Parked {
    event: Event,
    attempts: i32,
    reason: Markup,
    parked_at: Time,
    by: Markup,
}

impl From<subscriptions::ParkedEvent> for Parked {
    fn from(parked: subscriptions::ParkedEvent) -> Self {
        Self {
            event: parked.event,
            attempts: parked.attempts,
            reason: html! { @if let Some(reason) = &parked.reason { (told(reason)) } },
            parked_at: parked.parked_at,
            by: html! { @if let Some(consumer) = &parked.consumer { "by " (told(consumer)) } },
        }
    }
}

impl From<projections::ParkedEvent> for Parked {
    fn from(parked: projections::ParkedEvent) -> Self {
        Self {
            event: parked.event,
            attempts: parked.attempts,
            reason: html! { (told(&parked.reason)) " " code { (parked.sqlstate) } },
            parked_at: parked.parked_at,
            by: html! { @if parked.replay { (badge("being replayed", "warn")) } },
        }
    }
}

fn path(of: ParkedOf) -> &'static str {
    match of {
        ParkedOf::Subscription => "/subscriptions",
        ParkedOf::Projection => "/projections",
    }
}

fn title(of: ParkedOf) -> &'static str {
    match of {
        ParkedOf::Subscription => "Subscriptions",
        ParkedOf::Projection => "Projections",
    }
}

async fn parked(
    session: &Session,
    of: ParkedOf,
    name: &str,
    after: i64,
) -> Result<Vec<Parked>, Failure> {
    let limit = one_more(PAGE);
    Ok(match of {
        ParkedOf::Subscription => {
            let found = subscriptions::parked(session, name, after, limit).await?;
            found.into_iter().map(Parked::from).collect()
        }
        ParkedOf::Projection => {
            let found = projections::parked(session, name, after, limit).await?;
            found.into_iter().map(Parked::from).collect()
        }
    })
}

const COLUMNS: [Column; 6] = [
    text("Choose"),
    number("Position"),
    long("Event"),
    long("Parked"),
    long("Reason"),
    wide("Payload"),
];

async fn list(asked: Asked, of: ParkedOf) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let name = asked.name("name");
    let after = asked.parsed("after")?.unwrap_or(0);
    let found = parked(&session, of, name, after).await?;
    let (found, next) = page(found, PAGE, |last| {
        asked.with(&[("after", Some(&last.event.position.to_string()))])
    });
    let confirm = link::below(path(of), name, "parked/confirm", []);
    let title = format!("Parked events of {name}");
    let body = html! {
        (trail_to(self::title(of), path(of), name))
        h1 { "Parked events of " (told(name)) }
        @if found.is_empty() { (table::nothing("No event is parked on this page.")) }
        @else if !asked.state().allow_actions {
            (table::table("Parked events, by position", &COLUMNS[1..], rows(&found, false)))
        } @else {
            form method="get" action=(confirm) {
                (name_field(&asked))
                (table::table("Parked events, by position", &COLUMNS, rows(&found, true)))
                div.actions {
                    button name="do" value="replay" { "Replay the chosen…" }
                    button name="do" value="discard" { "Discard the chosen…" }
                }
            }
            form method="get" action=(confirm) {
                (name_field(&asked))
                @for found in &found { input type="hidden" name="position" value=(found.event.position); }
                div.actions {
                    button name="do" value="replay" { "Replay all " (found.len()) " on this page…" }
                    button name="do" value="discard" { "Discard all " (found.len()) " on this page…" }
                }
            }
        }
        (table::more(next.as_deref(), "Next page"))
    };
    Ok(Page::new(title, body).into())
}

fn rows(found: &[Parked], with_choice: bool) -> Markup {
    html! {
        @for parked in found {
            @let event = &parked.event;
            @let choice = html! {
                input type="checkbox" name="position" value=(event.position) aria-label=(format!("Choose position {}", event.position));
            };
            @let cells = [
                choice,
                position(event.position),
                html! { span { (event_type(&event.event_type)) " in " (stream(&event.stream_id)) " at " (event.version) } },
                html! { span { (time(parked.parked_at)) ", attempt " (parked.attempts) " " (parked.by) } },
                html! { span { (parked.reason) } },
                json::preview(event.payload.get()),
            ];
            @let from = usize::from(!with_choice);
            (row(&COLUMNS[from..], &cells[from..]))
        }
    }
}

/// What is done, in the words of a page.
struct Words {
    question: &'static str,
    consequence: &'static str,
    button: &'static str,
    rest: &'static str,
    done: &'static str,
}

fn words(of: ParkedOf, action: ParkedAction) -> Words {
    match (of, action) {
        (ParkedOf::Subscription, ParkedAction::Replay) => Words {
            question: "Replay",
            consequence: "They are delivered again, each after the events of its stream that were delivered meanwhile.",
            button: "Replay them",
            rest: "parked/replay",
            done: "replayed",
        },
        (ParkedOf::Projection, ParkedAction::Replay) => Words {
            question: "Replay",
            consequence: "They are passed to the handler again. They come late: later events have been projected already.",
            button: "Replay them",
            rest: "parked/replay",
            done: "replayed",
        },
        (ParkedOf::Subscription, ParkedAction::Discard) => Words {
            question: "Discard",
            consequence: "No consumer of this subscription will see them again. This cannot be undone.",
            button: "Discard them",
            rest: "parked/discard",
            done: "discarded",
        },
        (ParkedOf::Projection, ParkedAction::Discard) => Words {
            question: "Discard",
            consequence: "The projection will not see them again unless it is rebuilt. This cannot be undone.",
            button: "Discard them",
            rest: "parked/discard",
            done: "discarded",
        },
    }
}

/// Says how many events were chosen, and asks.
async fn confirm(asked: Asked, of: ParkedOf) -> Result<Answer, Failure> {
    let name = asked.name("name");
    let action = match asked.value("do") {
        Some("replay") => ParkedAction::Replay,
        Some("discard") => ParkedAction::Discard,
        _ => return Err(Failure::malformed("there is nothing to confirm")),
    };
    let positions = asked.all_parsed::<i64>("position")?;
    let back = link::below(path(of), name, "parked", []);
    if positions.is_empty() {
        return Err(
            Failure::malformed("no event was chosen").with_hint("Go back, and choose some.")
        );
    }
    let words = words(of, action);
    let count = counted(positions.len());
    let confirmation = Confirmation {
        question: format!("{} {count} of {name:?}?", words.question),
        consequence: html! {
            p { (words.consequence) }
            p { "Positions: "
                @for (at, one) in positions.iter().take(SHOWN).enumerate() { @if at > 0 { ", " } (position(*one)) }
                @if positions.len() > SHOWN { " and " (positions.len() - SHOWN) " more" }
                "." }
        },
        action: link::below(path(of), name, words.rest, []),
        fields: html! { @for position in &positions { input type="hidden" name="position" value=(position); } },
        button: words.button,
        back,
    };
    Ok(confirmation.page(&asked).into())
}

fn counted(count: usize) -> String {
    match count {
        1 => "1 parked event".to_owned(),
        count => format!("{count} parked events"),
    }
}

async fn change(sent: Submitted, of: ParkedOf, action: ParkedAction) -> Result<Done, Failure> {
    let positions: Vec<i64> = sent.all("position")?;
    if positions.is_empty() {
        return Err(Failure::malformed("no event was chosen"));
    }
    let name = sent.asked.name("name");
    let changed = change_parked(&sent.session, of, name, &positions, action).await?;
    let done = words(of, action).done;
    let count = counted(usize::try_from(changed).unwrap_or_default());
    let message = format!("{count} of {name:?}: {done}");
    Ok(Done::new(
        message,
        link::below(path(of), name, "parked", []),
    ))
}
