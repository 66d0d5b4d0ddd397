//! Process managers: the store fails, or the runner dies, at each call in turn.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use eventcore::{
    Append, Appended, ConsumerName, EventStore, LeaseId, LeasedBatch, Nack, NackOutcome,
    ParkedEvent, Position, ProcessManager, ProcessOptions, ReadAll, ReadStream, ReadStreams,
    RecordedEvent, StoreError, StreamId, StreamVersion, StreamsRead, SubscriptionDefinition,
    SubscriptionName, SubscriptionStore, run_process_manager_until_idle, run_process_manager_with,
};

use super::add;
use super::notes::{Notes, noted};
use super::shop::{Fulfilment, types};

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// The runner dies before or after the call.
    DiesBefore,
    DiesAfter,
    /// The call has no effect, or its answer is lost.
    FailsBefore,
    FailsAfter,
}

/// A store with a fault at one of the calls that read events, write events or answer deliveries.
#[derive(Clone)]
pub(super) struct Faulty<S> {
    store: S,
    plan: Arc<Plan>,
}

struct Plan {
    fault: Fault,
    at: u32,
    calls: AtomicU32,
    has_come: AtomicBool,
}

impl<S> Faulty<S> {
    /// No fault, but other tasks run between its calls.
    pub(super) fn interrupted(store: S) -> Self {
        Self::new(store, Fault::FailsBefore, u32::MAX)
    }

    fn new(store: S, fault: Fault, at: u32) -> Self {
        let plan = Plan {
            fault,
            at,
            calls: AtomicU32::new(0),
            has_come: AtomicBool::new(false),
        };
        let plan = Arc::new(plan);
        Self { store, plan }
    }

    async fn call<T>(
        &self,
        doing: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        // Other tasks may run here.
        tokio::task::yield_now().await;
        if self.plan.calls.fetch_add(1, SeqCst) + 1 != self.plan.at {
            return doing.await;
        }
        let lost = || Err(StoreError::transient("connection lost"));
        match self.plan.fault {
            Fault::DiesBefore => self.die().await,
            Fault::FailsBefore => {
                self.plan.has_come.store(true, SeqCst);
                lost()
            }
            Fault::DiesAfter => {
                let _lost = doing.await?;
                self.die().await
            }
            Fault::FailsAfter => {
                let _lost = doing.await?;
                self.plan.has_come.store(true, SeqCst);
                lost()
            }
        }
    }

    // Nothing happens after this.
    async fn die<T>(&self) -> T {
        self.plan.has_come.store(true, SeqCst);
        pending().await
    }

    /// The same for calls that matter only if the runner dies.
    async fn call_if_it_dies<T>(
        &self,
        doing: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match self.plan.fault {
            Fault::DiesBefore | Fault::DiesAfter => self.call(doing).await,
            _ => doing.await,
        }
    }
}

impl<S: EventStore> EventStore for Faulty<S> {
    async fn append(&self, append: &Append) -> Result<Appended, StoreError> {
        self.call(self.store.append(append)).await
    }

    async fn read_stream(&self, read: &ReadStream) -> Result<Vec<RecordedEvent>, StoreError> {
        self.call(self.store.read_stream(read)).await
    }

    async fn read_streams(&self, read: &ReadStreams) -> Result<StreamsRead, StoreError> {
        self.call(self.store.read_streams(read)).await
    }

    async fn read_all(&self, read: &ReadAll) -> Result<Vec<RecordedEvent>, StoreError> {
        self.store.read_all(read).await
    }

    async fn stream_versions(
        &self,
        streams: &[StreamId],
    ) -> Result<Vec<StreamVersion>, StoreError> {
        self.store.stream_versions(streams).await
    }

    async fn safe_position(&self) -> Result<Position, StoreError> {
        self.store.safe_position().await
    }

    async fn sleep(&self, duration: Duration) {
        self.store.sleep(duration).await;
    }
}

