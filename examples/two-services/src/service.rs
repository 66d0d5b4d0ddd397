//! What the process of each service does.

use std::convert::Infallible;
use std::net::SocketAddr;

use eventcore::{EventSubscription, Filter, HandlerError, Position, Subscribe, SubscriptionStore};
use tokio::net::TcpListener;

use crate::orders::{OrderEvent, Orders};
use crate::payments::Payments;
use crate::samples::{ORDERS, open_accounts, place_orders};
use crate::socket::{Remote, serve};
use crate::wire::Wire;

/// The orders service: places its orders, and prints how each ends. Ends when all have.
///
/// # Errors
///
/// The store or the listener fails.
pub async fn orders<S>(
    store: S,
    listener: TcpListener,
    payments: SocketAddr,
) -> Result<(), HandlerError>
where
    S: SubscriptionStore + EventSubscription + Clone + 'static,
{
    let service = Orders(store);
    place_orders(&service).await?;
    let wire = Wire::to(Remote(payments));
    tokio::select! {
        never = serve(listener, service.clone()) => match never? {},
        never = service.tell(&wire) => match never? {},
        ended = print_ends(&service) => ended,
    }
}

/// The payments service, until it is killed.
///
/// # Errors
///
/// The store or the listener fails.
pub async fn payments<S>(
    store: S,
    listener: TcpListener,
    orders: SocketAddr,
) -> Result<Infallible, HandlerError>
where
    S: SubscriptionStore + EventSubscription + Clone + 'static,
{
    let service = Payments(store);
    open_accounts(&service).await?;
    let wire = Wire::to(Remote(orders));
    tokio::select! {
        never = serve(listener, service.clone()) => never,
        never = service.tell(&wire) => never,
    }
}

/// Prints how the orders end, from the first one on.
async fn print_ends<S>(service: &Orders<S>) -> Result<(), HandlerError>
where
    S: SubscriptionStore + EventSubscription + Clone + 'static,
{
    let filter = Filter::all().stream_prefix("order-");
    let all = Subscribe::after(Position::START).filter(filter);
    let mut events = service.0.subscribe(all).typed::<OrderEvent>();
    let (mut confirmed, mut cancelled) = (0, 0);
    while confirmed + cancelled < ORDERS {
        let stored = events.next_event().await?;
        match stored.event {
            OrderEvent::OrderConfirmed {} => {
                confirmed += 1;
                println!("{} confirmed", stored.stream_id);
            }
            OrderEvent::OrderCancelled {} => {
                cancelled += 1;
                println!("{} cancelled", stored.stream_id);
            }
            _ => {}
        }
    }
    println!("{confirmed} orders confirmed, {cancelled} cancelled");
    Ok(())
}
