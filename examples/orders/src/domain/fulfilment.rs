//! [`Fulfilment`]: how far the fulfilment of an order is.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FulfilmentEvent;

/// A step of a fulfilment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Sets the stock aside.
    ReserveInventory,
    /// Takes the money.
    ProcessPayment,
    /// Books the shipment.
    CreateShipment,
}

/// The state of a fulfilment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub enum FulfilmentState {
    /// Nobody has asked for it.
    #[default]
    NotStarted,
    /// Its steps are being carried out.
    Running,
    /// Its steps are being undone.
    Compensating,
    /// All steps are done.
    Completed,
    /// All steps are undone, and the order is cancelled.
    Failed,
}

/// How far the fulfilment of an order is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fulfilment {
    /// Its state.
    pub state: FulfilmentState,
    /// The steps that are done, each with what it resulted in, in their order.
    pub completed: Vec<(Step, String)>,
    /// The steps that are undone, in the order in which that happened.
    pub compensated: Vec<Step>,
    /// Why it failed, or is about to.
    pub failure: Option<String>,
}

impl Step {
    /// The steps in their order.
    pub const ALL: [Self; 3] = [
        Self::ReserveInventory,
        Self::ProcessPayment,
        Self::CreateShipment,
    ];
}

impl FulfilmentState {
    /// Whether nothing more will happen.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed)
    }

    /// Whether steps may still be carried out.
    pub fn is_running(self) -> bool {
        self == Self::Running
    }
}

impl Fulfilment {
    /// The fulfilment after an event.
    #[must_use]
    pub fn apply(mut self, event: &FulfilmentEvent) -> Self {
        match event {
            FulfilmentEvent::FulfilmentStarted => self.state = FulfilmentState::Running,
            FulfilmentEvent::StepCompleted { step, reference } => {
                self.completed.push((*step, reference.clone()));
            }
            FulfilmentEvent::CompensationStarted { reason } => {
                self.state = FulfilmentState::Compensating;
                self.failure = Some(reason.clone());
            }
            FulfilmentEvent::StepCompensated { step } => {
                self.state = FulfilmentState::Compensating;
                self.compensated.push(*step);
            }
            FulfilmentEvent::FulfilmentCompleted => self.state = FulfilmentState::Completed,
            FulfilmentEvent::FulfilmentFailed { reason } => {
                self.state = FulfilmentState::Failed;
                self.failure = Some(reason.clone());
            }
        }
        self
    }

    /// What a step resulted in, if it is done.
    pub fn reference(&self, step: Step) -> Option<&str> {
        let mut done = self.completed.iter().filter(|(one, _)| *one == step);
        done.next().map(|(_, reference)| reference.as_str())
    }

    /// Whether a step is done and not undone.
    pub fn holds(&self, step: Step) -> bool {
        self.reference(step).is_some() && !self.compensated.contains(&step)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ReserveInventory => "reserve_inventory",
            Self::ProcessPayment => "process_payment",
            Self::CreateShipment => "create_shipment",
        })
    }
}
