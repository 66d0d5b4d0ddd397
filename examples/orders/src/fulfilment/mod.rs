//! The fulfilment of orders: a process manager, and the commands of its steps.
//!
//! A process has the id of its order. It reacts to its own progress, which each command writes into
//! the fulfilment's stream, and to an order that is cancelled meanwhile. Each command calls at most
//! one partner outside, with the order as the key, and writes the answer in the same append as what
//! follows from it. So a process that is interrupted anywhere asks again and gets the same answer.

mod book_shipment;
mod give_up;
mod release_stock;
mod reserve_stock;
mod run;
mod take_payment;
mod undo_outside;

use eventcore::{
    EventStore, Filter, ProcessError, ProcessId, ProcessManager, Reaction, StoredEvent, Trigger,
};
use serde::{Deserialize, Serialize};

pub use book_shipment::BookShipment;
pub use give_up::GiveUp;
pub use release_stock::ReleaseStock;
pub use reserve_stock::ReserveStock;
pub use run::{options, run};
pub use take_payment::TakePayment;
pub use undo_outside::{RefundPayment, WithdrawShipment};

use crate::domain::{FulfilmentEvent, OrderEvent, OrderId, ShopEvent, Step};
use crate::outside::Outside;

/// Fulfils orders.
pub struct FulfilOrders {
    /// The partners that its commands call.
    pub outside: Outside,
}

/// What a process remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// The last step that was begun.
    furthest: Option<Step>,
    /// Whether everything is being undone.
    undoing: bool,
}

impl<S: EventStore> ProcessManager<S> for FulfilOrders {
    type Event = ShopEvent;
    type State = Progress;

    fn name(&self) -> &str {
        "fulfilment"
    }

    /// Of an order only that it was cancelled.
    fn filter(&self) -> Filter {
        let types = [
            "FulfilmentStarted",
            "StepCompleted",
            "CompensationStarted",
            "OrderCancelled",
        ];
        let types = types.iter().filter_map(|name| name.parse().ok());
        types.fold(
            Filter::all()
                .stream_prefix(OrderId::FULFILMENT_PREFIX)
                .stream_prefix(OrderId::PREFIX),
            Filter::event_type,
        )
    }

    fn process_of(&self, stored: &StoredEvent<ShopEvent>) -> Option<ProcessId> {
        OrderId::of_stream(&stored.stream_id)?.process().ok()
    }

    fn react(
        &self,
        mut progress: Progress,
        trigger: Trigger<'_, ShopEvent>,
        reaction: &mut Reaction<S>,
    ) -> Progress {
        let Ok(order) = reaction.process().as_str().parse::<OrderId>() else {
            return progress;
        };
        let event = match trigger {
            Trigger::Event(stored) => &stored.event,
            // A step that its order does not allow any more, as it was cancelled meanwhile.
            Trigger::Rejected { message, .. } => {
                return self.undo(progress, order, message, reaction);
            }
            _ => return progress,
        };
        match event {
            ShopEvent::Fulfilment(FulfilmentEvent::FulfilmentStarted) => {
                self.begin(&mut progress, Step::ReserveInventory, order, reaction);
            }
            ShopEvent::Fulfilment(FulfilmentEvent::StepCompleted { step, .. }) => match step {
                Step::ReserveInventory => {
                    self.begin(&mut progress, Step::ProcessPayment, order, reaction);
                }
                Step::ProcessPayment => {
                    self.begin(&mut progress, Step::CreateShipment, order, reaction);
                }
                Step::CreateShipment => reaction.end(),
            },
            ShopEvent::Fulfilment(FulfilmentEvent::CompensationStarted { reason }) => {
                return self.undo(progress, order, reason, reaction);
            }
            ShopEvent::Order(OrderEvent::OrderCancelled { reason, .. }) => {
                return self.undo(progress, order, reason.as_str(), reaction);
            }
            _ => {}
        }
        progress
    }

    fn on_error(&self, error: &ProcessError) {
        metrics::counter!("saga_errors_total").increment(1);
        tracing::warn!(%error, "a fulfilment is tried again later");
    }
}

impl FulfilOrders {
    /// Begins a step, unless everything is being undone.
    fn begin<S: EventStore>(
        &self,
        progress: &mut Progress,
        step: Step,
        order: OrderId,
        reaction: &mut Reaction<S>,
    ) {
        if progress.undoing {
            return;
        }
        progress.furthest = Some(step);
        let outside = &self.outside;
        match step {
            Step::ReserveInventory => reaction.execute(ReserveStock::new(order)),
            Step::ProcessPayment => reaction.execute(TakePayment::new(order, outside)),
            Step::CreateShipment => reaction.execute(BookShipment::new(order, outside)),
        }
    }

    /// Undoes the steps that were begun, the last one first, and gives the order up. Once.
    fn undo<S: EventStore>(
        &self,
        progress: Progress,
        order: OrderId,
        reason: &str,
        reaction: &mut Reaction<S>,
    ) -> Progress {
        let (Some(furthest), false) = (progress.furthest, progress.undoing) else {
            return progress;
        };
        let outside = &self.outside;
        for step in Step::ALL.into_iter().rev().filter(|step| *step <= furthest) {
            match step {
                Step::CreateShipment => reaction.execute(WithdrawShipment::new(order, outside)),
                Step::ProcessPayment => reaction.execute(RefundPayment::new(order, outside)),
                Step::ReserveInventory => reaction.execute(ReleaseStock::new(order)),
            }
        }
        reaction.execute(GiveUp::new(order, reason));
        Progress {
            undoing: true,
            ..progress
        }
    }
}
