//! One trigger, from its delivery to the last of its commands.
//!
//! 1. The process *accepts* the trigger: one append at the exact version of the stream of the process writes
//!    the trigger's id, the state after it and the names of its commands, and each timeout to a stream of
//!    its own.
//! 2. Each command is executed with a *mark*: its events and the mark are one append, at the exact version of
//!    the stream of the process. A rejection is a mark too, and then a trigger.
//! 3. The delivery is acknowledged.
//!
//! Whoever handles a trigger first finishes what the process has begun, whose trigger ever it was. What can
//! come between:
//!
//! - *The trigger is delivered again* (its runner was killed, its lease ran out, the acknowledgement was
//!   lost): its id is found in the stream of the process. What is left of its commands is executed; if
//!   nothing is left it is done.
//! - *Two runners have the trigger*, since a lease ran out while a command ran: both may execute the same
//!   command at once. Only one append finds the process at the version that it expects; the other writes
//!   nothing, reads again and goes on from there.
//! - *Two triggers of one process come at once*, from different streams: both may be reacted to; only one
//!   append finds the version it expects. The other one is reacted to anew, on the state after the first, once
//!   the commands of the first are done.
//! - *A runner is killed* before an append: nothing was written. After it: what was written tells how to go on.
//!   Nothing is kept elsewhere.
//! - *An answer is lost*: the very same append is sent again, which its event ids make safe. If that fails too
//!   often the stream is read again. Should the first append arrive only then, it finds another version.
//! - *A command cannot be executed* because of something that is no rule: the trigger fails and is given
//!   back. Later triggers of the process try the same and fail in the same way. They are not taken before.

use serde_json::Value;

use super::error::Why;
use super::input::Input;
use super::names::Names;
use super::record::{Asked, Mark, Rejected, Rejection, correlation};
use super::standing::{Standing, Unknown, Wanted};
use super::{ProcessError, ProcessManager, ProcessOptions, Reaction};
use crate::execute;
use crate::execute::ExecuteError;
use crate::store::{Append, Appended, EventStore, NewEvent, StoreError};
use crate::values::{Position, ProcessId, StreamId, StreamVersion};

/// So many rejected commands in a row, each the answer to the one before, are taken for a mistake.
const MAX_REJECTIONS: u32 = 100;

/// Handles the triggers of one process.
pub(super) struct Handling<'a, S, P> {
    pub(super) store: &'a S,
    pub(super) manager: &'a P,
    pub(super) options: &'a ProcessOptions,
    pub(super) names: &'a Names,
    pub(super) process: &'a ProcessId,
    /// The stream of the process.
    pub(super) stream: StreamId,
}

/// What a process has accepted and is to be done now.
pub(super) struct Work<'a, S, E> {
    pub(super) input: Taken<'a, E>,
    pub(super) reaction: Reaction<S>,
}

/// The trigger that was delivered, or another one that comes before it.
pub(super) enum Taken<'a, E> {
    Delivered(&'a Input<E>),
    Other(Box<Input<E>>),
}

/// Why it does not go on.
pub(super) enum Stopped {
    /// Another runner was here: read again.
    Moved,
    Failed(ProcessError),
}

impl<'a, S: EventStore, P: ProcessManager<S>> Handling<'a, S, P> {
    pub(super) fn new(
        store: &'a S,
        manager: &'a P,
        options: &'a ProcessOptions,
        names: &'a Names,
        process: &'a ProcessId,
    ) -> Result<Self, ProcessError> {
        let stream = names.process(process);
        let stream =
            stream.map_err(|invalid| ProcessError::new(&names.manager, Why::Name(invalid)))?;
        Ok(Self {
            store,
            manager,
            options,
            names,
            process,
            stream,
        })
    }

