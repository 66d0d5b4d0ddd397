//! Process managers: the store fails, or the runner dies, at each call in turn.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use eventcore::{
    EventStore, Position, ProcessManager, ProcessOptions, StoreError, SubscriptionName,
    SubscriptionStore, run_process_manager_until_idle, run_process_manager_with,
};

use super::add;
use super::notes::{Notes, noted};
use super::shop::{Fulfilment, types};
use crate::intercept::{Call, Intercept, Intercepted, ReadCall, SubscriptionCall};

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
pub(super) type Faulty<S> = Intercepted<S, Plan>;

#[derive(Debug, Clone)]
pub(super) struct Plan {
    fault: Fault,
    at: u32,
    calls: Arc<AtomicU32>,
    has_come: Arc<AtomicBool>,
}

impl<S> Faulty<S> {
    /// No fault, but other tasks run between its calls.
    pub(super) fn interrupted(store: S) -> Self {
        Self::with(store, Plan::new(Fault::FailsBefore, u32::MAX))
    }
}

impl Plan {
    fn new(fault: Fault, at: u32) -> Self {
        Self {
            fault,
            at,
            calls: Arc::default(),
            has_come: Arc::default(),
        }
    }

    fn dies(&self) -> bool {
        matches!(self.fault, Fault::DiesBefore | Fault::DiesAfter)
    }

    fn has_come(&self) -> bool {
        self.has_come.load(SeqCst)
    }

    /// Whether the call counts. Polls and extended leases matter only if the runner dies.
    fn counts(&self, call: Call<'_>) -> bool {
        match call {
            Call::Append(_) | Call::Read(ReadCall::Stream(_) | ReadCall::Streams(_)) => true,
            Call::Subscription(_, call) => match call {
                SubscriptionCall::Create | SubscriptionCall::Ack | SubscriptionCall::Nack => true,
                SubscriptionCall::Poll | SubscriptionCall::ExtendLease => self.dies(),
                _ => false,
            },
            _ => false,
        }
    }

    /// The fault. Nothing happens after a death.
    async fn strike<T>(&self) -> Result<T, StoreError> {
        self.has_come.store(true, SeqCst);
        if self.dies() {
            pending().await
        }
        Err(StoreError::transient("connection lost"))
    }
}

impl<S: EventStore> Intercept<S> for Plan {
    async fn call<T: Send>(
        &self,
        _store: &S,
        call: Call<'_>,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if !self.counts(call) {
            return work.await;
        }
        // Other tasks may run here.
        tokio::task::yield_now().await;
        if self.calls.fetch_add(1, SeqCst) + 1 != self.at {
            return work.await;
        }
        if matches!(self.fault, Fault::DiesAfter | Fault::FailsAfter) {
            work.await?;
        }
        self.strike().await
    }

    fn in_background(&self, store: &S, work: impl Future<Output = ()> + Send + 'static)
    where
        S: SubscriptionStore,
    {
        // A dead runner does not clean up either.
        if !self.has_come() {
            store.in_background(work);
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
        while !store.interceptor().has_come() {
            store.sleep(Duration::from_millis(1)).await;
        }
        if !store.interceptor().dies() {
            pending().await
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

    let faulty = Faulty::with(store.clone(), Plan::new(fault, at));
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
    faulty.interceptor().has_come()
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
        let faulty = Faulty::with(store.clone(), Plan::new(Fault::DiesBefore, at));
        run(&faulty, &notes).await;
        reset(store, &name).await;
        let again = run_process_manager_until_idle(store, &notes).await;
        again.unwrap();
        let wanted = [1, 4, 500, 11, 13, 10, 50, 52, 53, 54, 500, 500];
        assert_eq!(noted(store, &name).await, wanted, "{at}");
        if !faulty.interceptor().has_come() {
            break;
        }
        at += 1;
    }
    assert!(at > 30, "only {at} calls");
}
