//! [`Fold`]: what the events lead to, by rules of its own: none of the application's code.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::facts::Event;

/// What the events lead to.
#[derive(Default)]
pub(super) struct Fold {
    pub(super) orders: BTreeMap<String, Order>,
    pub(super) products: BTreeMap<String, Product>,
    /// What no list of events may lead to.
    pub(super) wrong: Vec<String>,
}

/// An order and everything about it.
#[derive(Default)]
pub(super) struct Order {
    /// Its row in the read model.
    pub(super) row: Value,
    /// The names and payloads of the events of its streams, by their kinds.
    pub(super) events: BTreeMap<String, Vec<(String, Value)>>,
    /// Pieces that are set aside for it, by product.
    pub(super) reserved: BTreeMap<String, i64>,
}

/// The stock of a product.
#[derive(Default)]
pub(super) struct Product {
    pub(super) name: String,
    pub(super) received: i64,
    pub(super) available: i64,
}

impl Fold {
    pub(super) fn of(events: &[Event]) -> Self {
        let mut fold = Self::default();
        let mut versions: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for event in events {
            let version = versions.entry((&event.kind, &event.of)).or_default();
            *version += 1;
            if event.version != *version {
                fold.wrong(event, "is not the next version");
            }
            match event.kind.as_str() {
                "product" => fold.product(event, &event.of),
                // The number of the book comes first.
                "stock" => fold.product(event, event.of.split_once('-').map_or("", |(_, id)| id)),
                "order" | "payment" | "shipment" | "fulfilment" => fold.order(event),
                _ => {}
            }
        }
        fold
    }

    fn wrong(&mut self, event: &Event, what: &str) {
        let Event {
            kind,
            of,
            version,
            name,
            ..
        } = event;
        self.wrong
            .push(format!("{kind}-{of}: {name} at {version} {what}"));
    }

    /// An entry in one of the books of a product.
    fn product(&mut self, event: &Event, id: &str) {
        let product = self.products.entry(id.to_owned()).or_default();
        if event.name == "BookOpened" {
            if event.payload["available"] != product.available {
                self.wrong(event, "begins with other pieces than there are");
            }
            return;
        }
        let quantity = event.payload["quantity"].as_i64().unwrap();
        let change = match event.name.as_str() {
            "StockReceived" => {
                product.name = text(&event.payload["product_name"]);
                product.received += quantity;
                quantity
            }
            "StockReserved" => -quantity,
            _ => quantity,
        };
        product.available += change;
        if product.available < 0 {
            self.wrong(event, "leaves less than nothing");
        }
        if let Some(order) = event.payload["order_id"].as_str() {
            let order = self.orders.entry(order.to_owned()).or_default();
            let reserved = order.reserved.entry(id.to_owned()).or_default();
            *reserved -= change;
            let is_odd = *reserved < 0 || (event.name == "StockReserved" && *reserved != quantity);
            if is_odd {
                self.wrong(event, "is the second one for its order");
            }
        }
    }

    fn order(&mut self, event: &Event) {
        let order = self.orders.entry(event.of.clone()).or_default();
        let list = order.events.entry(event.kind.clone()).or_default();
        list.push((event.name.clone(), event.payload.clone()));
        if event.kind != "order" {
            return;
        }
        let (exists, has_ended) = (order.row.is_object(), order.has_ended());
        if event.name == "OrderCreated" {
            order.row = json!({
                "order_id": event.of, "customer_id": event.payload["customer_id"], "state": "Draft",
                "submitted": false, "items": [], "total_cents": 0, "tracking_number": null,
                "cancellation_reason": null, "created_at": event.recorded_at
            });
        }
        if exists == (event.name == "OrderCreated") || has_ended {
            return self.wrong(event, "is not possible there");
        }
        order.change(event);
    }
}

impl Order {
    pub(super) fn state(&self) -> &str {
        self.row["state"].as_str().unwrap_or("missing")
    }

    pub(super) fn total_cents(&self) -> i64 {
        self.row["total_cents"].as_i64().unwrap_or_default()
    }

    /// Product, name, pieces and price of each item.
    pub(super) fn items(&self) -> Vec<(String, String, i64, i64)> {
        let items = self.row["items"].as_array().into_iter().flatten();
        let items = items.map(|item| {
            let price = item["unit_price"]["cents"].as_i64().unwrap();
            let pieces = item["quantity"].as_i64().unwrap();
            (
                text(&item["product_id"]),
                text(&item["product_name"]),
                pieces,
                price,
            )
        });
        items.collect()
    }

    pub(super) fn pieces(&self) -> i64 {
        self.items().iter().map(|(_, _, pieces, _)| pieces).sum()
    }

    /// How many events of this name there are in its stream of this kind.
    pub(super) fn count(&self, kind: &str, name: &str) -> usize {
        self.payloads(kind, name).count()
    }

    pub(super) fn payloads(&self, kind: &str, name: &str) -> impl Iterator<Item = &Value> {
        let events = self.events.get(kind).into_iter().flatten();
        let found = events.filter(move |(one, _)| one == name);
        found.map(|(_, payload)| payload)
    }

    fn has_ended(&self) -> bool {
        ["Completed", "Cancelled"].contains(&self.state())
    }

    fn change(&mut self, event: &Event) {
        let payload = &event.payload;
        let items = self.row["items"].as_array_mut().unwrap();
        match event.name.as_str() {
            "ItemAdded" => items.push(payload.clone()),
            "ItemRemoved" => items.retain(|item| item["product_id"] != payload["product_id"]),
            "ItemQuantityUpdated" => {
                for item in items {
                    if item["product_id"] == payload["product_id"] {
                        item["quantity"] = payload["new_quantity"].clone();
                    }
                }
            }
            "OrderSubmitted" => self.row["submitted"] = true.into(),
            "OrderReserved" => self.row["state"] = "Reserved".into(),
            "OrderProcessing" => self.row["state"] = "Processing".into(),
            "OrderCompleted" => {
                self.row["state"] = "Completed".into();
                self.row["tracking_number"] = payload["tracking_number"].clone();
            }
            "OrderCancelled" => {
                self.row["state"] = "Cancelled".into();
                self.row["cancellation_reason"] = payload["reason"].clone();
            }
            _ => {}
        }
        let cents = self
            .items()
            .iter()
            .map(|(_, _, pieces, price)| pieces * price)
            .sum::<i64>();
        self.row["total_cents"] = cents.into();
        self.row["version"] = event.version.into();
        self.row["updated_at"] = event.recorded_at.clone().into();
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
