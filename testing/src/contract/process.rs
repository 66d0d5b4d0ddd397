//! Process managers: reactions to events, rejections and timeouts.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use eventcore::{
    Position, ProcessError, ProcessId, ProcessManager, ProcessOptions, Reaction, RetryPolicy,
    StoredEvent, SubscriptionName, SubscriptionStore, Trigger, execute, run_process_manager,
    run_process_manager_until_idle, run_process_manager_with,
};
use serde_json::json;

use super::notes::{Notes, noted};
use super::shop::{Charge, Fulfilment, events, types};
use super::{Counted, add, add_as, stream};

/// Short enough to wait for, long enough not to be over before the test looks.
const SOON: Duration = Duration::from_millis(400);

pub async fn an_order_is_fulfilled_step_by_step<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let shop = Fulfilment::of("shop");
    shop.stock(store, "lamp", 2).await;
    shop.deposit(store, "ada", 100).await;
    shop.place(store, "1", "ada", None).await;
    run_process_manager_until_idle(store, &shop).await.unwrap();

    let order = events(store, shop.order("1")).await;
    let account = events(store, shop.account("ada")).await;
    assert_eq!(
        types(store, shop.order("1")).await,
        ["Placed", "Reserved", "Shipped"]
    );
    assert_eq!(
        types(store, shop.account("ada")).await,
        ["Deposited", "Charged"]
    );
    // Each is caused by the one before, and all belong to one operation.
    let [placed, reserved, shipped] = &order[..] else {
        panic!("{order:?}")
    };
    for (cause, effect) in [
        (placed, reserved),
        (reserved, &account[1]),
        (&account[1], shipped),
    ] {
        assert_eq!(
            effect.causation_id.unwrap().as_uuid(),
            cause.event_id.as_uuid()
        );
        assert_eq!(effect.correlation_id, placed.correlation_id);
    }
}

pub async fn a_rejected_command_is_reported_and_earlier_steps_can_be_undone<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let shop = Fulfilment::of("shop");
    shop.stock(store, "lamp", 1).await;
    shop.deposit(store, "bob", 20).await;
    shop.place(store, "1", "bob", None).await;
    run_process_manager_until_idle(store, &shop).await.unwrap();
    assert_eq!(
        types(store, shop.order("1")).await,
        ["Placed", "Reserved", "Cancelled"]
    );
    assert_eq!(
        types(store, shop.item("lamp")).await,
        ["Stocked", "Taken", "PutBack"]
    );
    let cancelled = &events(store, shop.order("1")).await[2];
    assert_eq!(
        cancelled.payload.decode::<serde_json::Value>().unwrap()["why"],
        "20 cents are too few"
    );
    // Its cause is the event that records the rejection.
    let process = events(store, stream("process:shop:1")).await;
    let rejected = process
        .iter()
        .find(|event| event.event_type == "eventcore.process.command-rejected");
    assert_eq!(
        cancelled.causation_id.unwrap().as_uuid(),
        rejected.unwrap().event_id.as_uuid()
    );
}

pub async fn a_timeout_arrives_after_its_time_even_if_no_runner_ran_in_between<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let shop = Fulfilment::of("shop");
    shop.stock(store, "lamp", 2).await;
    shop.deposit(store, "ada", 100).await;
    for order in ["1", "2"] {
        shop.place(store, order, "ada", Some(SOON)).await;
    }
    run_process_manager_until_idle(store, &shop).await.unwrap();
    // The customer pays one of them.
    let (account, name) = (shop.account("ada"), "1".to_owned());
    let cents = 30;
    let charge = Charge {
        account,
        name,
        cents,
    };
    execute(store, &charge).await.unwrap();
    run_process_manager_until_idle(store, &shop).await.unwrap();
    assert_eq!(
        types(store, shop.order("1")).await,
        ["Placed", "Reserved", "Shipped"]
    );
    let waiting = types(store, shop.order("2")).await;

    let reserved = events(store, shop.order("2")).await[1].recorded_at;
    let due = reserved + SOON;
    if SystemTime::now() < due {
        assert_eq!(waiting, ["Placed", "Reserved"]);
    }
    while types(store, shop.order("2")).await.len() < 3 {
        store.sleep(Duration::from_millis(20)).await;
        run_process_manager_until_idle(store, &shop).await.unwrap();
    }
    let order = events(store, shop.order("2")).await;
    assert_eq!(
        order[2].payload.decode::<serde_json::Value>().unwrap()["why"],
        "no payment"
    );
    assert!(order[2].recorded_at >= due);
    assert_eq!(
        types(store, shop.item("lamp")).await,
        ["Stocked", "Taken", "Taken", "PutBack"]
    );
    assert_eq!(types(store, shop.order("1")).await.len(), 3);
}

