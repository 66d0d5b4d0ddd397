//! [`Order`]: the state that the events of an order lead to.

use std::fmt;
use std::str::FromStr;

use eventcore::{StoredEvent, StreamVersion};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    CustomerId, Money, OrderEvent, OrderId, Price, ProductId, ProductName, Quantity, Reason,
};

/// The most products that an order may have.
pub const MAX_ITEMS: usize = 100;

/// Where an order is on its way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
pub enum OrderState {
    /// Items can be added and removed, until it is submitted.
    Draft,
    /// The stock is set aside.
    Reserved,
    /// It is paid.
    Processing,
    /// It is on its way. Nothing more will happen.
    Completed,
    /// It will not be fulfilled. Nothing more will happen.
    Cancelled,
}

/// So many pieces of a product at a price. Stored as the payload of `ItemAdded` is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The product.
    pub product_id: ProductId,
    /// What it is called.
    pub product_name: ProductName,
    /// How many.
    pub quantity: Quantity,
    /// What one piece costs.
    pub unit_price: Price,
}

/// An order that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Who ordered.
    pub customer: CustomerId,
    /// Where it is on its way.
    pub state: OrderState,
    /// Whether the items are fixed.
    pub submitted: bool,
    /// What was ordered, in the order in which it was added.
    pub items: Vec<Item>,
    /// The carrier's number, once it is completed.
    pub tracking_number: Option<String>,
    /// Why it was cancelled.
    pub cancellation_reason: Option<Reason>,
    /// The version of its stream.
    pub version: StreamVersion,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its last event was recorded.
    pub updated_at: Timestamp,
}

impl OrderState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Draft,
        Self::Reserved,
        Self::Processing,
        Self::Completed,
        Self::Cancelled,
    ];

    /// Whether more can happen.
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Completed | Self::Cancelled)
    }

    /// The name, as events and tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Reserved => "Reserved",
            Self::Processing => "Processing",
            Self::Completed => "Completed",
            Self::Cancelled => "Cancelled",
        }
    }
}

impl Order {
    /// The order after an event, with what the store knows about that event. An event before
    /// `OrderCreated` has no effect.
    pub fn apply<E>(
        order: Option<Self>,
        stored: &StoredEvent<E>,
        event: &OrderEvent,
    ) -> Option<Self> {
        let mut order = order.or_else(|| Self::created(event, time_of(stored)))?;
        order.take_in(stored, event);
        Some(order)
    }

    /// Takes in an event after `OrderCreated`, with what the store knows about it.
    pub fn take_in<E>(&mut self, stored: &StoredEvent<E>, event: &OrderEvent) {
        self.change(event);
        self.version = stored.version;
        self.updated_at = time_of(stored);
    }

    /// What the order costs.
    pub fn total(&self) -> Money {
        self.items.iter().map(Item::total).sum()
    }

    /// The item of a product.
    pub fn item(&self, product: &ProductId) -> Option<&Item> {
        self.items.iter().find(|item| item.product_id == *product)
    }

    fn created(event: &OrderEvent, at: Timestamp) -> Option<Self> {
        let OrderEvent::OrderCreated {
            order_id,
            customer_id,
        } = event
        else {
            return None;
        };
        Some(Self {
            id: *order_id,
            customer: *customer_id,
            state: OrderState::Draft,
            submitted: false,
            items: Vec::new(),
            tracking_number: None,
            cancellation_reason: None,
            version: StreamVersion::EMPTY,
            created_at: at,
            updated_at: at,
        })
    }

    /// Carries out what an event says, in memory. Also for decisions that consist of several events.
    pub(super) fn change(&mut self, event: &OrderEvent) {
        match event {
            OrderEvent::OrderCreated { .. } => {}
            OrderEvent::ItemAdded {
                product_id,
                product_name,
                quantity,
                unit_price,
            } => {
                self.items.push(Item {
                    product_id: product_id.clone(),
                    product_name: product_name.clone(),
                    quantity: *quantity,
                    unit_price: *unit_price,
                });
            }
            OrderEvent::ItemRemoved { product_id } => {
                self.items.retain(|item| item.product_id != *product_id);
            }
            OrderEvent::ItemQuantityUpdated {
                product_id,
                new_quantity,
                ..
            } => {
                let items = self.items.iter_mut();
                let changed = items.filter(|item| item.product_id == *product_id);
                changed.for_each(|item| item.quantity = *new_quantity);
            }
            OrderEvent::OrderSubmitted { .. } => self.submitted = true,
            OrderEvent::OrderReserved { .. } => self.state = OrderState::Reserved,
            OrderEvent::OrderProcessing { .. } => self.state = OrderState::Processing,
            OrderEvent::OrderCompleted { tracking_number } => {
                self.state = OrderState::Completed;
                self.tracking_number = Some(tracking_number.clone());
            }
            OrderEvent::OrderCancelled { reason, .. } => {
                self.state = OrderState::Cancelled;
                self.cancellation_reason = Some(reason.clone());
            }
        }
    }

    /// An order that an event of this append creates.
    pub(super) fn created_now(event: &OrderEvent) -> Option<Self> {
        Self::created(event, Timestamp::UNIX_EPOCH)
    }
}

fn time_of<E>(stored: &StoredEvent<E>) -> Timestamp {
    Timestamp::try_from(stored.recorded_at).unwrap_or_default()
}

impl Item {
    /// What the item costs.
    pub fn total(&self) -> Money {
        self.unit_price.times(self.quantity)
    }
}

impl fmt::Display for OrderState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for OrderState {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|state| state.name() == name);
        found.ok_or_else(|| format!("{name:?} is not the state of an order"))
    }
}
