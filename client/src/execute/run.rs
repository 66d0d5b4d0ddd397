//! One execution: its attempts, and what follows the last of them.

use std::pin::pin;
use std::time::{Duration, Instant};

use eventcore_rules::ExpectedVersion;

use super::CompanionEvent;
use super::attempt::Decision;
use super::cached_read::PendingStream;
use super::deadline::until;
use super::error::{ExecuteError, Failure};
use super::execution::{self, Execution, places};
use super::keep::PendingState;
use super::observe::{Observer, Outcome, Phase};
use super::options::ExecuteOptions;
use crate::command::AsyncCommandLogic;
use crate::store::{Appended, EventStore, StoreError};
use crate::values::{CausationId, CorrelationId, SnapshotName, StreamId};

pub(super) async fn run<S, C>(
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
        skips_read: options.skip_read,
        cached: None,
        pending_state: None,
        pending_streams: Vec::new(),
        in_doubt: false,
        last: None,
    };
    let outcome = {
        let attempts = pin!(observer.whole(run.attempts()));
        until(options.deadline, store, attempts).await
    };
    let outcome = outcome.unwrap_or_else(|| Err(Failure::Deadline(run.last.take())));
    if matches!(outcome, Ok(_) | Err(Failure::Command(_))) {
        run.keep_in_time().await;
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

/// How long saving a state may take.
const SAVE_WITHIN: Duration = Duration::from_secs(1);

/// One execution: its input, and the results of its attempts so far.
pub(super) struct Run<'a, S, C: AsyncCommandLogic> {
    pub(super) store: &'a S,
    pub(super) command: &'a C,
    pub(super) options: &'a ExecuteOptions,
    pub(super) companion: Option<&'a CompanionEvent>,
    pub(super) observer: &'a Observer,
    pub(super) correlation_id: CorrelationId,
    pub(super) causation_id: CausationId,
    pub(super) attempts: u32,
    /// Whether snapshots and caches are used. False after one turned out to be wrong.
    pub(super) uses_snapshots: bool,
    /// Whether a cached state is taken without reading new events. False after it was outdated.
    pub(super) skips_read: bool,
    /// The key of the command's state in the state cache.
    pub(super) cached: Option<(SnapshotName, Vec<StreamId>)>,
    /// The state of the last attempt, if it will be cached or saved.
    pub(super) pending_state: Option<PendingState>,
    /// The streams of the last attempt, if their events are to be cached.
    pub(super) pending_streams: Vec<PendingStream<C::Event>>,
    /// Whether an append is under way, or its outcome is unknown.
    pub(super) in_doubt: bool,
    /// Why the last attempt failed.
    pub(super) last: Option<StoreError>,
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

    /// Writes the decision, or only checks its streams if that was requested. `None` if a stream
    /// has changed: the command must decide again.
    async fn carry_out(&mut self, decision: Decision) -> Result<Option<Execution>, Failure> {
        let mut appended = None;
        if decision.needs_append {
            let Some(done) = self.append(&decision).await? else {
                return Ok(None);
            };
            let places = places(&decision.append, &done, decision.events);
            self.advance(&decision.append, &done, &places);
            appended = Some((done, places));
        }
        decision.verdict?;
        let count = decision.versions.len();
        let versions = match &appended {
            Some((appended, _)) => &appended.versions,
            None => &decision.versions,
        };
        let streams = decision.append.streams.iter().map(|(stream, _)| stream);
        let read = streams.cloned().zip(versions.iter().copied()).take(count);
        Ok(Some(Execution {
            versions: read.collect(),
            recorded_at: appended
                .as_ref()
                .filter(|_| decision.events > 0)
                .map(|(appended, _)| appended.recorded_at),
            written: match appended {
                Some((_, places)) => execution::written(decision.append, places),
                None => Vec::new(),
            },
            attempts: self.attempts,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
        }))
    }

    /// Sends the append, and the same append again while its outcome is unknown. Its event ids make
    /// that safe. `None` if the command must decide again: after a version conflict, or because it
    /// decided on a state of another history.
    async fn append(&mut self, decision: &Decision) -> Result<Option<Appended>, Failure> {
        loop {
            // Check the clock, not the alarm: a timer may be late, and an append cannot be undone.
            self.require_time()?;
            let was_in_doubt = std::mem::replace(&mut self.in_doubt, true);
            let sent = self.store.append(&decision.append);
            match self.observer.phase(Phase::Append, sent).await {
                Ok(appended) => {
                    self.in_doubt = false;
                    return Ok(Some(appended));
                }
                Err(error) => {
                    let conflict = error.is_version_conflict();
                    // Either also means that the append was not written earlier: the store would
                    // recognise it.
                    self.in_doubt =
                        !conflict && !error.is_diverged() && (was_in_doubt || error.is_in_doubt());
                    if self.conflicts_with_companion(&error) {
                        return Err(Failure::Store(error));
                    }
                    if self.was_outdated(decision, &error) {
                        return Ok(None);
                    }
                    self.back_off(error).await?;
                    if conflict {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Whether the append was refused because a cached state was taken for the present one. Reading
    /// puts that right, and takes the place of the read that was skipped, so no attempt is counted.
    fn was_outdated(&mut self, decision: &Decision, error: &StoreError) -> bool {
        let rests_on_append = decision.append.known_position.is_some();
        let is_diverged = rests_on_append && error.is_diverged();
        let is_stale = decision.is_unread && error.is_version_conflict();
        if !(is_diverged || is_stale) {
            return false;
        }
        self.observer.failed(error);
        self.skips_read = false;
        if is_diverged || is_behind(error) {
            self.forget_kept();
        }
        true
    }

    /// What was kept is not of these streams.
    fn forget_kept(&mut self) {
        if let Some(cache) = self.event_cache() {
            for pending in self.pending_streams.drain(..) {
                cache.forget::<C::Event>(&pending.stream);
            }
        }
        self.uses_snapshots = false;
        if let (Some(cache), Some((name, streams))) = (&self.options.state_cache, &self.cached) {
            cache.forget(name, streams);
        }
    }

    /// Waits before the next attempt; returns the error if there is none.
    async fn back_off(&mut self, error: StoreError) -> Result<(), Failure> {
        self.observer.failed(&error);
        if is_behind(&error) {
            self.forget_kept();
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

    /// Keeps what is pending. The command has finished, so saving a state in the store takes no longer
    /// than the deadline and `SAVE_WITHIN` allow.
    async fn keep_in_time(&mut self) {
        let Some(snapshot) = self.keep_in_caches() else {
            return;
        };
        let within = Instant::now().checked_add(SAVE_WITHIN);
        let deadline = self.options.deadline.into_iter().chain(within).min();
        let saving = pin!(self.save(&snapshot));
        until(deadline, self.store, saving).await;
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

/// Whether a stream has fewer events than expected, for example because a snapshot is ahead of its
/// stream.
fn is_behind(error: &StoreError) -> bool {
    error
        .conflicts()
        .iter()
        .any(|conflict| match conflict.expected {
            ExpectedVersion::Exactly(expected) => conflict.actual < expected,
            _ => false,
        })
}
