//! A shop, for the tests of process managers: orders reserve stock, are paid and shipped, or are
//! undone.

use std::time::Duration;

use eventcore::{
    Command, CommandError, CommandLogic, Event, EventStore, Filter, NewEvents, ProcessId,
    ProcessManager, Reaction, ReadStream, RecordedEvent, StoredEvent, StreamId, Streams, Trigger,
    emit, execute, require,
};
use serde::{Deserialize, Serialize};

use super::stream;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum Shop {
    // Events of an order.
    Placed {
        order: String,
        item: StreamId,
        account: StreamId,
        cents: u64,
        /// The customer must pay within this time after the reservation.
        pays_within: Option<Duration>,
    },
    Reserved {
        order: String,
    },
    Shipped {
        order: String,
    },
    Cancelled {
        order: String,
        why: String,
    },
    // Events of an item.
    Stocked {
        pieces: u64,
    },
    Taken {
        order: String,
    },
    PutBack {
        order: String,
    },
    // Events of an account.
    Deposited {
        cents: u64,
    },
    Charged {
        order: String,
        cents: u64,
    },
}

#[derive(Command)]
pub(crate) struct Reserve {
    #[stream]
    order: StreamId,
    #[stream]
    item: StreamId,
    name: String,
}

#[derive(Command)]
pub(crate) struct PutBack {
    #[stream]
    item: StreamId,
    name: String,
}

#[derive(Command)]
pub(crate) struct Charge {
    #[stream]
    pub(crate) account: StreamId,
    pub(crate) name: String,
    pub(crate) cents: u64,
}

#[derive(Command)]
pub(crate) struct Close {
    #[stream]
    order: StreamId,
    with: Shop,
}

impl CommandLogic for Reserve {
    /// The pieces in stock.
    type State = u64;
    type Event = Shop;

    fn apply(&self, pieces: u64, stored: &StoredEvent<Shop>) -> u64 {
        match stored.event {
            Shop::Stocked { pieces: more } => pieces + more,
            Shop::Taken { .. } => pieces - 1,
            Shop::PutBack { .. } => pieces + 1,
            _ => pieces,
        }
    }

    fn handle(&self, pieces: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        require!(pieces > 0, "sold out");
        let order = self.name.clone();
        let mut events = NewEvents::new();
        emit!(
            events,
            streams.item,
            Shop::Taken {
                order: order.clone()
            }
        );
        emit!(events, streams.order, Shop::Reserved { order });
        Ok(events)
    }
}

impl CommandLogic for PutBack {
    type State = ();
    type Event = Shop;

    fn apply(&self, _: (), _: &StoredEvent<Shop>) {}

    fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let order = self.name.clone();
        let mut events = NewEvents::new();
        emit!(events, streams.item, Shop::PutBack { order });
        Ok(events)
    }
}

impl CommandLogic for Charge {
    /// The balance of the account.
    type State = u64;
    type Event = Shop;

    fn apply(&self, balance: u64, stored: &StoredEvent<Shop>) -> u64 {
        match stored.event {
            Shop::Deposited { cents } => balance + cents,
            Shop::Charged { cents, .. } => balance - cents,
            _ => balance,
        }
    }

    fn handle(
        &self,
        balance: u64,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        let cents = self.cents;
        require!(cents <= balance, "{balance} cents are too few");
        let order = self.name.clone();
        let mut events = NewEvents::new();
        emit!(events, streams.account, Shop::Charged { order, cents });
        Ok(events)
    }
}

impl CommandLogic for Close {
    type State = ();
    type Event = Shop;

    fn apply(&self, _: (), _: &StoredEvent<Shop>) {}

    fn handle(&self, _: (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        emit!(events, streams.order, self.with.clone());
        Ok(events)
    }
}

/// Fulfils the orders of one shop. Its streams begin with the shop's name.
pub(crate) struct Fulfilment {
    pub(crate) shop: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Order {
    placed: Option<(StreamId, StreamId, u64)>,
    pays_within: Option<Duration>,
    is_paid: bool,
}

impl<S: EventStore> ProcessManager<S> for Fulfilment {
    type Event = Shop;
    type State = Order;

    fn name(&self) -> &str {
        &self.shop
    }

    fn filter(&self) -> Filter {
        Filter::all()
            .stream_prefix(format!("{}-order-", self.shop))
            .stream_prefix(format!("{}-account-", self.shop))
    }

    fn process_of(&self, event: &StoredEvent<Shop>) -> Option<ProcessId> {
        match &event.event {
            Shop::Placed { order, .. }
            | Shop::Reserved { order }
            | Shop::Shipped { order }
            | Shop::Cancelled { order, .. }
            | Shop::Charged { order, .. } => ProcessId::new(order.as_str()).ok(),
            _ => None,
        }
    }

