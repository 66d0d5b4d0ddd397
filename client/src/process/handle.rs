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

use super::error::Kind;
use super::input::Input;
use super::names::Names;
use super::progress::{ProcessProgress, SoughtTrigger};
use super::record::{CommandId, CommandRecord, RejectedCommand, RejectionRecord, correlation};
use super::{ProcessError, ProcessManager, ProcessOptions, Reaction};
use crate::execute::{CompanionEvent, ExecuteError};
use crate::store::{Append, Appended, EventStore, NewEvent, StoreError};
use crate::values::{Position, ProcessId, StreamId, StreamVersion};

/// So many rejected commands in a row, each the answer to the one before, are taken for a mistake.
const MAX_REJECTIONS: u32 = 100;

/// Handles the triggers of one process.
pub(super) struct TriggerHandler<'a, S, P> {
    pub(super) store: &'a S,
    pub(super) manager: &'a P,
    pub(super) options: &'a ProcessOptions,
    pub(super) names: &'a Names,
    pub(super) process: &'a ProcessId,
    /// The stream of the process.
    pub(super) stream: StreamId,
}

/// What a process has accepted and is to be done now.
pub(super) struct AcceptedTrigger<'a, S, E> {
    pub(super) input: CurrentInput<'a, E>,
    pub(super) reaction: Reaction<S>,
}

/// The trigger that was delivered, or another one that comes before it.
pub(super) enum CurrentInput<'a, E> {
    Delivered(&'a Input<E>),
    Earlier(Box<Input<E>>),
}

/// Kind it does not go on.
pub(super) enum StopReason {
    /// Another runner was here: read again.
    Moved,
    Failed(ProcessError),
}

impl<'a, S: EventStore, P: ProcessManager<S>> TriggerHandler<'a, S, P> {
    pub(super) fn new(
        store: &'a S,
        manager: &'a P,
        options: &'a ProcessOptions,
        names: &'a Names,
        process: &'a ProcessId,
    ) -> Result<Self, ProcessError> {
        let stream = names.process(process);
        let stream =
            stream.map_err(|invalid| ProcessError::new(&names.manager, Kind::Name(invalid)))?;
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
        let sought = SoughtTrigger { event_id, position };
        let (mut rejections, mut moved_at) = (0, Vec::new());
        loop {
            let version = match self.go_on(input, sought, &mut rejections).await {
                Ok(()) => return Ok(()),
                Err((StopReason::Failed(error), _)) => return Err(error.of(self.process, event_id)),
                Err((StopReason::Moved, version)) => version,
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
                        .failed(Kind::Inconsistent(why))
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
        sought: SoughtTrigger,
        rejections: &mut u32,
    ) -> Result<(), (StopReason, StreamVersion)> {
        let read = self.read(sought).await;
        let mut progress = read.map_err(|stopped| (stopped, StreamVersion::EMPTY))?;
        let version = progress.version;
        loop {
            let next = Box::pin(self.next(input, &mut progress, rejections)).await;
            let Some(accepted) = next.map_err(|stopped| (stopped, version))? else {
                return Ok(());
            };
            let done = Box::pin(self.execute_commands(accepted, &mut progress)).await;
            done.map_err(|stopped| (stopped, version))?;
        }
    }

    /// What is to be done next: the rest of the last trigger, else the next rejected command, else the trigger
    /// that was delivered.
    async fn next<'i>(
        &self,
        input: &'i Input<P::Event>,
        progress: &mut ProcessProgress,
        rejections: &mut u32,
    ) -> Result<Option<AcceptedTrigger<'i, S, P::Event>>, StopReason> {
        if progress.has_open_commands() {
            return self.resume(input, progress).await.map(Some);
        }
        let taken = match progress.pending.pop_front() {
            Some(rejected) => {
                *rejections += 1;
                let event_id = rejected.event_id;
                if *rejections > MAX_REJECTIONS {
                    return Err(StopReason::Failed(
                        self.failed(Kind::Runaway).of(self.process, event_id),
                    ));
                }
                CurrentInput::Earlier(Box::new(Input::Rejected(rejected)))
            }
            None if progress.has_seen || progress.has_ended() => return Ok(None),
            None => {
                progress.has_seen = true;
                CurrentInput::Delivered(input)
            }
        };
        let event_id = taken.input().event_id();
        let accepted = Box::pin(self.accept(taken, progress)).await;
        accepted.map(Some).map_err(|stopped| match stopped {
            StopReason::Failed(error) => StopReason::Failed(error.of(self.process, event_id)),
            StopReason::Moved => StopReason::Moved,
        })
    }

