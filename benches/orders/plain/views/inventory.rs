//! How much of each product is wanted.

use std::collections::HashMap;

use serde::Deserialize;
use tokio::sync::RwLock;
use uuid::Uuid;

use super::Projection;
use crate::plain::{Answer, Envelope, Item, OrderEvent};

#[derive(Debug, Clone, Default)]
struct Product {
    total_quantity_ordered: u32,
    quantity_in_active_orders: u32,
    quantity_reserved: u32,
    quantity_completed: u32,
    total_revenue_cents: i64,
    order_count: usize,
}

#[derive(Default)]
struct Products {
    products: HashMap<String, Product>,
    /// What is in each order, and whether it is reserved.
    orders: HashMap<Uuid, (HashMap<String, Item>, bool)>,
}

#[derive(Default)]
pub(crate) struct Inventory(RwLock<Products>);

impl Projection for Inventory {
    fn handle<'a>(&'a self, event: &'a Envelope) -> Answer<'a, ()> {
        Box::pin(async move {
            let what = OrderEvent::deserialize(&event.payload)?;
            let mut all = self.0.write().await;
            let Products { products, orders } = &mut *all;
            let (items, reserved) = orders.entry(event.aggregate_id).or_default();
            match what {
                OrderEvent::ItemAdded(item) => {
                    let product = product(products, &item.product_id);
                    product.total_quantity_ordered += item.quantity;
                    product.quantity_in_active_orders += item.quantity;
                    product.order_count += 1;
                    items.insert(item.product_id.clone(), item);
                }
                OrderEvent::ItemRemoved { product_id } => {
                    if let Some(item) = items.remove(&product_id) {
                        product(products, &product_id).give_back(item.quantity);
                    }
                }
                OrderEvent::ItemQuantityUpdated {
                    product_id,
                    old_quantity,
                    new_quantity,
                } => {
                    let product = product(products, &product_id);
                    product.total_quantity_ordered += new_quantity;
                    product.total_quantity_ordered -= old_quantity;
                    product.quantity_in_active_orders += new_quantity;
                    product.quantity_in_active_orders -= old_quantity;
                    if let Some(item) = items.get_mut(&product_id) {
                        item.quantity = new_quantity;
                    }
                }
                OrderEvent::OrderReserved { .. } => {
                    *reserved = true;
                    for item in items.values() {
                        product(products, &item.product_id).quantity_reserved += item.quantity;
                    }
                }
                OrderEvent::OrderCompleted { .. } => {
                    for item in items.values() {
                        let product = product(products, &item.product_id);
                        product.quantity_in_active_orders -= item.quantity;
                        product.quantity_reserved -= item.quantity;
                        product.quantity_completed += item.quantity;
                        product.total_revenue_cents += item.total();
                    }
                }
                OrderEvent::OrderCancelled { .. } => {
                    for item in items.values() {
                        let product = product(products, &item.product_id);
                        product.give_back(item.quantity);
                        if *reserved {
                            product.quantity_reserved -= item.quantity;
                        }
                    }
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn reset(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            *self.0.write().await = Products::default();
            Ok(())
        })
    }
}

impl Product {
    fn give_back(&mut self, quantity: u32) {
        self.total_quantity_ordered -= quantity;
        self.quantity_in_active_orders -= quantity;
        self.order_count -= 1;
    }
}

/// The id is copied only for a product that is not known yet.
fn product<'a>(products: &'a mut HashMap<String, Product>, id: &str) -> &'a mut Product {
    if !products.contains_key(id) {
        products.insert(id.to_owned(), Product::default());
    }
    products.get_mut(id).expect("it is there now")
}