    fn react(
        &self,
        mut state: Order,
        trigger: Trigger<'_, Shop>,
        reaction: &mut Reaction<S>,
    ) -> Order {
        if let Trigger::Event(stored) = trigger {
            match &stored.event {
                Shop::Placed {
                    item,
                    account,
                    cents,
                    pays_within,
                    order,
                } => {
                    state.placed = Some((item.clone(), account.clone(), *cents));
                    state.pays_within = *pays_within;
                    reaction.execute(Reserve {
                        order: stored.stream_id.clone(),
                        item: item.clone(),
                        name: order.clone(),
                    });
                }
                Shop::Reserved { order } => self.reserved(&state, order, reaction),
                Shop::Charged { order, .. } => {
                    state.is_paid = true;
                    let order = order.clone();
                    reaction.execute(Close {
                        order: self.order(&order),
                        with: Shop::Shipped { order },
                    });
                }
                Shop::Shipped { .. } | Shop::Cancelled { .. } => reaction.end(),
                _ => {}
            }
        } else {
            self.went_wrong(&state, trigger, reaction);
        }
        state
    }
}

impl Fulfilment {
    pub(crate) fn of(shop: &str) -> Self {
        let shop = shop.to_owned();
        Self { shop }
    }

    pub(crate) fn order(&self, name: &str) -> StreamId {
        stream(&format!("{}-order-{name}", self.shop))
    }

    pub(crate) fn account(&self, name: &str) -> StreamId {
        stream(&format!("{}-account-{name}", self.shop))
    }

    pub(crate) fn item(&self, name: &str) -> StreamId {
        stream(&format!("{}-item-{name}", self.shop))
    }

    /// Opens an account with this balance.
    pub(crate) async fn deposit<S: EventStore>(&self, store: &S, account: &str, cents: u64) {
        self.write(store, self.account(account), Shop::Deposited { cents })
            .await;
    }

    /// Puts this many pieces in stock.
    pub(crate) async fn stock<S: EventStore>(&self, store: &S, item: &str, pieces: u64) {
        self.write(store, self.item(item), Shop::Stocked { pieces })
            .await;
    }

    /// Places an order for a lamp.
    pub(crate) async fn place<S: EventStore>(
        &self,
        store: &S,
        order: &str,
        account: &str,
        pays_within: Option<Duration>,
    ) {
        let placed = Shop::Placed {
            order: order.to_owned(),
            item: self.item("lamp"),
            account: self.account(account),
            cents: 30,
            pays_within,
        };
        self.write(store, self.order(order), placed).await;
    }

    async fn write<S: EventStore>(&self, store: &S, order: StreamId, with: Shop) {
        execute(store, &Close { order, with }).await.unwrap();
    }

    fn reserved<S: EventStore>(&self, state: &Order, order: &str, reaction: &mut Reaction<S>) {
        let Some((_, account, cents)) = &state.placed else {
            return;
        };
        match state.pays_within {
            Some(time) => reaction.timeout("payment", time),
            None => reaction.execute(Charge {
                account: account.clone(),
                name: order.to_owned(),
                cents: *cents,
            }),
        }
    }

    /// Undoes the finished steps.
    fn went_wrong<S: EventStore>(
        &self,
        state: &Order,
        trigger: Trigger<'_, Shop>,
        reaction: &mut Reaction<S>,
    ) {
        let (was_reserved, why) = match trigger {
            Trigger::Timeout { .. } if state.is_paid => return,
            Trigger::Timeout { name } => (true, format!("no {name}")),
            Trigger::Rejected {
                command, message, ..
            } => (command == "Charge", message.to_owned()),
            _ => return,
        };
        let Some((item, ..)) = state.placed.clone() else {
            return;
        };
        let name = reaction.process().to_string();
        if was_reserved {
            let name = name.clone();
            reaction.execute(PutBack { item, name });
        }
        reaction.execute(Close {
            order: self.order(&name),
            with: Shop::Cancelled { order: name, why },
        });
    }
}

/// The events of a stream.
pub(crate) async fn events<S: EventStore>(store: &S, of: StreamId) -> Vec<RecordedEvent> {
    store.read_stream(&ReadStream::new(of)).await.unwrap()
}

/// The types of the events of a stream.
pub(crate) async fn types<S: EventStore>(store: &S, of: StreamId) -> Vec<String> {
    let events = events(store, of).await.into_iter();
    events.map(|event| event.event_type.to_string()).collect()
}
