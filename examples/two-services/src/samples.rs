//! What happens in the example: orders on accounts that cannot pay for all of them.

use eventcore::{ExecuteError, HandlerError, StreamId, SubscriptionStore};

use crate::orders::{Orders, PlaceOrder};
use crate::payments::{OpenAccount, Payments};

/// How many orders there are.
pub const ORDERS: usize = 40;
const ACCOUNTS: usize = 4;
/// In each account at the start: too little for all of its orders.
const BALANCE: u64 = 500;

/// Opens the accounts that are not open yet.
///
/// # Errors
///
/// The store fails.
pub async fn open_accounts<S>(payments: &Payments<S>) -> Result<(), HandlerError>
where
    S: SubscriptionStore + Clone + 'static,
{
    for number in 0..ACCOUNTS {
        let account = StreamId::new(format!("account-{number}"))?;
        let cents = BALANCE;
        unless_done(payments.open(&OpenAccount { account, cents }).await)?;
    }
    Ok(())
}

/// Places the orders that were not placed yet.
///
/// # Errors
///
/// The store fails.
pub async fn place_orders<S>(orders: &Orders<S>) -> Result<(), HandlerError>
where
    S: SubscriptionStore + Clone + 'static,
{
    for number in 0..ORDERS {
        let order = PlaceOrder {
            order: StreamId::new(format!("order-{number}"))?,
            account: StreamId::new(format!("account-{}", number % ACCOUNTS))?,
            cents: 40 + number as u64 * 7 % 60,
        };
        unless_done(orders.place(&order).await)?;
    }
    Ok(())
}

/// A process that was killed does at its next start what it has done already; that is rejected.
fn unless_done(done: Result<(), ExecuteError>) -> Result<(), ExecuteError> {
    match done {
        Err(error) if error.is_business_rule() => Ok(()),
        done => done,
    }
}
