//! [`Reaction`]: what a process asks for after a trigger.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::command::{AsyncCommandLogic, Declaration};
use crate::execute::{CompanionEvent, execute_with_companion};
use crate::execute::{ExecuteError, ExecuteOptions};
use crate::store::EventStore;
use crate::values::{ProcessId, StreamId};

/// What a process asks for after a trigger: commands, timeouts, or its end.
pub struct Reaction<S> {
    process: ProcessId,
    pub(super) commands: Vec<Box<dyn Command<S>>>,
    pub(super) timeouts: Vec<(String, Duration)>,
    pub(super) ends: bool,
}

/// A command of any type.
pub(super) trait Command<S>: Send + Sync {
    fn name(&self) -> &'static str;

    /// The streams that the command declares.
    fn streams(&self) -> Vec<StreamId>;

    fn execute<'a>(
        &'a self,
        store: &'a S,
        options: &'a ExecuteOptions,
        companion: &'a CompanionEvent,
    ) -> Pin<Box<dyn Future<Output = Result<(), ExecuteError>> + Send + 'a>>;
}

impl<S> Reaction<S> {
    /// An empty reaction of this process. The runner makes it; a test of `react` can make it too.
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

    /// Executes a command, after the commands that were added before. If a business rule rejects
    /// it, the process receives [`Trigger::Rejected`](crate::Trigger::Rejected).
    pub fn execute<C>(&mut self, command: C)
    where
        S: EventStore,
        C: AsyncCommandLogic + 'static,
    {
        self.commands.push(Box::new(command));
    }

    /// Sends the process this [timeout](crate::Trigger::Timeout) after a time. The time starts when
    /// the trigger was recorded, or, if the trigger is a timeout itself, when that timeout was due.
    /// A timeout cannot be cancelled; use the state to ignore it.
    pub fn timeout(&mut self, name: impl Into<String>, after: Duration) {
        self.timeouts.push((name.into(), after));
    }

    /// Ends the process. The commands of this reaction are still executed, and the process still
    /// receives rejected ones as triggers. All later events and timeouts of the process are ignored
    /// forever.
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
