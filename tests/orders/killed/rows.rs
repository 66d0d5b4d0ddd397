//! The rows that the read models must have.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::fold::{Fold, Order};

type Rows = BTreeMap<String, Value>;

/// The rows of each table, by their keys.
pub(super) fn expected(fold: &Fold) -> BTreeMap<&'static str, Rows> {
    let orders: Vec<&Order> = fold.orders.values().collect();
    let rows = fold
        .orders
        .iter()
        .map(|(id, order)| (id.clone(), order.row.clone()));
    BTreeMap::from([
        ("orders", rows.collect()),
        ("customers", customers(&orders)),
        ("inventory", inventory(fold, &orders)),
    ])
}

fn customers(orders: &[&Order]) -> Rows {
    let mut of: BTreeMap<String, Vec<&Order>> = BTreeMap::new();
    for order in orders {
        let customer = order.row["customer_id"].as_str().unwrap_or_default();
        of.entry(customer.to_owned()).or_default().push(order);
    }
    let rows = of.into_iter().map(|(id, orders)| {
        let count = |state: &str| orders.iter().filter(|order| order.state() == state).count();
        let (completed, cancelled) = (count("Completed"), count("Cancelled"));
        let spent = orders.iter().filter(|order| order.state() == "Completed");
        let row = json!({
            "customer_id": id, "total_orders": orders.len(), "completed_orders": completed,
            "cancelled_orders": cancelled, "active_orders": orders.len() - completed - cancelled,
            "total_spent_cents": spent.map(|order| order.total_cents()).sum::<i64>()
        });
        (id, row)
    });
    rows.collect()
}

fn inventory(fold: &Fold, orders: &[&Order]) -> Rows {
    let rows = fold.products.iter().map(|(id, product)| {
        let mine = |states: &[&str]| -> Vec<(i64, i64)> {
            let orders = orders.iter().filter(|order| states.contains(&order.state()));
            let items = orders.flat_map(|order| order.items());
            let items = items.filter(|(product, ..)| product == id);
            items.map(|(_, _, pieces, price)| (pieces, price)).collect()
        };
        let pieces = |states: &[&str]| mine(states).iter().map(|(pieces, _)| pieces).sum::<i64>();
        let all = ["Draft", "Reserved", "Processing", "Completed"];
        let row = json!({
            "product_id": id, "product_name": product.name, "available": product.available,
            "total_quantity_ordered": pieces(&all), "quantity_in_active_orders": pieces(&all[..3]),
            "quantity_reserved": pieces(&all[1..3]), "quantity_completed": pieces(&all[3..]),
            "total_revenue_cents": mine(&all[3..]).iter().map(|(pieces, price)| pieces * price).sum::<i64>(),
            "order_count": mine(&all).len()
        });
        (id.clone(), row)
    });
    rows.collect()
}
