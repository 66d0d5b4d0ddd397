//! [`complaints`]: what does not agree, from single orders to sums.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::facts::{Facts, Record};
use super::fold::{Fold, Order};
use super::others::scarce;

/// Everything that does not agree; nothing if all is well.
pub(super) fn complaints(facts: &Facts) -> Vec<String> {
    let fold = Fold::of(&facts.events);
    let mut wrong = fold.wrong.clone();
    for (id, order) in &fold.orders {
        let mut check = OrderCheck {
            order,
            completed: order.state() == "Completed",
            wrong: Vec::new(),
        };
        check.ended();
        check.stock();
        let mine = |did: &str| -> Vec<&Record> {
            let records = facts.ledger.iter();
            records
                .filter(|record| record.order == *id && record.did == did)
                .collect()
        };
        check.payment(&mine("charge"), &mine("refund"));
        check.shipment(&mine("book"), &mine("withdraw"));
        let named = check
            .wrong
            .into_iter()
            .map(|what| format!("order {id}: {what}"));
        wrong.extend(named);
    }
    answers(facts, &fold, &mut wrong);
    sums(facts, &fold, &mut wrong);
    read_models(facts, &fold, &mut wrong);
    wrong
}

/// How many orders were cancelled after the provider had their money, and before the application
/// knew. This is what an interrupted payment must not get wrong.
pub(super) fn charged_in_doubt(facts: &Facts) -> usize {
    let known = facts
        .events
        .iter()
        .filter(|event| event.name == "PaymentTaken");
    let known: BTreeSet<_> = known.map(|event| &event.of).collect();
    let charges = facts
        .ledger
        .iter()
        .filter(|one| one.did == "charge" && one.name.is_some());
    charges.filter(|one| !known.contains(&one.order)).count()
}

/// One order.
struct OrderCheck<'a> {
    order: &'a Order,
    completed: bool,
    wrong: Vec<String>,
}

impl OrderCheck<'_> {
    fn must(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }

    /// It ended once, and its fulfilment in the same way; each step was done once, and undone if the
    /// order was cancelled.
    fn ended(&mut self) {
        let count = |name| self.order.count("order", name);
        let ends = [count("OrderCompleted"), count("OrderCancelled")];
        let fulfilment = |name| self.order.count("fulfilment", name);
        let started = fulfilment("FulfilmentStarted");
        let ended = [
            fulfilment("FulfilmentCompleted"),
            fulfilment("FulfilmentFailed"),
        ];
        let steps = |name| {
            let mut steps: Vec<String> = self
                .order
                .payloads("fulfilment", name)
                .map(|step| step["step"].to_string())
                .collect();
            steps.sort();
            steps
        };
        let (done, undone) = (steps("StepCompleted"), steps("StepCompensated"));
        let once: BTreeSet<_> = done.iter().collect();
        let expected = match self.completed {
            true => started == 1 && ended == [1, 0] && done.len() == 3 && undone.is_empty(),
            false => started <= 1 && ended == [0, started] && done == undone,
        };
        self.must(ends[0] + ends[1] == 1, || {
            format!("completed and cancelled {ends:?} times")
        });
        self.must(expected && once.len() == done.len(), || {
            format!("started {started} times, ended {ended:?}, done {done:?}, undone {undone:?}")
        });
    }

    fn stock(&mut self) {
        let items = self.order.items();
        let wanted: BTreeMap<_, _> = items
            .into_iter()
            .map(|(id, _, pieces, _)| (id, pieces))
            .collect();
        let mut reserved = self.order.reserved.clone();
        reserved.retain(|_, pieces| *pieces != 0);
        let expected = if self.completed {
            wanted
        } else {
            BTreeMap::new()
        };
        self.must(reserved == expected, || {
            format!("{reserved:?} is taken, not {expected:?}")
        });
    }

    /// Both sides have the same: the total of a completed order, nothing of a cancelled one.
    fn payment(&mut self, charges: &[&Record], refunds: &[&Record]) {
        let total = if self.completed {
            self.order.total_cents()
        } else {
            0
        };
        let (names, net) = net(charges, refunds);
        let taken: Vec<_> = self
            .order
            .payloads("payment", "PaymentTaken")
            .cloned()
            .collect();
        let refunded = self.order.count("payment", "PaymentRefunded");
        self.must(
            charges.len() <= 1 && refunds.len() <= 1 && net == total,
            || format!("the provider has {net} cents and not {total}: {charges:?}, {refunds:?}"),
        );
        let known = taken.iter().all(|one| {
            one["amount"]["cents"] == self.order.total_cents()
                && names == [one["payment_id"].clone()]
        });
        // A refund is known if there was anything to give back.
        let expected = match self.completed {
            true => taken.len() == 1 && refunded == 0,
            false => taken.len() <= 1 && refunded <= 1 && refunded >= names.len(),
        };
        self.must(known && expected, || {
            format!(
                "the payment is {taken:?}, refunded {refunded} times; the provider has {charges:?}"
            )
        });
    }

    fn shipment(&mut self, bookings: &[&Record], withdrawals: &[&Record]) {
        let pieces = if self.completed {
            self.order.pieces()
        } else {
            0
        };
        let (names, net) = net(bookings, withdrawals);
        let booked = self.order.payloads("shipment", "ShipmentBooked");
        let booked: Vec<_> = booked.map(|one| one["tracking_number"].clone()).collect();
        let withdrawn = self.order.count("shipment", "ShipmentWithdrawn");
        self.must(
            bookings.len() <= 1 && withdrawals.len() <= 1 && net == pieces,
            || {
                format!(
                    "the carrier has {net} pieces and not {pieces}: {bookings:?}, {withdrawals:?}"
                )
            },
        );
        let expected = match self.completed {
            true => {
                booked == names
                    && names == [self.order.row["tracking_number"].clone()]
                    && withdrawn == 0
            }
            false => booked.is_empty() && withdrawn <= 1 && withdrawn >= names.len(),
        };
        self.must(expected, || {
            format!("the shipment is {booked:?}, withdrawn {withdrawn} times; the carrier has {bookings:?}")
        });
    }
}

