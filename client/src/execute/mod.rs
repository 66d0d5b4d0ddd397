//! [`execute`]: runs a command: read → fold → discover → handle → append, again after a conflict.

mod attempt;
mod error;
mod executable;
mod execution;
pub(crate) mod observe;
mod options;
mod retry;

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

pub use self::error::ExecuteError;
pub(crate) use self::error::Failure;
pub use self::executable::Executable;
pub use self::execution::{Execution, WrittenEvent};
pub use self::options::ExecuteOptions;
pub use self::retry::RetryPolicy;

use self::attempt::{Decision, PendingSnapshot};
use self::observe::{Observer, Outcome, Phase};
use crate::command::AsyncCommandLogic;
use crate::store::{Append, Appended, EventStore, NewEvent, StoreError};
use crate::values::{CausationId, CorrelationId, SnapshotName, StreamId, StreamVersion};
use eventcore_rules::ExpectedVersion;

/// Executes a command: reads its streams in one snapshot, folds them into state, lets the command
/// decide, and writes its events if none of its streams has moved meanwhile. If one has, it starts
/// over, as the default [`RetryPolicy`] says. A command without events writes nothing.
///
/// With streams that are folded beforehand these are two calls of the store, each one round trip. Dropping
/// the future leaves the append written as a whole or not at all.
///
/// What else is [`Executable`] on the store is executed the same way: on PostgreSQL the call of a command that is
/// registered in the database.
///
/// # Errors
///
/// A business rule forbids it ([`ExecuteError::is_business_rule`]), an event cannot be encoded or
/// decoded, or the store fails, for example with a version conflict at the last attempt.
pub async fn execute<S, C>(store: &S, command: &C) -> Result<C::Done, ExecuteError>
where
    S: EventStore,
    C: Executable<S>,
{
    execute_with(store, command, &ExecuteOptions::default()).await
}

/// As [`execute`], with a retry policy, ids, metadata and a deadline of the caller's.
///
/// # Errors
///
/// As [`execute`], or the deadline passed ([`ExecuteError::is_deadline`]).
pub async fn execute_with<S, C>(
    store: &S,
    command: &C,
    options: &ExecuteOptions,
) -> Result<C::Done, ExecuteError>
where
    S: EventStore,
    C: Executable<S>,
{
    command.execute_on(store, options).await
}

/// Something that is written together with a command's events, also if it has none: by whom nothing may
/// be executed twice.
pub(crate) struct CompanionEvent {
    pub(crate) stream: StreamId,
    pub(crate) version: StreamVersion,
    pub(crate) event: NewEvent,
}

/// As [`execute_with`], with a mark. That the mark's stream has moved ends the execution.
pub(crate) async fn execute_with_companion<S, C>(
    store: &S,
    command: &C,
    options: &ExecuteOptions,
    companion: &CompanionEvent,
) -> Result<Execution, ExecuteError>
where
    S: EventStore,
    C: AsyncCommandLogic,
{
    run(store, command, options, Some(companion)).await
}

async fn run<S, C>(
    store: &S,
    command: &C,
    options: &ExecuteOptions,
    companion: Option<&CompanionEvent>,
) -> Result<Execution, ExecuteError>
where
    S: EventStore,
    C: AsyncCommandLogic,
{
    let (correlation_id, causation_id) = options.ids();
    let observer = Observer::new(command.command_name(), correlation_id, causation_id);
    let mut run = Run {
        store,
        command,
        options,
        companion,
        observer: &observer,
        correlation_id,
        causation_id,
        attempts: 1,
        uses_snapshots: true,
        cached: None,
        pending_snapshot: None,
        in_doubt: false,
        last: None,
    };
    let outcome = until(options.deadline, store, observer.whole(run.attempts())).await;
    let outcome = outcome.unwrap_or_else(|| Err(Failure::Deadline(run.last.take())));
    if matches!(outcome, Ok(_) | Err(Failure::Command(_))) {
        run.save_pending_snapshot().await;
    }
    let result = outcome.map_err(|failure| {
        let may_have_written = run.in_doubt;
        ExecuteError::new(
            failure,
            correlation_id,
            causation_id,
            run.attempts,
            may_have_written,
        )
    });
    observer.end(result.as_ref().map(Outcome::of));
    result
}

/// Does the work until the deadline, if there is one; `None` when that passed.
pub(crate) async fn until<T>(
    deadline: Option<Instant>,
    store: &impl EventStore,
    work: impl Future<Output = T>,
) -> Option<T> {
    let Some(deadline) = deadline else {
        return Some(work.await);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let mut alarm = pin!(store.sleep(left));
    let mut work = pin!(work);
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending => alarm.as_mut().poll(cx).map(|()| None),
    })
    .await
}

/// How long it may take to keep a state.
const SAVE_WITHIN: Duration = Duration::from_secs(1);

