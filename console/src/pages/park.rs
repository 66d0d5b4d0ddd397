//! `/subscriptions/{name}/park`: a person sets events aside that a consumer cannot handle.

use eventcore_inspect::actions::park;
use eventcore_inspect::subscriptions::{Subscription, show};
use maud::html;

use super::subscriptions::state;
use crate::actions::{Done, Submitted};
use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::routes::Route;
use crate::view::link;
use crate::view::operate::Confirmation;
use crate::view::table::facts;
use crate::view::text::count;

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/subscriptions/{name}/park", |asked| {
        Box::pin(confirm(asked))
    }),
    Route::action("/subscriptions/{name}/park", |sent| {
        Box::pin(set_aside(sent))
    }),
];

const ALL: &str = "/subscriptions";

/// The page that asks about these positions, or which positions.
pub(super) fn path(subscription: &str, position: Option<i64>) -> String {
    let position = position.map(|position| position.to_string());
    let field = position.as_deref().map(|position| ("position", position));
    link::below(ALL, subscription, "park", field)
}

async fn confirm(asked: Asked) -> Result<Answer, Failure> {
    let positions: Vec<i64> = asked.all_parsed("position")?;
    let positions: Vec<String> = positions.iter().map(i64::to_string).collect();
    let session = asked.session().await?;
    let of = show(&session, asked.name("name")).await?;
    let confirmation = Confirmation {
        question: format!("Park events of {:?}?", of.name),
        consequence: html! {
            p { "They are set aside: no consumer gets them until they are replayed. " (streams(&of)) }
            p { "An event that was never delivered cannot be parked, and neither can one that a consumer has leased: pause the \
                 subscription, and wait until its leases are gone or have expired." }
            (facts(&[
                ("State", state(&of)),
                ("Leased", html! { (count(of.leased, "event")) " in " (count(of.leases, "lease")) }),
                ("Waiting", html! { (count(of.waiting, "event")) ", " (of.retrying) " of them after a failure" }),
            ]))
        },
        action: path(&of.name, None),
        fields: html! {
            label { span { "Positions, with spaces between them" }
                input name="positions" value=(positions.join(" ")) inputmode="numeric" required autocomplete="off"; }
            label { span { "Why; without a reason it is the role" }
                input name="reason" autocomplete="off"; }
        },
        button: "Park them",
        back: link::named(ALL, &of.name),
    };
    Ok(confirmation.page(&asked).into())
}

/// What becomes of the events after them.
fn streams(of: &Subscription) -> &'static str {
    match of.on_parked.as_str() {
        "stop" => "Their streams stand still until then.",
        _ => "Their streams go on without them.",
    }
}

async fn set_aside(sent: Submitted) -> Result<Done, Failure> {
    let positions = positions(sent.required("positions")?)?;
    let name = sent.asked.name("name");
    let parked = park(&sent.session, name, &positions, sent.field("reason")).await?;
    let message = match parked {
        0 => format!("the events of {name:?} are parked already"),
        1 => format!("1 event of {name:?} is parked"),
        _ => format!("{parked} events of {name:?} are parked"),
    };
    Ok(Done::new(message, link::below(ALL, name, "parked", [])))
}

/// Numbers with spaces or commas between them.
fn positions(text: &str) -> Result<Vec<i64>, Failure> {
    let parts = text.split([' ', ',', '\t']).filter(|part| !part.is_empty());
    let parsed: Result<Vec<i64>, Failure> = parts
        .map(|part| {
            part.parse()
                .map_err(|_| Failure::malformed(format!("a position cannot be {part:?}")))
        })
        .collect();
    match parsed {
        Ok(positions) if positions.is_empty() => Err(Failure::malformed("no position was given")),
        parsed => parsed,
    }
}

#[cfg(test)]
mod tests {
    use super::positions;

    #[test]
    fn positions_are_numbers_with_spaces_or_commas_between_them() {
        let read = |text| positions(text).ok();
        assert_eq!(read(" 5,6  7, "), Some(vec![5, 6, 7]));
        for text in [" ", ",", "5 x", "5.", "99999999999999999999"] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }
}
