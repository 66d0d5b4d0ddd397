//! [`execute`]: runs a command: resolve → read → fold → handle → append, again after a conflict.

use std::time::SystemTime;

use crate::{
    Append, Appended, CausationId, CommandLogic, CorrelationId, Declaration, EventStore,
    ExecuteError, NewEvent, Position, ReadStreams, RetryPolicy, StoreError, StreamId,
    StreamVersion,
};

/// How to execute a command.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ExecuteOptions {
    /// How often to try.
    pub retry: RetryPolicy,
    /// The logical operation that the command belongs to; by default one of its own.
    pub correlation_id: Option<CorrelationId>,
    /// What causes the events; by default this execution.
    pub causation_id: Option<CausationId>,
}

/// What an execution did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Execution {
    /// The position of the first event; `None` when the command wrote none.
    pub first_position: Option<Position>,
    /// The position of the last event; `None` when the command wrote none.
    pub last_position: Option<Position>,
    /// Each declared stream with its version after the execution.
    pub versions: Vec<(StreamId, StreamVersion)>,
    /// When the events were recorded, by the store's clock; `None` when the command wrote none.
    pub recorded_at: Option<SystemTime>,
    /// How often it was tried, the last time included.
    pub attempts: u32,
    /// The correlation id of the events.
    pub correlation_id: CorrelationId,
    /// The causation id of the events.
    pub causation_id: CausationId,
}

/// Executes a command: reads its streams in one snapshot, folds them into state, lets the command
/// decide, and writes its events if none of its streams has moved meanwhile. If one has, it starts
/// over, as the default [`RetryPolicy`] says. A command without events writes nothing.
///
/// # Errors
///
/// A business rule forbids it ([`ExecuteError::is_business_rule`]), an event cannot be encoded or
/// decoded, or the store fails, for example with a version conflict at the last attempt.
pub async fn execute<S, C>(store: &S, command: &C) -> Result<Execution, ExecuteError>
where
    S: EventStore,
    C: CommandLogic,
{
    execute_with(store, command, &ExecuteOptions::default()).await
}

/// As [`execute`], with a retry policy, correlation id and causation id of the caller's.
///
/// # Errors
///
/// As [`execute`].
pub async fn execute_with<S, C>(
    store: &S,
    command: &C,
    options: &ExecuteOptions,
) -> Result<Execution, ExecuteError>
where
    S: EventStore,
    C: CommandLogic,
{
    let mut run = Run {
        store,
        retry: &options.retry,
        attempts: 1,
        correlation_id: options.correlation_id.unwrap_or_else(CorrelationId::new),
        causation_id: options.causation_id.unwrap_or_else(CausationId::new),
    };
    match run.command(command).await {
        Ok(execution) => Ok(execution),
        Err(failure) => Err(ExecuteError::new(failure, run.correlation_id, run.attempts)),
    }
}

impl ExecuteOptions {
    /// The default policy and new ids.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how often to try.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Sets the logical operation that the command belongs to.
    #[must_use]
    pub fn correlation_id(mut self, id: CorrelationId) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Sets what causes the events.
    #[must_use]
    pub fn causation_id(mut self, id: CausationId) -> Self {
        self.causation_id = Some(id);
        self
    }
}

impl Execution {
    /// Whether events were written.
    pub fn wrote(&self) -> bool {
        self.last_position.is_some()
    }

    /// The version of a declared stream after the execution.
    pub fn version_of(&self, stream: &StreamId) -> Option<StreamVersion> {
        self.versions
            .iter()
            .find(|(id, _)| id == stream)
            .map(|(_, version)| *version)
    }
}

/// Why an execution ended without success.
#[derive(Debug)]
pub(crate) enum Failure {
    Store(StoreError),
    Command(crate::CommandError),
    Event(crate::EventError),
}

/// One execution: what stays the same over its attempts.
struct Run<'a, S> {
    store: &'a S,
    retry: &'a RetryPolicy,
    attempts: u32,
    correlation_id: CorrelationId,
    causation_id: CausationId,
}

/// What the command decided in one attempt.
enum Decision {
    Nothing(Vec<(StreamId, StreamVersion)>),
    Write(Append),
}

impl<S: EventStore> Run<'_, S> {
    async fn command<C: CommandLogic>(&mut self, command: &C) -> Result<Execution, Failure> {
        loop {
            match self.decide(command).await {
                Ok(Decision::Nothing(versions)) => return Ok(self.done(versions, None)),
                Ok(Decision::Write(append)) => {
                    if let Some(appended) = self.append(&append).await? {
                        let streams = append.streams.into_iter().map(|(stream, _)| stream);
                        let versions = streams.zip(appended.versions.iter().copied()).collect();
                        return Ok(self.done(versions, Some(appended)));
                    }
                }
                Err(Failure::Store(error)) => self.back_off(error).await?,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Reads the command's streams and lets it decide on them.
    async fn decide<C: CommandLogic>(&self, command: &C) -> Result<Decision, Failure> {
        let mut declaration = Declaration::new();
        let handles = command.declare(&mut declaration);
        let streams = declaration.into_streams();
        let read = self
            .store
            .read_streams(&ReadStreams::new(streams.iter().cloned()))
            .await?;

        let mut state = C::State::default();
        for event in read.events {
            state = command.apply(state, &event.decode()?);
        }
        let events = command.handle(state, handles)?;
        let versions = streams.into_iter().zip(read.versions);
        if events.is_empty() {
            return Ok(Decision::Nothing(versions.collect()));
        }

        let mut append = Append::new()
            .correlation_id(self.correlation_id)
            .causation_id(self.causation_id);
        append.streams = versions
            .map(|(stream, version)| (stream, version.exactly()))
            .collect();
        for (stream, event) in events.iter() {
            append.events.push(NewEvent::encode(stream.clone(), event)?);
        }
        Ok(Decision::Write(append))
    }

    /// Sends the append; the very same again while its outcome is unknown, which its event ids make
    /// safe. `None` after a version conflict: the command has to decide anew.
    async fn append(&mut self, append: &Append) -> Result<Option<Appended>, Failure> {
        loop {
            match self.store.append(append).await {
                Ok(appended) => return Ok(Some(appended)),
                Err(error) => {
                    let conflict = error.is_version_conflict();
                    self.back_off(error).await?;
                    if conflict {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Waits before another attempt, or gives the error back when there is none to be made.
    async fn back_off(&mut self, error: StoreError) -> Result<(), Failure> {
        if !error.is_retriable() {
            return Err(Failure::Store(error));
        }
        match self.retry.wait_after(self.attempts) {
            None => Err(Failure::Store(error)),
            Some(wait) => {
                self.attempts += 1;
                self.store.sleep(wait).await;
                Ok(())
            }
        }
    }

    fn done(
        &self,
        versions: Vec<(StreamId, StreamVersion)>,
        appended: Option<Appended>,
    ) -> Execution {
        Execution {
            first_position: appended
                .as_ref()
                .and_then(|appended| appended.first_position),
            last_position: appended
                .as_ref()
                .and_then(|appended| appended.last_position),
            versions,
            recorded_at: appended.map(|appended| appended.recorded_at),
            attempts: self.attempts,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<crate::CommandError> for Failure {
    fn from(error: crate::CommandError) -> Self {
        Self::Command(error)
    }
}

impl From<crate::EventError> for Failure {
    fn from(error: crate::EventError) -> Self {
        Self::Event(error)
    }
}
