//! [`OrderId`], [`CustomerId`] and [`RequestId`], and the streams that belong to them.

use std::fmt;
use std::str::FromStr;

use eventcore::{InvalidValue, ProcessId, StreamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::RequestKey;

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(Uuid);

/// A customer. Never the nil UUID, which programs send when they have forgotten the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct CustomerId(Uuid);

/// The id of a request with an `Idempotency-Key`, made from the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Uuid);

/// The nil UUID is no customer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a customer id is required, and it is not the nil UUID")]
pub struct NilCustomer;

/// What the streams of orders and of what belongs to an order start with.
const ORDER: &str = "order-";
const PAYMENT: &str = "payment-";
const SHIPMENT: &str = "shipment-";
const FULFILMENT: &str = "fulfilment-";

/// The namespace of the UUIDs that are made from keys.
const KEYS: Uuid = Uuid::from_u128(0x6f72_6465_7273_4b65_a9e5_7b1f_2026_0001);

impl OrderId {
    /// What the streams of orders start with.
    pub const PREFIX: &str = ORDER;
    /// What the streams of fulfilments start with.
    pub const FULFILMENT_PREFIX: &str = FULFILMENT;
    /// What all streams that belong to orders start with.
    pub const PREFIXES: [&str; 4] = [ORDER, PAYMENT, SHIPMENT, FULFILMENT];

    /// A new order.
    #[expect(clippy::new_without_default, reason = "every one is different")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The order that this request creates, however often it is sent.
    pub fn of_request(request: RequestId) -> Self {
        Self(Uuid::new_v5(&request.0, b"order"))
    }

    /// The UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The stream of the order.
    pub fn stream(self) -> StreamId {
        stream(ORDER, self.0)
    }

    /// The stream of its payment.
    pub fn payment(self) -> StreamId {
        stream(PAYMENT, self.0)
    }

    /// The stream of its shipment.
    pub fn shipment(self) -> StreamId {
        stream(SHIPMENT, self.0)
    }

    /// The stream of its fulfilment.
    pub fn fulfilment(self) -> StreamId {
        stream(FULFILMENT, self.0)
    }

    /// The order that a stream belongs to: its own, or that of its payment, shipment or fulfilment.
    pub fn of_stream(stream: &StreamId) -> Option<Self> {
        let ids = Self::PREFIXES
            .iter()
            .filter_map(|prefix| stream.as_str().strip_prefix(prefix));
        ids.filter_map(|id| id.parse().ok()).next()
    }

    /// The process that fulfils the order.
    ///
    /// # Errors
    ///
    /// Never, as a UUID is a valid name.
    pub fn process(self) -> Result<ProcessId, InvalidValue> {
        ProcessId::new(self.to_string())
    }
}

impl CustomerId {
    /// A new customer.
    #[expect(clippy::new_without_default, reason = "every one is different")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl RequestId {
    /// The request with this key.
    pub fn of_key(key: &RequestKey) -> Self {
        Self(Uuid::new_v5(&KEYS, key.as_str().as_bytes()))
    }

    /// What tells this content from any other.
    pub fn fingerprint(self, content: &[u8]) -> Uuid {
        Uuid::new_v5(&self.0, content)
    }

    /// The UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The stream that remembers the request.
    pub fn stream(self) -> StreamId {
        stream("request-", self.0)
    }
}

#[expect(clippy::expect_used, reason = "no input can reach it")]
fn stream(prefix: &str, id: Uuid) -> StreamId {
    StreamId::new(format!("{prefix}{id}")).expect("a prefix and a UUID make a valid name")
}

impl TryFrom<Uuid> for CustomerId {
    type Error = NilCustomer;

    fn try_from(id: Uuid) -> Result<Self, NilCustomer> {
        match id.is_nil() {
            true => Err(NilCustomer),
            false => Ok(Self(id)),
        }
    }
}

impl From<CustomerId> for Uuid {
    fn from(id: CustomerId) -> Self {
        id.0
    }
}

impl From<Uuid> for OrderId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for OrderId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_of_an_order_leads_back_to_it() {
        let order = OrderId::new();
        let streams = [
            order.stream(),
            order.payment(),
            order.shipment(),
            order.fulfilment(),
        ];
        assert!(
            streams
                .iter()
                .all(|stream| OrderId::of_stream(stream) == Some(order))
        );
        let other = StreamId::new("product-1").unwrap();
        assert_eq!(OrderId::of_stream(&other), None);
    }

    #[test]
    fn a_key_makes_one_order() {
        let id = |key: &str| OrderId::of_request(RequestId::of_key(&RequestKey::new(key).unwrap()));
        assert_eq!(id("a"), id("a"));
        assert_ne!(id("a"), id("b"));
    }
}