impl<S: SubscriptionStore> SubscriptionStore for Faulty<S> {
    async fn create_subscription(
        &self,
        subscription: &SubscriptionName,
        definition: &SubscriptionDefinition,
    ) -> Result<bool, StoreError> {
        let created = self.store.create_subscription(subscription, definition);
        self.call(created).await
    }

    async fn drop_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.store.drop_subscription(subscription).await
    }

    async fn pause_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.store.pause_subscription(subscription).await
    }

    async fn resume_subscription(&self, subscription: &SubscriptionName) -> Result<(), StoreError> {
        self.store.resume_subscription(subscription).await
    }

    async fn reset_subscription(
        &self,
        subscription: &SubscriptionName,
        after: Position,
    ) -> Result<(), StoreError> {
        self.store.reset_subscription(subscription, after).await
    }

    async fn poll_subscription(
        &self,
        subscription: &SubscriptionName,
        consumer: &ConsumerName,
        max_events: u32,
        wait: Duration,
    ) -> Result<Option<LeasedBatch>, StoreError> {
        let polled = self
            .store
            .poll_subscription(subscription, consumer, max_events, wait);
        self.call_if_it_dies(polled).await
    }

    async fn ack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
    ) -> Result<(), StoreError> {
        self.call(self.store.ack(subscription, lease_id, positions))
            .await
    }

    async fn nack(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
        positions: Option<&[Position]>,
        nack: &Nack,
    ) -> Result<Vec<(Position, NackOutcome)>, StoreError> {
        let nacked = self.store.nack(subscription, lease_id, positions, nack);
        self.call(nacked).await
    }

    async fn extend_lease(
        &self,
        subscription: &SubscriptionName,
        lease_id: LeaseId,
    ) -> Result<Duration, StoreError> {
        let extended = self.store.extend_lease(subscription, lease_id);
        self.call_if_it_dies(extended).await
    }

    async fn parked(
        &self,
        subscription: &SubscriptionName,
        after: Position,
        max_events: u32,
    ) -> Result<Vec<ParkedEvent>, StoreError> {
        self.store.parked(subscription, after, max_events).await
    }

    async fn replay_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        self.store.replay_parked(subscription, positions).await
    }

    async fn discard_parked(
        &self,
        subscription: &SubscriptionName,
        positions: Option<&[Position]>,
    ) -> Result<u64, StoreError> {
        self.store.discard_parked(subscription, positions).await
    }

    fn in_background(&self, work: impl Future<Output = ()> + Send + 'static) {
        // A dead runner does not clean up either.
        if !self.plan.has_come.load(SeqCst) {
            self.store.in_background(work);
        }
    }
}

/// Runs until there is nothing to do, or the runner is dead.
async fn run<S, P>(store: &Faulty<S>, manager: &P)
where
    S: SubscriptionStore + Clone + 'static,
    P: ProcessManager<Faulty<S>>,
{
    let options = ProcessOptions::new().until_idle();
    let dies = async {
        while !store.plan.has_come.load(SeqCst) {
            store.sleep(Duration::from_millis(1)).await;
        }
        match store.plan.fault {
            Fault::DiesBefore | Fault::DiesAfter => {}
            Fault::FailsBefore | Fault::FailsAfter => pending().await,
        }
    };
    tokio::select! {
        done = run_process_manager_with(store, manager, &options) => done.unwrap(),
        () = dies => {}
    }
}

/// Handles everything from the start, until the order is closed.
async fn run_again<S>(store: &S, shop: &Fulfilment)
where
    S: SubscriptionStore + Clone + 'static,
{
    reset(store, &shop.shop).await;
    loop {
        run_process_manager_until_idle(store, shop).await.unwrap();
        if types(store, shop.order("1")).await.len() >= 3 {
            return;
        }
        store.sleep(Duration::from_millis(2)).await;
    }
}