/// What a partner did: the names, and the amount that was not taken back.
fn net(done: &[&Record], undone: &[&Record]) -> (Vec<Value>, i64) {
    let accepted = done.iter().filter(|record| record.name.is_some());
    let names = accepted.clone().map(|record| json!(record.name)).collect();
    let sum = |amounts: u64| i64::try_from(amounts).unwrap();
    let taken = sum(accepted.map(|record| record.amount).sum());
    (
        names,
        taken - sum(undone.iter().map(|record| record.amount).sum()),
    )
}

/// What the callers were told still holds, and there is no order that nobody asked for.
fn answers(facts: &Facts, fold: &Fold, wrong: &mut Vec<String>) {
    let ids: BTreeSet<_> = facts.placed.iter().map(|placed| &placed.order).collect();
    let keys: BTreeSet<_> = facts.placed.iter().map(|placed| &placed.key).collect();
    if ids.len() != keys.len() || keys.len() != facts.placed.len() {
        wrong.push(format!("{} orders for {} keys", ids.len(), keys.len()));
    }
    for unknown in fold.orders.keys().filter(|id| !ids.contains(id)) {
        wrong.push(format!("order {unknown} was never answered"));
    }
    for placed in &facts.placed {
        let Some(order) = fold.orders.get(&placed.order) else {
            wrong.push(format!("order {} is lost", placed.order));
            continue;
        };
        let total = i64::try_from(placed.total_cents).unwrap();
        if order.total_cents() != total || placed.ended.is_some_and(|state| state != order.state())
        {
            wrong.push(format!(
                "{placed:?} was answered, and there is {}",
                order.row
            ));
        }
    }
    let received = fold
        .products
        .get(&scarce())
        .map_or(0, |product| product.received.unsigned_abs());
    let sent = facts.sent;
    if received < sent.arrived || received > sent.arrived + sent.unknown {
        wrong.push(format!("{received} pieces were received of {sent:?}"));
    }
}

/// All orders together: to the piece and to the cent.
fn sums(facts: &Facts, fold: &Fold, wrong: &mut Vec<String>) {
    let completed = || {
        fold.orders
            .values()
            .filter(|order| order.state() == "Completed")
    };
    for (id, product) in &fold.products {
        let items = completed()
            .flat_map(Order::items)
            .filter(|item| item.0 == *id);
        let shipped = items.map(|(_, _, pieces, _)| pieces).sum::<i64>();
        if product.received != product.available + shipped {
            let (received, available) = (product.received, product.available);
            wrong.push(format!(
                "{id}: received {received}, available {available}, shipped {shipped}"
            ));
        }
    }
    let sum = |did: [&str; 2]| {
        let of =
            |did: &str| -> Vec<_> { facts.ledger.iter().filter(|one| one.did == did).collect() };
        net(&of(did[0]), &of(did[1])).1
    };
    let (money, pieces) = (sum(["charge", "refund"]), sum(["book", "withdraw"]));
    let expected = (
        completed().map(Order::total_cents).sum::<i64>(),
        completed().map(Order::pieces).sum::<i64>(),
    );
    if (money, pieces) != expected {
        wrong.push(format!(
            "the partners have {money} cents, {pieces} pieces, not {expected:?}"
        ));
    }
}

/// The tables and the statistics are what the events lead to.
fn read_models(facts: &Facts, fold: &Fold, wrong: &mut Vec<String>) {
    let rows = super::rows::expected(fold);
    for (table, expected) in &rows {
        let found = &facts.tables[table];
        let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        for key in keys
            .into_iter()
            .filter(|key| expected.get(*key) != found.get(*key))
        {
            let (expected, found) = (expected.get(key), found.get(key));
            wrong.push(format!("{table}: {found:?}, not {expected:?}"));
        }
    }
    let count = |state: &str| {
        fold.orders
            .values()
            .filter(|order| order.state() == state)
            .count()
    };
    let states = ["Draft", "Reserved", "Processing", "Completed", "Cancelled"];
    let states: BTreeMap<_, _> = states.map(|state| (state, count(state))).into();
    let completed = fold
        .orders
        .values()
        .filter(|order| order.state() == "Completed");
    let expected = json!({
        "orders": states, "customers": rows["customers"].len(), "products": rows["inventory"].len(),
        "revenue_cents": completed.map(Order::total_cents).sum::<i64>(),
        "position": facts.statistics["position"]
    });
    if facts.statistics != expected {
        wrong.push(format!("statistics: {}, not {expected}", facts.statistics));
    }
}
