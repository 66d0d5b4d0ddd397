//! `/search`: events by stream, type, time, operation and payload, window by window.

use eventcore_inspect::events::safe_position;
use eventcore_inspect::search::{Condition, Found, Query, Windows, search};
use eventcore_inspect::since::Since;
use maud::html;

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::view::form::{field, filter};
use crate::view::{events, table};

pub(crate) const ROUTES: &[Route] = &[Route::page("/search", |asked| Box::pin(page(asked)))];

/// How many events a page shows.
const PAGE: usize = 50;

/// How many windows of 100,000 positions a page searches.
const WINDOWS: usize = 5;

async fn page(asked: Asked) -> Result<Answer, Failure> {
    let found = found(&asked).await?;
    let before = found.searched.after.to_string();
    let next = (!found.searched.is_complete).then(|| asked.with(&[("before", Some(&before))]));
    let body = html! {
        h1 { "Search" }
        (filter(&asked, html! {
            (field(&asked, "prefix", "Stream begins with", "account-"))
            (field(&asked, "type", "Type", "Deposited"))
            (field(&asked, "since", "Since", "10m, a time, a position"))
            (field(&asked, "until", "Until", "now"))
            (field(&asked, "correlation", "Correlation id", "UUID"))
            (field(&asked, "where", "Payload", "/cents > 100"))
        }))
        (events::searched(found.searched))
        @if found.events.is_empty() { (table::nothing("No event was found there.")) }
        @else { (events::table("Events that were found, the newest first", &found.events)) }
        (table::more(next.as_deref(), "Go on searching"))
    };
    Ok(Page::new("Search", body).into())
}

async fn found(asked: &Asked) -> Result<Found, Failure> {
    let condition = asked
        .value("where")
        .map(str::parse::<Condition>)
        .transpose()?;
    let query = Query {
        prefixes: asked.value("prefix").map(|prefix| vec![prefix.to_owned()]),
        types: asked.value("type").map(|name| vec![name.to_owned()]),
        correlation: asked.parsed("correlation")?,
        causation: asked.parsed("causation")?,
        condition,
    };
    let since: Option<Since> = asked.parsed("since")?;
    let until: Option<Since> = asked.parsed("until")?;
    let before: Option<i64> = asked.parsed("before")?;
    let session = asked.session().await?;
    let after = match since {
        Some(since) => since.position(&session).await?,
        None => 0,
    };
    let up_to = match (before, until) {
        (Some(before), _) => before,
        (None, Some(until)) => until.position(&session).await?,
        (None, None) => safe_position(&session).await?,
    };
    let windows = Windows::newest_first(after, up_to.max(after));
    Ok(search(&session, &query, windows, PAGE, WINDOWS).await?)
}