pub async fn a_runner_wakes_up_for_an_event_and_for_a_timeout<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let shop = Fulfilment::of("shop");
    shop.stock(store, "lamp", 1).await;
    let ordering = async {
        store.sleep(Duration::from_millis(50)).await;
        shop.place(store, "1", "ada", Some(SOON)).await;
        let start = Instant::now();
        while types(store, shop.order("1")).await.len() < 3 {
            store.sleep(Duration::from_millis(10)).await;
        }
        start.elapsed()
    };
    let took = tokio::select! {
        stopped = run_process_manager(store, &shop) => panic!("{stopped:?}"),
        took = ordering => took,
    };
    assert!(took >= SOON, "{took:?}");
}

pub async fn what_is_delivered_again_leads_to_nothing_new<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let shop = Fulfilment::of("shop");
    // Some are paid, some are not, some not in time; one comes when everything is sold.
    shop.stock(store, "lamp", 9).await;
    shop.deposit(store, "ada", 100).await;
    for order in 1..=10 {
        let pays_within = (order % 3 == 0).then_some(Duration::from_millis(1));
        shop.place(store, &order.to_string(), "ada", pays_within)
            .await;
    }
    run_process_manager_until_idle(store, &shop).await.unwrap();
    while types(store, shop.order("9")).await.len() < 3 {
        store.sleep(Duration::from_millis(2)).await;
        run_process_manager_until_idle(store, &shop).await.unwrap();
    }
    let before = store.safe_position().await.unwrap();
    for name in ["shop", "shop:timeouts"] {
        let name = SubscriptionName::new(name).unwrap();
        let reset = store.reset_subscription(&name, Position::START);
        reset.await.unwrap();
    }
    run_process_manager_until_idle(store, &shop).await.unwrap();
    let after = store.safe_position().await.unwrap();
    assert_eq!(after, before);
}

pub async fn all_commands_of_a_reaction_are_executed_then_rejections_arrive_in_order<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let notes = Notes::new("notes")
        .commands(|n| vec![n, n + 2, n + 3, n + 4])
        .refuses(&[3, 5, 99])
        .after_rejection(|index| match index {
            1 => vec![99, 11],
            index => vec![10 + index],
        });
    add(store, "counted-a", 1).await;
    add(store, "counted-a", 50).await;
    run_process_manager_until_idle(store, &notes).await.unwrap();
    // 3 was rejected, so 99 was tried and 11 done; then 5, so 13; then 99, so 10; then only the
    // next event.
    let noted = noted(store, "notes").await;
    assert_eq!(noted, [1, 4, 11, 13, 10, 50, 52, 53, 54]);
}

pub async fn a_process_that_has_ended_takes_nothing_any_more<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let notes = Notes::new("notes")
        .ends_at(2)
        .timeout(Duration::from_millis(1));
    for n in [1, 2, 3] {
        add(store, "counted-a", n).await;
    }
    run_process_manager_until_idle(store, &notes).await.unwrap();
    store.sleep(Duration::from_millis(20)).await;
    add(store, "counted-a", 4).await;
    run_process_manager_until_idle(store, &notes).await.unwrap();
    assert_eq!(noted(store, "notes").await, [1, 2]);
    let process = types(store, stream("process:notes:all")).await;
    assert_eq!(process.len(), 4, "{process:?}");
}

pub async fn a_command_that_fails_stops_its_process_alone_until_it_works_again<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let notes = Notes::new("notes").fails_at(2).process_of_each_stream();
    for (name, n) in [("counted-a", 1), ("counted-a", 2), ("counted-b", 3)] {
        add(store, name, n).await;
    }
    // It fails twice at once, then it is parked. Later events find their process stopped.
    let at_once = RetryPolicy::default().base(Duration::ZERO);
    let options = ProcessOptions::new()
        .until_idle()
        .retry_limit(1)
        .retry_delay(at_once);
    for _ in 0..2 {
        let stopped = run_process_manager_with(store, &notes, &options).await;
        let error = stopped.unwrap_err();
        assert_eq!(error.manager(), "notes");
        assert_eq!(error.process().unwrap(), "counted-a");
        assert_eq!(error.command(), Some("Note"));
        assert!(error.execute().unwrap().command().unwrap().is_failure());
        assert!(!error.is_not_deterministic() && !error.is_retriable());
    }
    add(store, "counted-a", 4).await;
    add(store, "counted-b", 5).await;
    for _ in 0..2 {
        let stopped = run_process_manager_with(store, &notes, &options).await;
        assert_eq!(stopped.unwrap_err().process().unwrap(), "counted-a");
    }
    run_process_manager_with(store, &notes, &options)
        .await
        .unwrap();
    assert_eq!(noted(store, "notes").await, [1, 3, 5]);
    let told: Vec<_> = notes.told.lock().unwrap().clone();
    assert_eq!(told.len(), 4, "{told:?}");

    let name = SubscriptionName::new("notes").unwrap();
    let parked = store.parked(&name, Position::START, 10).await.unwrap();
    let reason = parked[0].reason.clone().unwrap();
    assert!(reason.contains("the service is away"), "{reason}");
    assert_eq!(parked.len(), 2);
    store.replay_parked(&name, None).await.unwrap();
    let repaired = Notes::new("notes").process_of_each_stream();
    run_process_manager_with(store, &repaired, &options)
        .await
        .unwrap();
    assert_eq!(noted(store, "notes").await, [1, 3, 5, 2, 4]);
}

