//! The check can fail: it notices each of these changes to facts that agree.

use serde_json::json;

use super::check::complaints;
use super::facts::{Event, Facts, Record};

type Tamper = (&'static str, fn(&mut Facts));

/// What could go wrong, one thing at a time.
const TAMPERS: [Tamper; 15] = [
    ("an order that ends twice", |facts| {
        let mut again = event(facts, "OrderCompleted").clone();
        again.version += 1;
        facts.events.push(again);
    }),
    ("an order that ends in both ways", |facts| {
        let mut other = event(facts, "OrderCompleted").clone();
        (other.version, other.name) = (other.version + 1, "OrderCancelled".to_owned());
        other.payload = json!({ "reason": "both" });
        facts.events.push(other);
    }),
    ("a fulfilment without an end", |facts| {
        let last = position(facts, "FulfilmentCompleted");
        facts.events.remove(last);
    }),
    ("a piece too many set aside", |facts| {
        let place = position(facts, "StockReserved");
        add(&mut facts.events[place].payload["quantity"]);
    }),
    ("a piece that was never received", |facts| {
        let place = position(facts, "StockReceived");
        add(&mut facts.events[place].payload["quantity"]);
    }),
    ("another amount in the payment", |facts| {
        let place = position(facts, "PaymentTaken");
        add(&mut facts.events[place].payload["amount"]["cents"]);
    }),
    ("an order that is charged twice", |facts| {
        let charge = record(facts, "charge").clone();
        facts.ledger.push(charge);
    }),
    ("a cent too many charged", |facts| {
        record(facts, "charge").amount += 1;
    }),
    ("a completed order that is refunded", |facts| {
        let order = event(facts, "OrderCompleted").of.clone();
        let charges = facts.ledger.iter().filter(|one| one.did == "charge");
        let mut refund = charges
            .clone()
            .find(|one| one.order == order)
            .unwrap()
            .clone();
        refund.did = "refund".to_owned();
        facts.ledger.push(refund);
    }),
    ("a shipment that the carrier does not know", |facts| {
        facts
            .ledger
            .retain(|one| one.did != "book" || one.name.is_none());
    }),
    ("an order that was answered and is lost", |facts| {
        facts.placed[0].order = "lost".to_owned();
    }),
    ("an order that ended otherwise than was answered", |facts| {
        let order = event(facts, "OrderCompleted").of.clone();
        let placed = facts.placed.iter_mut().find(|placed| placed.order == order);
        placed.unwrap().ended = Some("Cancelled");
    }),
    ("a change that was answered and is lost", |facts| {
        facts.placed[0].total_cents += 1;
    }),
    ("a row that differs", |facts| {
        let rows = facts.tables.get_mut("inventory").unwrap();
        add(&mut rows.first_entry().unwrap().get_mut()["quantity_completed"]);
    }),
    ("a row that is missing", |facts| {
        facts.tables.get_mut("customers").unwrap().pop_first();
    }),
];

/// Asserts that every change is noticed.
pub(super) fn is_noticed(facts: &Facts) {
    for (what, tamper) in TAMPERS {
        let mut tampered = facts.clone();
        tamper(&mut tampered);
        assert!(!complaints(&tampered).is_empty(), "{what} is not noticed");
    }
}

fn position(facts: &Facts, name: &str) -> usize {
    let found = facts.events.iter().position(|event| event.name == name);
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

fn event<'a>(facts: &'a Facts, name: &str) -> &'a Event {
    &facts.events[position(facts, name)]
}

fn record<'a>(facts: &'a mut Facts, did: &str) -> &'a mut Record {
    let accepted = |one: &&mut Record| one.did == did && one.name.is_some();
    facts.ledger.iter_mut().find(accepted).unwrap()
}

fn add(number: &mut serde_json::Value) {
    *number = (number.as_u64().unwrap() + 1).into();
}
