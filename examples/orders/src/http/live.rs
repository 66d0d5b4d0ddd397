//! `GET /live`: the events of the shop as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use eventcore::{Filter, Followed, Position, RecordedEvent, StoreError, Subscribe};
use futures_util::stream::{self, Stream, StreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::IntoParams;
use uuid::Uuid;

use super::asked::{number, text};
use super::params::Params;
use super::{App, Problem};
use crate::domain::{OrderId, PRODUCT_PREFIXES};

/// So often a comment keeps the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LiveParams {
    /// Begin after this position; by default now.
    after: Option<u64>,
    /// Only the events of this order, and of the stock that is set aside for it.
    order_id: Option<Uuid>,
}

/// One event of the shop.
#[derive(Serialize)]
struct LiveEvent<'a> {
    position: u64,
    stream: &'a str,
    version: u64,
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    timestamp: Timestamp,
    payload: &'a RawValue,
}

/// Follows the shop: server-sent events, to be resumed by `Last-Event-ID`.
#[utoipa::path(get, path = "/live", tag = "shop",
    params(LiveParams, ("Last-Event-ID" = Option<String>, Header, description = "Begin after this position")),
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 400, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn live(
    State(app): State<App>,
    headers: HeaderMap,
    Params(params): Params<LiveParams>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let last = match text(&headers, "last-event-id")? {
        Some(id) => {
            let malformed =
                || Problem::malformed(format!("Last-Event-ID {id:?} is not a position"));
            Some(number(id).ok_or_else(malformed)?)
        }
        None => params.after,
    };
    let last = last.map(Position::new);
    let newest = app.store.safe_position().await?;
    // A caller from another history, such as one before a restart of the store in memory.
    let is_lost = last.is_some_and(|last| last > newest);
    let after = last.filter(|_| !is_lost).unwrap_or(newest);

    let only = params.order_id.map(OrderId::from);
    let filter = PRODUCT_PREFIXES
        .into_iter()
        .fold(Filter::all(), Filter::stream_prefix);
    let filter = match only {
        Some(order) => [
            order.stream(),
            order.payment(),
            order.shipment(),
            order.fulfilment(),
        ]
        .iter()
        .fold(filter, |filter, stream| {
            filter.stream_prefix(stream.as_str())
        }),
        None => OrderId::PREFIXES
            .into_iter()
            .fold(filter, Filter::stream_prefix),
    };
    let subscription = app
        .store
        .subscribe(Subscribe::after(after).filter(filter))
        .with_signals();
    let reset = is_lost.then(|| signal("reset", newest));
    let events = stream::iter(reset)
        .chain(subscription.filter_map(move |next| async move { to_send(next, only) }));
    let events = events.map(Ok).take_until(app.shutdown.cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// What to send for what the subscription found. Among the events of stock are those for other orders.
fn to_send(
    next: Result<Followed<RecordedEvent>, StoreError>,
    only: Option<OrderId>,
) -> Option<Event> {
    match next {
        Ok(Followed::Event(event)) if only.is_some_and(|only| order_of(&event) != Some(only)) => {
            None
        }
        Ok(Followed::Event(event)) => encode(&event).inspect_err(log).ok(),
        Ok(Followed::CaughtUp { position }) => Some(signal("caught-up", position)),
        Ok(_) => None,
        // The caller loads again what it shows; the subscription goes on where it was.
        Err(error) => {
            log(&error);
            Some(Event::default().event("reset").data("{}"))
        }
    }
}

fn encode(event: &RecordedEvent) -> Result<Event, Box<dyn std::error::Error>> {
    let data = serde_json::to_string(&LiveEvent {
        position: event.position.get(),
        stream: event.stream_id.as_str(),
        version: event.version.get(),
        event_type: event.event_type.as_str(),
        order_id: order_of(event),
        timestamp: Timestamp::try_from(event.recorded_at)?,
        payload: serde_json::from_str(event.payload.as_str())?,
    })?;
    let id = event.position.to_string();
    Ok(Event::default()
        .id(id)
        .event(event.event_type.as_str())
        .data(data))
}

/// The order of a stream; of stock, the order that it was set aside for.
fn order_of(event: &RecordedEvent) -> Option<OrderId> {
    #[derive(Deserialize)]
    struct Names {
        order_id: Option<OrderId>,
    }
    let of_stream = OrderId::of_stream(&event.stream_id);
    of_stream.or_else(|| event.payload.decode::<Names>().ok()?.order_id)
}

fn signal(name: &str, position: Position) -> Event {
    let data = json!({ "position": position.get() });
    Event::default()
        .id(position.to_string())
        .event(name)
        .data(data.to_string())
}

fn log(error: &(impl std::fmt::Display + ?Sized)) {
    tracing::warn!(%error, "a live update is not sent");
}
