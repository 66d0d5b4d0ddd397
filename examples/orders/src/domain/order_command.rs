//! [`OrderCommand`]: what can be asked of an order, and what follows from it. The state machine is
//! here, and nowhere else.

use super::{
    CustomerId, Item, MAX_ITEMS, Order, OrderError, OrderEvent, OrderId, OrderState, ProductId,
    Quantity, Reason,
};

/// What can be asked of an order.
#[expect(missing_docs, reason = "the names of the fields say it")]
#[derive(Debug, Clone, PartialEq)]
pub enum OrderCommand {
    /// Create it.
    CreateOrder {
        order_id: OrderId,
        customer_id: CustomerId,
    },
    /// Add pieces of a product.
    AddItem(Item),
    /// Take a product out.
    RemoveItem { product_id: ProductId },
    /// Change the quantity of a product; without one, take it out.
    UpdateItemQuantity {
        product_id: ProductId,
        new_quantity: Option<Quantity>,
    },
    /// Fix the items.
    SubmitOrder,
    /// Its stock is set aside.
    MarkReserved { reservation_id: String },
    /// It is paid.
    StartProcessing { payment_id: String },
    /// It is on its way.
    CompleteOrder { tracking_number: String },
    /// Give it up.
    CancelOrder {
        reason: Reason,
        cancelled_by: Option<Reason>,
    },
}

impl OrderCommand {
    /// Decides on an order, if it exists: what happens, or why not. `None` if nothing has to happen.
    ///
    /// # Errors
    ///
    /// A rule of the shop is against it.
    pub fn decide(&self, order: Option<&Order>) -> Result<Option<OrderEvent>, OrderError> {
        use OrderState::{Draft, Processing, Reserved};
        if let Self::CreateOrder {
            order_id,
            customer_id,
        } = *self
        {
            return match order {
                Some(_) => Err(OrderError::AlreadyCreated),
                None => Ok(Some(OrderEvent::OrderCreated {
                    order_id,
                    customer_id,
                })),
            };
        }
        let order = order.ok_or(OrderError::NotFound)?;
        let event = match self.clone() {
            Self::CreateOrder { .. } => return Err(OrderError::AlreadyCreated),
            Self::AddItem(item) => {
                order.must_be_open("changed")?;
                return add(order, item).map(Some);
            }
            Self::RemoveItem { product_id } => {
                order.must_be_open("changed")?;
                order.must_have(&product_id)?;
                OrderEvent::ItemRemoved { product_id }
            }
            Self::UpdateItemQuantity {
                product_id,
                new_quantity,
            } => {
                order.must_be_open("changed")?;
                let old_quantity = order.must_have(&product_id)?.quantity;
                match new_quantity {
                    None => OrderEvent::ItemRemoved { product_id },
                    Some(same) if same == old_quantity => return Ok(None),
                    Some(new_quantity) => OrderEvent::ItemQuantityUpdated {
                        product_id,
                        old_quantity,
                        new_quantity,
                    },
                }
            }
            Self::SubmitOrder => {
                order.must_be_open("submitted")?;
                if order.items.is_empty() {
                    return Err(OrderError::NoItems);
                }
                OrderEvent::OrderSubmitted {
                    total_amount: order.total(),
                    item_count: u32::try_from(order.items.len()).unwrap_or(u32::MAX),
                }
            }
            Self::MarkReserved { reservation_id } => {
                order.must_be(&[Draft], "reserved")?;
                OrderEvent::OrderReserved { reservation_id }
            }
            Self::StartProcessing { payment_id } => {
                order.must_be(&[Reserved], "processed")?;
                OrderEvent::OrderProcessing { payment_id }
            }
            Self::CompleteOrder { tracking_number } => {
                order.must_be(&[Processing], "completed")?;
                OrderEvent::OrderCompleted { tracking_number }
            }
            Self::CancelOrder {
                reason,
                cancelled_by,
            } => {
                order.must_be(&[Draft, Reserved, Processing], "cancelled")?;
                OrderEvent::OrderCancelled {
                    reason,
                    cancelled_by,
                }
            }
        };
        Ok(Some(event))
    }

    /// Decides on several commands, each on the order as the ones before leave it.
    ///
    /// # Errors
    ///
    /// A rule of the shop is against one of them; then none has an effect.
    pub fn decide_all(
        commands: &[Self],
        mut order: Option<Order>,
    ) -> Result<Vec<OrderEvent>, OrderError> {
        let mut events = Vec::new();
        for command in commands {
            let Some(event) = command.decide(order.as_ref())? else {
                continue;
            };
            match &mut order {
                Some(order) => order.change(&event),
                None => order = Order::created_now(&event),
            }
            events.push(event);
        }
        Ok(events)
    }
}

/// More of a product that is in the order, or a product that was not.
fn add(order: &Order, item: Item) -> Result<OrderEvent, OrderError> {
    let Some(existing) = order.item(&item.product_id) else {
        if order.items.len() >= MAX_ITEMS {
            return Err(OrderError::TooManyItems);
        }
        let Item {
            product_id,
            product_name,
            quantity,
            unit_price,
        } = item;
        return Ok(OrderEvent::ItemAdded {
            product_id,
            product_name,
            quantity,
            unit_price,
        });
    };
    if existing.unit_price != item.unit_price {
        return Err(OrderError::OtherPrice(item.product_id));
    }
    Ok(OrderEvent::ItemQuantityUpdated {
        product_id: item.product_id,
        old_quantity: existing.quantity,
        new_quantity: existing.quantity.plus(item.quantity)?,
    })
}

impl Order {
    /// Whether the order is in one of these states.
    fn must_be(&self, states: &[OrderState], action: &'static str) -> Result<(), OrderError> {
        match states.contains(&self.state) {
            true => Ok(()),
            false => Err(OrderError::InvalidState {
                state: self.state.name(),
                action,
            }),
        }
    }

    /// Whether the items can be changed.
    fn must_be_open(&self, action: &'static str) -> Result<(), OrderError> {
        self.must_be(&[OrderState::Draft], action)?;
        match self.submitted {
            true => Err(OrderError::InvalidState {
                state: "submitted",
                action,
            }),
            false => Ok(()),
        }
    }

    fn must_have(&self, product: &ProductId) -> Result<&Item, OrderError> {
        self.item(product)
            .ok_or_else(|| OrderError::ItemNotFound(product.clone()))
    }
}