/// Delivers everything again.
async fn reset<S: SubscriptionStore>(store: &S, manager: &str) {
    for name in [manager, &format!("{manager}:timeouts")] {
        let name = SubscriptionName::new(name).unwrap();
        // The runner may have died before the subscription existed.
        let reset = store.reset_subscription(&name, Position::START).await;
        assert!(reset.is_ok() || reset.unwrap_err().is_unknown_name());
    }
}

/// One order in a shop of its own, with a fault at this call. Returns whether there was such a
/// call.
async fn trial<S>(store: &S, fault: Fault, at: u32, pays_within: Option<Duration>) -> bool
where
    S: SubscriptionStore + Clone + 'static,
{
    let kind = if pays_within.is_some() {
        "late"
    } else {
        "poor"
    };
    let shop = Fulfilment::of(&format!("{kind}-{fault:?}-{at}"));
    shop.stock(store, "lamp", 1).await;
    shop.deposit(store, "bob", 20).await;
    shop.place(store, "1", "bob", pays_within).await;

    let faulty = Faulty::new(store.clone(), fault, at);
    run(&faulty, &shop).await;
    let lives = matches!(fault, Fault::FailsBefore | Fault::FailsAfter);
    if lives && pays_within.is_none() {
        assert_eq!(types(store, shop.order("1")).await.len(), 3, "{at}");
    }
    run_again(store, &shop).await;
    run_again(store, &shop).await;
    let (order, item) = (shop.order("1"), shop.item("lamp"));
    let order = types(store, order).await;
    assert_eq!(order, ["Placed", "Reserved", "Cancelled"], "{fault:?} {at}");
    let item = types(store, item).await;
    assert_eq!(item, ["Stocked", "Taken", "PutBack"], "{fault:?} {at}");
    faulty.plan.has_come.load(SeqCst)
}

/// A fault at each call in turn.
async fn at_each_call<S>(store: &S, faults: [Fault; 2])
where
    S: SubscriptionStore + Clone + 'static,
{
    for fault in faults {
        let mut at = 1;
        while trial(store, fault, at, None).await {
            at += 1;
        }
        assert!(at > 20, "only {at} calls");
    }
    // With a timeout, at fewer calls: the earlier ones are the same.
    for at in (3..23).step_by(2) {
        let late = Some(Duration::from_millis(1));
        trial(store, faults[at as usize / 2 % 2], at, late).await;
    }
}

pub async fn a_runner_that_dies_before_or_after_any_call_loses_and_repeats_nothing<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    at_each_call(store, [Fault::DiesBefore, Fault::DiesAfter]).await;
}

pub async fn a_call_that_fails_or_whose_answer_is_lost_is_made_good_by_the_same_runner<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    at_each_call(store, [Fault::FailsBefore, Fault::FailsAfter]).await;
}

/// Some commands are rejected, and so is a command that answers a rejection. The requested commands
/// depend on the state.
pub async fn a_runner_that_dies_between_rejections_goes_on_with_the_next<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    for n in [1, 50] {
        add(store, "counted-a", n).await;
    }
    let mut at = 3;
    loop {
        let name = format!("notes-{at}");
        let notes = Notes::new(&name)
            .commands(|n| vec![n, n + 2, n + 3, n + 4])
            .refuses(&[3, 5, 99])
            .after_rejection(|index| match index {
                1 => vec![99, 11],
                index => vec![10 + index],
            })
            .by_state();
        let faulty = Faulty::new(store.clone(), Fault::DiesBefore, at);
        run(&faulty, &notes).await;
        reset(store, &name).await;
        let again = run_process_manager_until_idle(store, &notes).await;
        again.unwrap();
        let wanted = [1, 4, 500, 11, 13, 10, 50, 52, 53, 54, 500, 500];
        assert_eq!(noted(store, &name).await, wanted, "{at}");
        if !faulty.plan.has_come.load(SeqCst) {
            break;
        }
        at += 1;
    }
    assert!(at > 30, "only {at} calls");
}
