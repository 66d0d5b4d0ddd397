//! [`Reaction`]: what a process wants to be done.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::command::{AsyncCommandLogic, Declaration};
use crate::execute::{CompanionEvent, execute_with_companion};
use crate::execute::{ExecuteError, ExecuteOptions};
use crate::store::EventStore;
use crate::values::{ProcessId, StreamId};

/// What a process wants to be done after a trigger.
pub struct Reaction<S> {
    process: ProcessId,
    pub(super) commands: Vec<Box<dyn Command<S>>>,
    pub(super) timeouts: Vec<(String, Duration)>,
    pub(super) ends: bool,
}

/// A command of any type.
pub(super) trait Command<S>: Send + Sync {
    fn name(&self) -> &'static str;

    /// The streams that it declares.
    fn streams(&self) -> Vec<StreamId>;

    fn execute<'a>(
        &'a self,
        store: &'a S,
        options: &'a ExecuteOptions,
        companion: &'a CompanionEvent,
    ) -> Pin<Box<dyn Future<Output = Result<(), ExecuteError>> + Send + 'a>>;
}

impl<S> Reaction<S> {
    /// Nothing is to be done by this process. A runner makes it; so does a test of `react`.
    pub fn new(process: ProcessId) -> Self {
        Self {
            process,
            commands: Vec::new(),
            timeouts: Vec::new(),
            ends: false,
        }
    }

    /// The process that reacts.
    pub fn process(&self) -> &ProcessId {
        &self.process
    }

    /// Executes a command, after those that were asked for before. If a business rule rejects it, the
    /// process is [told](crate::Trigger::Rejected).
    pub fn execute<C>(&mut self, command: C)
    where
        S: EventStore,
        C: AsyncCommandLogic + 'static,
    {
        self.commands.push(Box::new(command));
    }

    /// Tells the process of this [timeout](crate::Trigger::Timeout), so long after the trigger was recorded;
    /// if the trigger is a timeout itself, after that one was due. It cannot be taken back: the process may
    /// ignore it by its state.
    pub fn timeout(&mut self, name: impl Into<String>, after: Duration) {
        self.timeouts.push((name.into(), after));
    }

    /// Ends the process: what is asked for here is done still, and the process is told of commands that are
    /// rejected, but all later events and timeouts of the process are ignored, for good.
    pub fn end(&mut self) {
        self.ends = true;
    }

    /// The names of the commands, in order.
    pub fn commands(&self) -> impl Iterator<Item = &'static str> {
        self.commands.iter().map(|command| command.name())
    }

    /// The timeouts, in order.
    pub fn timeouts(&self) -> impl Iterator<Item = (&str, Duration)> {
        self.timeouts
            .iter()
            .map(|(name, after)| (name.as_str(), *after))
    }

    /// Whether the process ends.
    pub fn ends(&self) -> bool {
        self.ends
    }
}

impl<S: EventStore, C: AsyncCommandLogic> Command<S> for C {
    fn name(&self) -> &'static str {
        self.command_name()
    }

    fn streams(&self) -> Vec<StreamId> {
        let mut declaration = Declaration::new();
        self.declare(&mut declaration);
        declaration.into_streams().0.since(0).to_vec()
    }

    fn execute<'a>(
        &'a self,
        store: &'a S,
        options: &'a ExecuteOptions,
        companion: &'a CompanionEvent,
    ) -> Pin<Box<dyn Future<Output = Result<(), ExecuteError>> + Send + 'a>> {
        Box::pin(async move {
            execute_with_companion(store, self, options, companion)
                .await
                .map(drop)
        })
    }
}

impl<S> fmt::Debug for Reaction<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaction")
            .field("process", &self.process)
            .field("commands", &self.commands().collect::<Vec<_>>())
            .field("timeouts", &self.timeouts)
            .field("ends", &self.ends)
            .finish()
    }
}