    /// Handles a trigger: when this returns the process has taken it, now or before, and all is done.
    pub(super) async fn handle(
        &self,
        input: &Input<P::Event>,
        position: Position,
    ) -> Result<(), ProcessError> {
        let event_id = input.event_id();
        let wanted = Wanted { event_id, position };
        let (mut rejections, mut moved_at) = (0, Vec::new());
        loop {
            let version = match self.go_on(input, wanted, &mut rejections).await {
                Ok(()) => return Ok(()),
                Err((Stopped::Failed(error), _)) => return Err(error.of(self.process, event_id)),
                Err((Stopped::Moved, version)) => version,
            };
            // That another runner was here shows. Otherwise it is not as it seems, and not for ever.
            moved_at.retain(|at| *at == version);
            moved_at.push(version);
            let failed = u32::try_from(moved_at.len()).unwrap_or(u32::MAX);
            match self.options.retry.wait_after(failed) {
                Some(wait) => self.store.sleep(wait).await,
                None => {
                    let why = "its stream moves, and stands where it stood";
                    return Err(self
                        .failed(Why::Inconsistent(why))
                        .of(self.process, event_id));
                }
            }
        }
    }

    /// Finishes what the process has begun, then takes the trigger. An error comes with the version from which
    /// it was tried.
    async fn go_on(
        &self,
        input: &Input<P::Event>,
        wanted: Wanted,
        rejections: &mut u32,
    ) -> Result<(), (Stopped, StreamVersion)> {
        let read = self.read(wanted).await;
        let mut standing = read.map_err(|stopped| (stopped, StreamVersion::EMPTY))?;
        let version = standing.version;
        loop {
            let next = Box::pin(self.next(input, &mut standing, rejections)).await;
            let Some(work) = next.map_err(|stopped| (stopped, version))? else {
                return Ok(());
            };
            let done = Box::pin(self.work(work, &mut standing)).await;
            done.map_err(|stopped| (stopped, version))?;
        }
    }