pub async fn a_manager_that_reacts_in_another_way_when_asked_again_is_found_out<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let at_once = RetryPolicy::default().base(Duration::ZERO);
    let options = ProcessOptions::new().until_idle().retry_delay(at_once);
    add(store, "counted-a", 1).await;
    let failing = Notes::new("notes").fails_at(1);
    let stopped = run_process_manager_with(store, &failing, &options).await;
    assert!(!stopped.unwrap_err().is_not_deterministic());
    let others = [
        Notes::new("notes").commands(|n| vec![n, n + 1]),
        Notes::new("notes").writes_to("elsewhere"),
        Notes::new("notes").timeout(Duration::from_secs(9)),
        Notes::new("notes").ends_at(1),
    ];
    for other in others {
        let stopped = run_process_manager_with(store, &other, &options).await;
        let error = stopped.unwrap_err();
        assert!(error.is_not_deterministic(), "{error}");
        assert!(error.trigger().is_some() && error.process().unwrap() == "all");
    }
    assert_eq!(noted(store, "notes").await, [0; 0]);
    let same = Notes::new("notes");
    run_process_manager_with(store, &same, &options)
        .await
        .unwrap();
    assert_eq!(noted(store, "notes").await, [1]);
}

pub async fn a_process_that_answers_each_rejection_with_another_is_stopped<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let notes = Notes::new("notes")
        .refuses(&[1])
        .after_rejection(|_| vec![1]);
    add(store, "counted-a", 1).await;
    let stopped = run_process_manager_until_idle(store, &notes).await;
    assert!(stopped.unwrap_err().is_runaway());
}

pub async fn an_event_of_another_type_is_reported_and_given_back<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let notes = Notes::new("notes");
    let position = add_as(store, "counted-a", "Unheard", json!(1)).await;
    let stopped = run_process_manager_until_idle(store, &notes).await;
    let error = stopped.unwrap_err();
    assert!(
        error.is_undecodable() && error.position() == Some(position),
        "{error}"
    );
    add(store, "counted-b", 2).await;
    run_process_manager_until_idle(store, &notes).await.unwrap();
    assert_eq!(noted(store, "notes").await, [2]);
}

/// Receives all events.
struct All(Mutex<Vec<u64>>);

impl<S: SubscriptionStore> ProcessManager<S> for All {
    type Event = Counted;
    type State = ();

    fn name(&self) -> &str {
        "all"
    }

    fn process_of(&self, event: &StoredEvent<Counted>) -> Option<ProcessId> {
        (event.event.0 < 10).then(|| "one".parse().unwrap())
    }

    fn react(&self, _: (), trigger: Trigger<'_, Counted>, reaction: &mut Reaction<S>) {
        if let Trigger::Event(stored) = trigger {
            self.0.lock().unwrap().push(stored.event.0);
            reaction.timeout("later", Duration::from_secs(3600));
        }
    }
}

pub async fn a_manager_without_a_filter_passes_over_what_managers_write<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    let all = All(Mutex::default());
    for n in [1, 10, 2] {
        add(store, "a", n).await;
        run_process_manager_until_idle(store, &all).await.unwrap();
    }
    assert_eq!(*all.0.lock().unwrap(), [1, 2]);
}

pub async fn names_that_do_not_fit_are_refused<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    for name in ["", "a:b", &"x".repeat(101)] {
        let stopped = run_process_manager(store, &Fulfilment::of(name)).await;
        let error: ProcessError = stopped.unwrap_err();
        assert!(error.is_malformed() && error.process().is_none(), "{error}");
    }
    let shop = Fulfilment::of("shop");
    shop.place(store, &"1".repeat(243), "ada", None).await;
    let stopped = run_process_manager_until_idle(store, &shop).await;
    let error = stopped.unwrap_err();
    assert!(error.is_malformed() && error.process().is_some(), "{error}");
    // And a manager keeps its filter.
    let notes = Notes::new("shop");
    let stopped = run_process_manager_until_idle(store, &notes).await;
    assert!(stopped.unwrap_err().store().unwrap().is_malformed());
}
