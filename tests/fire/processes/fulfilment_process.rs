//! Runs a process manager in a process of its own that the test kills. Arguments: URL, name.
//!
//! An order's stock is reserved, and the order is paid and shipped. If it cannot be paid, or is not
//! paid in time, the stock is released again.

mod facts;

use std::time::Duration;

use eventcore::{
    EventStore, Filter, PostgresEventStore, ProcessError, ProcessId, ProcessManager,
    ProcessOptions, Reaction, StoredEvent, StreamId, Trigger, run_process_manager_with,
};
use serde::{Deserialize, Serialize};

use facts::{CENTS, Fact, Note, account, item};

/// How long an order that is paid by invoice waits for its payment.
const INVOICE: Duration = Duration::from_millis(700);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("a URL");
    let name = arguments.next().expect("a name");
    let store = PostgresEventStore::connect(&url).await.unwrap();
    let options = options().consumer(name.parse().unwrap());
    run_process_manager_with(&store, &Fulfilment, &options)
        .await
        .unwrap();
}

struct Fulfilment;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Order {
    item: u64,
    account: u64,
    by_invoice: bool,
}

/// Another process takes over soon after this one is killed.
fn options() -> ProcessOptions {
    ProcessOptions::new()
        .lease(Duration::from_secs(1))
        .retry_limit(100_000)
        .batch(5)
}

impl<S: EventStore> ProcessManager<S> for Fulfilment {
    type Event = Fact;
    type State = Order;

    fn name(&self) -> &str {
        "fulfilment"
    }

    fn filter(&self) -> Filter {
        ["order-", "item-", "account-"]
            .into_iter()
            .fold(Filter::all(), Filter::stream_prefix)
    }

    fn process_of(&self, event: &StoredEvent<Fact>) -> Option<ProcessId> {
        match &event.event {
            Fact::Reserved { order } | Fact::Released { order } | Fact::Charged { order, .. } => {
                ProcessId::new(order.as_str()).ok()
            }
            Fact::Deposited { .. } => None,
            _ => ProcessId::new(event.stream_id.as_str()).ok(),
        }
    }

    fn react(
        &self,
        mut state: Order,
        trigger: Trigger<'_, Fact>,
        reaction: &mut Reaction<S>,
    ) -> Order {
        let order = reaction.process().to_string();
        let fact = match trigger {
            Trigger::Event(stored) => stored.event.clone(),
            // Not paid in time, or not payable: release and cancel.
            _ => {
                let (stream, name) = (item(state.item), order.clone());
                let fact = Fact::Released { order: name };
                reaction.execute(Note { stream, fact });
                let stream = StreamId::new(order).unwrap();
                let fact = Fact::Cancelled;
                reaction.execute(Note { stream, fact });
                return state;
            }
        };
        match fact {
            Fact::Placed {
                item: of,
                account,
                by_invoice,
            } => {
                state = Order {
                    item: of,
                    account,
                    by_invoice,
                };
                let stream = item(of);
                let fact = Fact::Reserved { order };
                reaction.execute(Note { stream, fact });
            }
            Fact::Reserved { .. } if state.by_invoice => reaction.timeout("payment", INVOICE),
            Fact::Reserved { .. } => {
                let (stream, cents) = (account(state.account), CENTS);
                let fact = Fact::Charged { order, cents };
                reaction.execute(Note { stream, fact });
            }
            Fact::Charged { .. } => {
                let stream = StreamId::new(order).unwrap();
                let fact = Fact::Shipped;
                reaction.execute(Note { stream, fact });
            }
            Fact::Shipped | Fact::Cancelled => reaction.end(),
            Fact::Released { .. } | Fact::Deposited { .. } => {}
        }
        state
    }

    fn on_error(&self, error: &ProcessError) {
        eprintln!("{error}");
    }
}