    /// What is to be done next: the rest of the last trigger, else the next rejected command, else the trigger
    /// that was delivered.
    async fn next<'i>(
        &self,
        input: &'i Input<P::Event>,
        standing: &mut Standing,
        rejections: &mut u32,
    ) -> Result<Option<Work<'i, S, P::Event>>, Stopped> {
        if standing.is_at_work() {
            return self.resume(input, standing).await.map(Some);
        }
        let taken = match standing.pending.pop_front() {
            Some(rejected) => {
                *rejections += 1;
                let event_id = rejected.event_id;
                if *rejections > MAX_REJECTIONS {
                    return Err(Stopped::Failed(
                        self.failed(Why::Runaway).of(self.process, event_id),
                    ));
                }
                Taken::Other(Box::new(Input::Rejected(rejected)))
            }
            None if standing.has_seen || standing.has_ended() => return Ok(None),
            None => {
                standing.has_seen = true;
                Taken::Delivered(input)
            }
        };
        let event_id = taken.input().event_id();
        let accepted = Box::pin(self.accept(taken, standing)).await;
        accepted.map(Some).map_err(|stopped| match stopped {
            Stopped::Failed(error) => Stopped::Failed(error.of(self.process, event_id)),
            Stopped::Moved => Stopped::Moved,
        })
    }

    /// Executes the commands that are not done, one after the other.
    async fn work(
        &self,
        work: Work<'_, S, P::Event>,
        standing: &mut Standing,
    ) -> Result<(), Stopped> {
        let input = work.input.input();
        let trigger = input.event_id();
        let options = input.execute_options(&self.options.retry);
        while let Some(command) = work.reaction.commands.get(standing.marked) {
            let index = standing.marked;
            let event = Mark { trigger, index }.to_event(self.stream.clone());
            let mark = execute::Mark {
                stream: self.stream.clone(),
                version: standing.version,
                event: event.map_err(|error| self.failed(Why::Record(error)))?,
            };
            match command.execute(self.store, &options, &mark).await {
                Ok(()) => {}
                Err(error) if self.has_moved(error.conflicts()) => return Err(Stopped::Moved),
                Err(error) if error.is_business_rule() => {
                    let rejection = Rejection {
                        mark: Mark { trigger, index },
                        command: command.name().to_owned(),
                        message: message(&error),
                    };
                    self.reject(rejection, input, standing).await?;
                }
                Err(source) => {
                    let name = command.name();
                    let error = self.failed(Why::Command { name, source });
                    return Err(error.of(self.process, trigger).into());
                }
            }
            standing.marked += 1;
            standing.version = StreamVersion::new(standing.version.get() + 1);
        }
        Ok(())
    }

    /// Marks a command as rejected, so that the process is told of it.
    async fn reject(
        &self,
        rejection: Rejection,
        input: &Input<P::Event>,
        standing: &mut Standing,
    ) -> Result<(), Stopped> {
        let event = rejection.to_event(self.stream.clone());
        let event = event.map_err(|error| self.failed(Why::Record(error)))?;
        let event_id = event.event_id;
        let correlation_id = correlation(Some(input.correlation_id()), event_id);
        let append = self.append(input, standing.version, event);
        let appended = self.send(&append).await?;
        let at = appended.recorded_at.into();
        let rejected = Rejected::new(rejection, event_id, at, correlation_id);
        standing.pending.push_back(rejected);
        Ok(())
    }

    /// The append of an event to the stream of the process, at exactly this version.
    pub(super) fn append(
        &self,
        input: &Input<P::Event>,
        version: StreamVersion,
        event: NewEvent,
    ) -> Append {
        Append::new()
            .correlation_id(input.correlation_id())
            .causation_id(input.causation_id())
            .stream(self.stream.clone(), version.exactly())
            .event(event)
    }

    /// Sends an append, the very same again while its outcome is unknown.
    pub(super) async fn send(&self, append: &Append) -> Result<Appended, Stopped> {
        match self.persist(|| self.store.append(append)).await {
            Ok(appended) => Ok(appended),
            Err(error) if error.is_version_conflict() => Err(Stopped::Moved),
            Err(error) => Err(self.failed(Why::Store(error)).into()),
        }
    }

    /// The state after a trigger, and what is to be done.
    pub(super) fn react(
        &self,
        state: Option<&Value>,
        input: &Input<P::Event>,
    ) -> Result<(Value, Reaction<S>), ProcessError> {
        let failed = |error| self.failed(Why::State(error));
        let state = match state {
            None => P::State::default(),
            Some(state) => serde_json::from_value(state.clone()).map_err(failed)?,
        };
        let mut reaction = Reaction::new(self.process.clone());
        let state = self.manager.react(state, input.trigger(), &mut reaction);
        Ok((serde_json::to_value(state).map_err(failed)?, reaction))
    }

    pub(super) fn failed(&self, why: Why) -> ProcessError {
        ProcessError::new(&self.names.manager, why)
    }

    async fn read(&self, wanted: Wanted) -> Result<Standing, Stopped> {
        let mut failed = 0;
        loop {
            let error = match Box::pin(Standing::read(self.store, &self.stream, wanted)).await {
                Ok(standing) => return Ok(standing),
                Err(Unknown::Why(why)) => return Err(self.failed(why).into()),
                Err(Unknown::Store(error)) => error,
            };
            failed += 1;
            self.back_off(error, failed)
                .await
                .map_err(|error| self.failed(Why::Store(error)))?;
        }
    }

    /// Tries again while the store fails for now. A version conflict is an answer.
    pub(super) async fn persist<T, F>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut failed = 0;
        loop {
            match Box::pin(attempt()).await {
                Err(error) if !error.is_version_conflict() => {
                    failed += 1;
                    self.back_off(error, failed).await?;
                }
                done => return done,
            }
        }
    }

    /// Waits before another attempt, or gives the error back when there is none to be made.
    async fn back_off(&self, error: StoreError, failed: u32) -> Result<(), StoreError> {
        match self.options.retry.wait_after(failed) {
            Some(wait) if error.is_retriable() => {
                self.store.sleep(wait).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn has_moved(&self, conflicts: &[crate::VersionConflict<StreamId>]) -> bool {
        conflicts
            .iter()
            .any(|conflict| conflict.stream == self.stream)
    }
}

/// The commands of a reaction, as they are recorded.
pub(super) fn asked<S>(reaction: &Reaction<S>) -> Vec<Asked> {
    let commands = reaction.commands.iter();
    commands
        .map(|command| Asked {
            name: command.name().to_owned(),
            streams: command.streams(),
        })
        .collect()
}

/// Why a command was rejected, in a text that every store can hold.
fn message(error: &ExecuteError) -> String {
    let message = error
        .command()
        .map_or_else(|| error.to_string(), ToString::to_string);
    message.replace('\0', "\u{fffd}")
}

impl<E> Taken<'_, E> {
    pub(super) fn input(&self) -> &Input<E> {
        match self {
            Self::Delivered(input) => input,
            Self::Other(input) => input,
        }
    }
}

impl From<ProcessError> for Stopped {
    fn from(error: ProcessError) -> Self {
        Self::Failed(error)
    }
}
