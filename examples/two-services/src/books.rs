//! [`Books`]: what both services have written, compared.

use std::collections::BTreeMap;

use eventcore::{EventStore, HandlerError, ReadAll, StreamId};

use crate::orders::OrderEvent;
use crate::payments::PaymentEvent;

/// The books of both services.
#[derive(Debug, PartialEq)]
pub struct Books {
    /// How many orders were confirmed.
    pub confirmed: usize,
    /// How many orders were cancelled.
    pub cancelled: usize,
    /// What is wrong; nothing, if the example is right.
    pub wrong: Vec<String>,
}

/// What an order came to.
#[derive(Default)]
struct Order {
    cents: u64,
    confirmed: u32,
    cancelled: u32,
    charged: u64,
}

/// Looks into the books of both services.
///
/// # Errors
///
/// A store fails.
pub async fn books<A, B>(orders: &A, payments: &B) -> Result<Books, HandlerError>
where
    A: EventStore,
    B: EventStore,
{
    let mut all: BTreeMap<StreamId, Order> = BTreeMap::new();
    let read = ReadAll::new().limit(10_000);
    for event in orders.read_all(&read).await? {
        let stored = event.decode::<OrderEvent>()?;
        match stored.event {
            OrderEvent::OrderPlaced { cents, .. } => {
                all.entry(stored.stream_id).or_default().cents = cents
            }
            OrderEvent::OrderConfirmed {} => {
                all.entry(stored.stream_id).or_default().confirmed += 1
            }
            OrderEvent::OrderCancelled {} => {
                all.entry(stored.stream_id).or_default().cancelled += 1
            }
            OrderEvent::MessageHandled {} => {}
        }
    }
    let mut wrong = Vec::new();
    let mut balances: BTreeMap<StreamId, u64> = BTreeMap::new();
    for event in payments.read_all(&read).await? {
        let stored = event.decode::<PaymentEvent>()?;
        let balance = balances.entry(stored.stream_id.clone()).or_default();
        match stored.event {
            PaymentEvent::Deposited { cents } => *balance += cents,
            PaymentEvent::Charged { order, cents } => {
                all.entry(order).or_default().charged += cents;
                match balance.checked_sub(cents) {
                    Some(left) => *balance = left,
                    None => wrong.push(format!("{} is overdrawn", stored.stream_id)),
                }
            }
            _ => {}
        }
    }
    for (id, order) in &all {
        let paid = if order.confirmed > 0 { order.cents } else { 0 };
        let ended = order.confirmed + order.cancelled;
        if ended > 1 || ended == 1 && order.charged != paid {
            wrong.push(format!(
                "{id} of {} ended {ended} times, and {} was charged",
                order.cents, order.charged
            ));
        }
    }
    let count = |of: fn(&Order) -> u32| all.values().filter(|order| of(order) > 0).count();
    Ok(Books {
        confirmed: count(|order| order.confirmed),
        cancelled: count(|order| order.cancelled),
        wrong,
    })
}
