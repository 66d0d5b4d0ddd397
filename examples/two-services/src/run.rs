//! [`run`]: both services at work, until every order has ended; and the books of both.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eventcore::{HandlerError, ReadAll, StreamId, SubscriptionStore};
use tokio::task::JoinSet;

use crate::orders::{OrderEvent, Orders, PlaceOrder};
use crate::payments::{Deposit, PaymentEvent, Payments};
use crate::wire::Wire;

const ORDERS: u64 = 40;
const ACCOUNTS: u64 = 4;
/// In each account at the start: too little for all of its orders.
const BALANCE: u64 = 500;
/// How long the first relays live before they are killed; the next ones live longer by as much.
const LIFE: Duration = Duration::from_millis(50);

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

/// Places orders, lets both services work while their relays are killed again and again, and looks
/// into the books when every order has ended.
///
/// # Errors
///
/// A store fails.
pub async fn run<A, B>(orders: A, payments: B) -> Result<Books, HandlerError>
where
    A: SubscriptionStore + Clone + 'static,
    B: SubscriptionStore + Clone + 'static,
{
    let (orders, payments) = (Orders(orders), Payments(payments));
    for number in 0..ACCOUNTS {
        let account = StreamId::new(format!("account-{number}"))?;
        let cents = BALANCE;
        payments.deposit(&Deposit { account, cents }).await?;
    }
    for number in 0..ORDERS {
        let order = StreamId::new(format!("order-{number}"))?;
        let account = StreamId::new(format!("account-{}", number % ACCOUNTS))?;
        let cents = 40 + number * 7 % 60;
        orders
            .place(&PlaceOrder {
                order,
                account,
                cents,
            })
            .await?;
    }

    let to_payments = Arc::new(Wire::to(payments.clone()));
    let to_orders = Arc::new(Wire::to(orders.clone()));
    for generation in 1.. {
        let mut relays = JoinSet::new();
        let (service, wire) = (orders.clone(), Arc::clone(&to_payments));
        relays.spawn(async move { service.tell(&*wire).await });
        let (service, wire) = (payments.clone(), Arc::clone(&to_orders));
        relays.spawn(async move { service.tell(&*wire).await });
        tokio::time::sleep(LIFE * generation).await;
        // Wherever they are: before, between and after the steps of a message.
        relays.abort_all();
        while let Some(ended) = relays.join_next().await {
            if let Ok(Err(error)) = ended {
                return Err(error);
            }
        }
        let books = books(&orders.0, &payments.0).await?;
        if books.confirmed + books.cancelled >= ORDERS as usize {
            return Ok(books);
        }
    }
    Err("the orders have not ended".into())
}

/// What an order came to.
#[derive(Default)]
struct Order {
    cents: u64,
    confirmed: u32,
    cancelled: u32,
    charged: u64,
}

async fn books<A, B>(orders: &A, payments: &B) -> Result<Books, HandlerError>
where
    A: SubscriptionStore,
    B: SubscriptionStore,
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