/// One execution: what stays the same over its attempts, and what they have come to.
struct Run<'a, S, C> {
    store: &'a S,
    command: &'a C,
    options: &'a ExecuteOptions,
    companion: Option<&'a CompanionEvent>,
    observer: &'a Observer,
    correlation_id: CorrelationId,
    causation_id: CausationId,
    attempts: u32,
    /// Not any more after a snapshot turned out to be wrong.
    uses_snapshots: bool,
    /// What the state cache knows the command's state by.
    cached: Option<(SnapshotName, Vec<StreamId>)>,
    /// The state of the last attempt, if it is to be kept.
    pending_snapshot: Option<PendingSnapshot>,
    /// Whether an append is on its way, or was and its answer is not folded.
    in_doubt: bool,
    /// Why the last attempt failed.
    last: Option<StoreError>,
}

impl<S: EventStore, C: AsyncCommandLogic> Run<'_, S, C> {
    async fn attempts(&mut self) -> Result<Execution, Failure> {
        loop {
            self.require_time()?;
            match self.decide().await {
                Ok(decision) => {
                    if let Some(execution) = self.carry_out(decision).await? {
                        return Ok(execution);
                    }
                }
                Err(Failure::Store(error)) => self.back_off(error).await?,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Writes what was decided, or at least checks it where that is wanted. `None` when a stream has
    /// moved: the command has to decide anew.
    async fn carry_out(&mut self, decision: Decision) -> Result<Option<Execution>, Failure> {
        let mut appended = None;
        if decision.needs_append {
            appended = self.append(&decision.append).await?;
            if appended.is_none() {
                return Ok(None);
            }
        }
        decision.verdict?;
        let count = decision.versions.len();
        let versions = match &appended {
            Some(appended) => appended.versions.clone(),
            None => decision.versions,
        };
        let streams = decision.append.streams.iter().map(|(stream, _)| stream);
        let read = streams.cloned().zip(versions).take(count);
        Ok(Some(Execution {
            versions: read.collect(),
            recorded_at: appended
                .as_ref()
                .filter(|_| decision.events > 0)
                .map(|appended| appended.recorded_at),
            written: match &appended {
                Some(appended) => execution::written(decision.append, appended, decision.events),
                None => Vec::new(),
            },
            attempts: self.attempts,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
        }))
    }

    /// Sends the append; the very same again while its outcome is unknown, which its event ids make
    /// safe. `None` after a version conflict.
    async fn append(&mut self, append: &Append) -> Result<Option<Appended>, Failure> {
        loop {
            // By the clock, not by the alarm: a timer may be late, and an append is not taken back.
            self.require_time()?;
            let was_in_doubt = std::mem::replace(&mut self.in_doubt, true);
            let sent = self.store.append(append);
            match self.observer.phase(Phase::Append, sent).await {
                Ok(appended) => {
                    self.in_doubt = false;
                    return Ok(Some(appended));
                }
                Err(error) => {
                    let conflict = error.is_version_conflict();
                    // A conflict tells that it was not written before either: it would be recognised.
                    self.in_doubt = !conflict && (was_in_doubt || error.is_in_doubt());
                    if self.conflicts_with_companion(&error) {
                        return Err(Failure::Store(error));
                    }
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
        self.observer.failed(&error);
        if is_behind(&error) {
            self.uses_snapshots = false;
            if let (Some(cache), Some((name, streams))) = (&self.options.state_cache, &self.cached)
            {
                cache.forget(name, streams);
            }
        }
        if !error.is_retriable() {
            return Err(Failure::Store(error));
        }
        let Some(wait) = self.options.retry.wait_after(self.attempts) else {
            return Err(Failure::Store(error));
        };
        self.observer.retry(self.attempts, wait, &error);
        self.attempts += 1;
        self.last = Some(error);
        let sleep = self.store.sleep(wait);
        self.observer.phase(Phase::BackOff, sleep).await;
        Ok(())
    }

    /// Keeps the state if that is wanted. The command is over, so that it is not waited for beyond the deadline,
    /// nor for long.
    async fn save_pending_snapshot(&mut self) {
        let Some(snapshot) = self.pending_snapshot.take() else {
            return;
        };
        let left = self
            .options
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let limit = left.unwrap_or(SAVE_WITHIN).min(SAVE_WITHIN);
        let mut alarm = pin!(self.store.sleep(limit));
        let mut keeping = pin!(self.save(snapshot));
        poll_fn(|cx| match keeping.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => alarm.as_mut().poll(cx),
        })
        .await;
    }

    fn require_time(&mut self) -> Result<(), Failure> {
        match self.options.deadline {
            Some(deadline) if deadline <= Instant::now() => {
                Err(Failure::Deadline(self.last.take()))
            }
            _ => Ok(()),
        }
    }

    fn conflicts_with_companion(&self, error: &StoreError) -> bool {
        let conflicts = error.conflicts();
        self.companion.is_some_and(|companion| {
            conflicts
                .iter()
                .any(|conflict| conflict.stream == companion.stream)
        })
    }
}

/// Whether a stream has fewer events than were counted on, as after a snapshot that is ahead of its stream.
fn is_behind(error: &StoreError) -> bool {
    error
        .conflicts()
        .iter()
        .any(|conflict| match conflict.expected {
            ExpectedVersion::Exactly(expected) => conflict.actual < expected,
            _ => false,
        })
}
