//! What is outside of the shop: a payment provider and a carrier. Each is asked with the order as
//! its key, any number of times, and does what it is asked once.

mod http;
mod ledger;
mod ledger_file;
mod stub;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

pub use http::OverHttp;
pub use ledger::{Ledger, MAX_PAYMENT_CENTS, MAX_PIECES};
pub use stub::{Faults, serve as serve_stub};

use crate::domain::{Money, OrderId};

/// What a partner outside answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done. This is its name there: of a payment, or the tracking number.
    Done(String),
    /// It is refused, now and whenever it is asked again.
    Refused(String),
}

/// A partner that cannot be reached, or does not answer. Whether it did what it was asked is unknown.
#[derive(Debug, thiserror::Error)]
#[error("{partner} does not answer")]
pub struct Unavailable {
    /// Who.
    pub partner: &'static str,
    /// Why not, as far as it is known.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A payment provider.
pub trait Payments: Send + Sync {
    /// Takes the money for an order. Asked again, it gives the same answer and takes nothing more.
    fn charge(&self, order: OrderId, amount: Money) -> BoxFuture<'_, Result<Answer, Unavailable>>;

    /// Gives the money for an order back. If it was not taken, it never will be.
    fn refund(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>>;
}

/// A carrier.
pub trait Carrier: Send + Sync {
    /// Takes on the shipment of an order. Asked again, it gives the same answer.
    fn book(&self, order: OrderId, pieces: u64) -> BoxFuture<'_, Result<Answer, Unavailable>>;

    /// Withdraws a booking. Afterwards the carrier refuses to book this order, even if it had no
    /// booking.
    fn withdraw(&self, order: OrderId) -> BoxFuture<'_, Result<(), Unavailable>>;
}

/// The partners of the shop.
#[derive(Clone)]
pub struct Outside {
    /// Who takes the money.
    pub payments: Arc<dyn Payments>,
    /// Who ships.
    pub carrier: Arc<dyn Carrier>,
}

impl Outside {
    /// Partners within this process, who always answer at once.
    pub fn in_process() -> Self {
        let ledger = Arc::new(Ledger::default());
        Self {
            payments: ledger.clone(),
            carrier: ledger,
        }
    }
}