    /// Executes the commands that are not done, one after the other.
    async fn execute_commands(
        &self,
        accepted: AcceptedTrigger<'_, S, P::Event>,
        progress: &mut ProcessProgress,
    ) -> Result<(), StopReason> {
        let input = accepted.input.input();
        let trigger = input.event_id();
        let options = input.execute_options(&self.options.retry);
        while let Some(command) = accepted.reaction.commands.get(progress.commands_done) {
            let index = progress.commands_done;
            let event = CommandId { trigger, index }.to_event(self.stream.clone());
            let companion = CompanionEvent {
                stream: self.stream.clone(),
                version: progress.version,
                event: event.map_err(|error| self.failed(Kind::Record(error)))?,
            };
            match command.execute(self.store, &options, &companion).await {
                Ok(()) => {}
                Err(error) if self.has_moved(error.conflicts()) => return Err(StopReason::Moved),
                Err(error) if error.is_business_rule() => {
                    let rejection = RejectionRecord {
                        command_id: CommandId { trigger, index },
                        command: command.name().to_owned(),
                        message: message(&error),
                    };
                    self.reject(rejection, input, progress).await?;
                }
                Err(source) => {
                    let name = command.name();
                    let error = self.failed(Kind::Command { name, source });
                    return Err(error.of(self.process, trigger).into());
                }
            }
            progress.commands_done += 1;
            progress.version = StreamVersion::new(progress.version.get() + 1);
        }
        Ok(())
    }

    /// Marks a command as rejected, so that the process is told of it.
    async fn reject(
        &self,
        rejection: RejectionRecord,
        input: &Input<P::Event>,
        progress: &mut ProcessProgress,
    ) -> Result<(), StopReason> {
        let event = rejection.to_event(self.stream.clone());
        let event = event.map_err(|error| self.failed(Kind::Record(error)))?;
        let event_id = event.event_id;
        let correlation_id = correlation(Some(input.correlation_id()), event_id);
        let append = self.append(input, progress.version, event);
        let appended = self.send(&append).await?;
        let at = appended.recorded_at.into();
        let rejected = RejectedCommand::new(rejection, event_id, at, correlation_id);
        progress.pending.push_back(rejected);
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
    pub(super) async fn send(&self, append: &Append) -> Result<Appended, StopReason> {
        match self.persist(|| self.store.append(append)).await {
            Ok(appended) => Ok(appended),
            Err(error) if error.is_version_conflict() => Err(StopReason::Moved),
            Err(error) => Err(self.failed(Kind::Store(error)).into()),
        }
    }

    /// The state after a trigger, and what is to be done.
    pub(super) fn react(
        &self,
        state: Option<&Value>,
        input: &Input<P::Event>,
    ) -> Result<(Value, Reaction<S>), ProcessError> {
        let failed = |error| self.failed(Kind::State(error));
        let state = match state {
            None => P::State::default(),
            Some(state) => serde_json::from_value(state.clone()).map_err(failed)?,
        };
        let mut reaction = Reaction::new(self.process.clone());
        let state = self.manager.react(state, input.trigger(), &mut reaction);
        Ok((serde_json::to_value(state).map_err(failed)?, reaction))
    }

    pub(super) fn failed(&self, kind: Kind) -> ProcessError {
        ProcessError::new(&self.names.manager, kind)
    }

    async fn read(&self, sought: SoughtTrigger) -> Result<ProcessProgress, StopReason> {
        let mut failed = 0;
        loop {
            let read = ProcessProgress::read(self.store, &self.stream, sought);
            let error = match Box::pin(read).await {
                Ok(progress) => return Ok(progress),
                Err(Kind::Store(error)) => error,
                Err(kind) => return Err(self.failed(kind).into()),
            };
            failed += 1;
            let retry = &self.options.retry;
            let waited = retry.back_off(self.store, error, failed).await;
            waited.map_err(|error| self.failed(Kind::Store(error)))?;
        }
    }

    /// Calls the store, again while it fails temporarily.
    pub(super) async fn persist<T, F>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        // On the heap: the futures of stores are large.
        let attempt = || Box::pin(attempt());
        self.options.retry.persist(self.store, attempt).await
    }

    fn has_moved(&self, conflicts: &[crate::VersionConflict<StreamId>]) -> bool {
        conflicts
            .iter()
            .any(|conflict| conflict.stream == self.stream)
    }
}

/// The commands of a reaction, as they are recorded.
pub(super) fn command_records<S>(reaction: &Reaction<S>) -> Vec<CommandRecord> {
    let commands = reaction.commands.iter();
    commands
        .map(|command| CommandRecord {
            name: command.name().to_owned(),
            streams: command.streams(),
        })
        .collect()
}

/// Kind a command was rejected, in a text that every store can hold.
fn message(error: &ExecuteError) -> String {
    let message = error
        .command()
        .map_or_else(|| error.to_string(), ToString::to_string);
    message.replace('\0', "\u{fffd}")
}

impl<E> CurrentInput<'_, E> {
    pub(super) fn input(&self) -> &Input<E> {
        match self {
            Self::Delivered(input) => input,
            Self::Earlier(input) => input,
        }
    }
}

impl From<ProcessError> for StopReason {
    fn from(error: ProcessError) -> Self {
        Self::Failed(error)
    }
}
