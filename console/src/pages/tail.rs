//! `/tail`: the newest events, and with JavaScript those that come.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::IntoResponse;
use axum::response::sse::{KeepAlive, Sse};
use eventcore_inspect::events::safe_position;
use eventcore_inspect::search::{Query, Windows, search};
use futures_util::stream;
use maud::{PreEscaped, html};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::Route;
use crate::tail::{Feed, Filter};
use crate::view::form::{field, filter};
use crate::view::{events, link};

pub(crate) const ROUTES: &[Route] = &[
    Route::page("/tail", |asked| Box::pin(page(asked))),
    Route::page("/tail/events", |asked| Box::pin(follow(asked))),
];

/// How many events are there before the first comes.
const PAGE: usize = 50;

/// How many windows of 100,000 positions are searched for them.
const WINDOWS: usize = 3;

/// How often an idle stream says that it is still there.
const ALIVE: Duration = Duration::from_secs(15);

async fn page(asked: Asked) -> Result<Answer, Failure> {
    let session = asked.session().await?;
    let safe = safe_position(&session).await?;
    let Filter { prefixes, types } = chosen(&asked);
    let query = Query {
        prefixes,
        types,
        ..Query::default()
    };
    let found = search(
        &session,
        &query,
        Windows::newest_first(0, safe),
        PAGE,
        WINDOWS,
    )
    .await?;
    let fields = ["prefix", "type"].into_iter();
    let fields = fields.flat_map(|name| {
        asked
            .values(name)
            .into_iter()
            .map(move |value| (name, value))
    });
    let source = link::with_query("/tail/events", fields);
    let rows: String = found
        .events
        .iter()
        .map(|event| events::row(event).into_string())
        .collect();
    let body = html! {
        h1 { "Tail" }
        (filter(&asked, html! {
            (field(&asked, "prefix", "Stream begins with", "every stream"))
            (field(&asked, "type", "Type", "every type"))
        }))
        ec-tail data-source=(source) data-after=(safe) {
            p.live role="status" aria-live="polite" { "The newest events, when the page was made. Load it again for newer ones." }
            (crate::view::table::table("The newest events, the newest first", &events::COLUMNS, PreEscaped(rows)))
            p.nothing { "No event that matches has come yet." }
        }
    };
    Ok(Page::new("Tail", body).into())
}

fn chosen(asked: &Asked) -> Filter {
    let all = |name: &str| {
        let values: Vec<String> = asked.values(name).into_iter().map(str::to_owned).collect();
        (!values.is_empty()).then_some(values)
    };
    Filter {
        prefixes: all("prefix"),
        types: all("type"),
    }
}

/// Where a browser was that comes back, else where its page ends.
fn place(asked: &Asked) -> Result<Option<i64>, Failure> {
    let last = asked.headers().get("last-event-id");
    match last
        .and_then(|last| last.to_str().ok())
        .filter(|last| !last.is_empty())
    {
        Some(last) => {
            let malformed = || Failure::malformed(format!("Last-Event-ID cannot be {last:?}"));
            last.parse().map(Some).map_err(|_| malformed())
        }
        None => asked.parsed("after"),
    }
}

async fn follow(asked: Asked) -> Result<Answer, Failure> {
    let feed = Feed::open(asked.state(), chosen(&asked), place(&asked)?)?;
    let messages = stream::unfold(feed, |mut feed| async move {
        let message = feed.next().await?;
        Some((Ok::<_, std::convert::Infallible>(message), feed))
    });
    let alive = KeepAlive::new().interval(ALIVE);
    let mut response = Sse::new(messages).keep_alive(alive).into_response();
    // A proxy must not wait until it has a lot.
    response.headers_mut().insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(Answer::Response(response))
}
