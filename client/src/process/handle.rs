//! Handles one trigger, from its delivery to the last of its commands.
//!
//! 1. The process *accepts* the trigger. One append, at the exact version of the process's stream,
//!    writes the trigger's id, the state after it and the names of its commands. It also writes
//!    each timeout to a stream of its own.
//! 2. Each command is executed with a companion event, which says that the command is done. The
//!    command's events and the companion are one append, at the exact version of the process's
//!    stream. If the command is rejected, an event says so; that rejection is a trigger later.
//! 3. The delivery is acknowledged.
//!
//! Before handling a trigger, a runner first completes whatever the process left unfinished, even
//! if that belongs to another trigger. The following can happen meanwhile:
//!
//! - *The trigger is delivered again*, because its runner was killed, its lease expired or the
//!   acknowledgement was lost. The runner finds the trigger's id in the process's stream and
//!   executes the remaining commands, if any.
//! - *Two runners have the trigger*, because a lease expired while a command ran. Both may execute
//!   the same command at once. Only one append finds the process at the expected version. The other
//!   writes nothing; its runner reads again and continues from there.
//! - *Two triggers of one process arrive at once*, from different streams. The manager may react to
//!   both, but only one append finds the expected version. The manager reacts to the other trigger
//!   again, on the state after the first, once the commands of the first are done.
//! - *A runner is killed* before an append: nothing was written. After an append: the written
//!   events tell how to continue. Nothing is stored elsewhere.
//! - *An answer is lost*: the runner sends the same append again, which its event ids make safe. If
//!   that fails too often, it reads the stream again. If the first append arrives only then, it
//!   finds another version.
//! - *A command fails* for another reason than a business rule: the trigger fails and is given
//!   back. Later triggers of the process try to complete the same command first, and fail in the
//!   same way.

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

/// How many rejected commands in a row, each the answer to the one before, are taken for a mistake.
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

/// A trigger that the process has accepted, with the reaction to carry out.
pub(super) struct AcceptedTrigger<'a, S, E> {
    pub(super) input: CurrentInput<'a, E>,
    pub(super) reaction: Reaction<S>,
}

/// The trigger in hand: the delivered one, or an earlier one that must be completed first.
pub(super) enum CurrentInput<'a, E> {
    Delivered(&'a Input<E>),
    Earlier(Box<Input<E>>),
}

/// Why handling stops.
pub(super) enum StopReason {
    /// Another runner has written to the process's stream: read again.
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

    /// Handles a trigger. When this returns, the process has accepted the trigger, now or before,
    /// and everything is done.
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
            // If another runner was active, the version has changed. If it has not, something else
            // is wrong: try only a limited number of times.
            moved_at.retain(|at| *at == version);
            moved_at.push(version);
            let failed = u32::try_from(moved_at.len()).unwrap_or(u32::MAX);
            match self.options.retry.wait_after(failed) {
                Some(wait) => self.store.sleep(wait).await,
                None => {
                    let why = "version conflicts keep occurring although the stream's version has not changed";
                    return Err(self
                        .failed(Kind::Inconsistent(why))
                        .of(self.process, event_id));
                }
            }
        }
    }

    /// Completes what the process left unfinished, then accepts the trigger. An error comes with
    /// the version that the attempt was based on.
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

    /// The next thing to do: the rest of the last trigger, else the next rejected command, else the
    /// delivered trigger.
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

    /// Executes the commands that are not done yet, one after the other.
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

    /// Records that a command was rejected. The rejection is a trigger of the process later.
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

    /// An append of an event to the process's stream, at exactly this version.
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

    /// Sends an append, and the same append again while its outcome is unknown.
    pub(super) async fn send(&self, append: &Append) -> Result<Appended, StopReason> {
        match self.persist(|| self.store.append(append)).await {
            Ok(appended) => Ok(appended),
            Err(error) if error.is_version_conflict() => Err(StopReason::Moved),
            Err(error) => Err(self.failed(Kind::Store(error)).into()),
        }
    }

    /// Calls the manager: returns the state after a trigger, and the reaction.
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
        // On the heap, because the futures of stores are large.
        let attempt = || Box::pin(attempt());
        self.options.retry.persist(self.store, attempt).await
    }

    fn has_moved(&self, conflicts: &[crate::VersionConflict<StreamId>]) -> bool {
        conflicts
            .iter()
            .any(|conflict| conflict.stream == self.stream)
    }
}

/// The commands of a reaction in stored form.
pub(super) fn command_records<S>(reaction: &Reaction<S>) -> Vec<CommandRecord> {
    let commands = reaction.commands.iter();
    commands
        .map(|command| CommandRecord {
            name: command.name().to_owned(),
            streams: command.streams(),
        })
        .collect()
}

/// Why a command was rejected, as text that every store can hold.
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
