//! The interceptor of a [`ChaosStore`](super::ChaosStore): each call meets its fate.

use eventcore::{
    Append, EventId, EventStore, ExpectedVersion, StoreError, StreamId, VersionConflict,
};

use super::plan::Fate;
use super::{Chaos, Fault, Injected, Operation};
use crate::intercept::{Call, Intercept};

impl<S: EventStore> Intercept<S> for Chaos {
    async fn call<T: Send>(
        &self,
        store: &S,
        call: Call<'_>,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let Some(operation) = operation(call) else {
            return work.await;
        };
        let number = self.next(operation);
        let Fate { latency, fault } = self.plan.fate(operation, number);
        if !latency.is_zero() {
            store.sleep(latency).await;
        }
        let effect = match operation {
            Operation::Append => "the append was written",
            Operation::Read | Operation::Subscription => "the call took effect",
        };
        match fault {
            Some(Fault::Conflict) => match self.conflict(call) {
                Some(conflict) => {
                    self.note(operation, number, Fault::Conflict);
                    Err(StoreError::version_conflict(vec![conflict]))
                }
                None => work.await,
            },
            Some(Fault::Before) => {
                self.note(operation, number, Fault::Before);
                Err(lost("before", effect))
            }
            Some(Fault::After) => {
                work.await?;
                self.note(operation, number, Fault::After);
                self.shared().written.extend(first_event(call));
                Err(lost("after", effect))
            }
            None => work.await,
        }
    }
}

impl Chaos {
    fn next(&self, operation: Operation) -> u64 {
        let mut shared = self.shared();
        let calls = match operation {
            Operation::Append => &mut shared.appends,
            Operation::Read => &mut shared.reads,
            Operation::Subscription => &mut shared.subscriptions,
        };
        *calls += 1;
        *calls
    }

    fn note(&self, operation: Operation, call: u64, fault: Fault) {
        self.shared().log.push(Injected {
            operation,
            call,
            fault,
        });
    }

    /// A conflict on the first declared stream that can have one; `None` if the append was already
    /// written, because a store recognises its repeat.
    fn conflict(&self, call: Call<'_>) -> Option<VersionConflict<StreamId>> {
        let Call::Append(append) = call else {
            return None;
        };
        let is_repeat = first_event(call).is_some_and(|id| self.shared().written.contains(&id));
        if is_repeat { None } else { conflict(append) }
    }
}

/// How the call is numbered. Nothing happens to the checkpoints of projections.
fn operation(call: Call<'_>) -> Option<Operation> {
    match call {
        Call::Append(_) => Some(Operation::Append),
        Call::Read(_) | Call::SaveSnapshot(_) => Some(Operation::Read),
        Call::Subscription(..) => Some(Operation::Subscription),
        Call::Projection(_) => None,
    }
}

/// The id of the first event of an append.
fn first_event(call: Call<'_>) -> Option<EventId> {
    match call {
        Call::Append(append) => append.events.first().map(|event| event.event_id),
        _ => None,
    }
}

/// A conflict on the first declared stream that can have one.
fn conflict(append: &Append) -> Option<VersionConflict<StreamId>> {
    append.streams.iter().find_map(|(stream, expected)| {
        let actual = match expected {
            ExpectedVersion::Unchecked => return None,
            ExpectedVersion::Exists => 0,
            ExpectedVersion::Exactly(version) => version.saturating_add(1),
        };
        Some(VersionConflict {
            stream: stream.clone(),
            expected: *expected,
            actual,
        })
    })
}

fn lost(when: &str, effect: &str) -> StoreError {
    StoreError::transient(format!("injected: the connection was lost {when} {effect}"))
}
