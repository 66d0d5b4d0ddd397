//! Process managers: several runners at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use eventcore::{
    EventStore, ProcessManager, ProcessOptions, SubscriptionStore, run_process_manager_until_idle,
    run_process_manager_with,
};

use super::add;
use super::notes::{Notes, noted};
use super::process_faults::Faulty;
use super::shop::{Fulfilment, types};

/// Runs a manager several times at once, until this much is done.
async fn run_many<S, P>(
    store: &S,
    manager: &Arc<P>,
    options: &ProcessOptions,
    runners: usize,
    done: impl Future<Output = ()>,
) where
    S: SubscriptionStore + Clone + 'static,
    P: ProcessManager<S> + 'static,
{
    let running: Vec<_> = (0..runners)
        .map(|_| {
            let (store, manager) = (store.clone(), Arc::clone(manager));
            let options = options.clone();
            tokio::spawn(async move { run_process_manager_with(&store, &*manager, &options).await })
        })
        .collect();
    done.await;
    for runner in running {
        assert!(!runner.is_finished(), "a runner has stopped");
        runner.abort();
    }
}

pub async fn many_runners_of_a_manager_do_each_thing_once<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    const ORDERS: usize = 12;
    let shop = Arc::new(Fulfilment::of("shop"));
    shop.stock(store, "lamp", 9).await;
    shop.deposit(store, "ada", 6 * 30).await;
    for order in 0..ORDERS {
        shop.place(store, &order.to_string(), "ada", None).await;
    }
    let all_closed = async {
        for order in 0..ORDERS {
            while types(store, shop.order(&order.to_string())).await.len() < 2
                || !is_closed(store, &shop, order).await
            {
                store.sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let options = ProcessOptions::new().batch(2);
    run_many(store, &shop, &options, 3, all_closed).await;
    run_process_manager_with(store, &*shop, &options.until_idle())
        .await
        .unwrap();

    let mut closed = HashMap::<String, usize>::new();
    for order in 0..ORDERS {
        let last = types(store, shop.order(&order.to_string())).await.pop();
        *closed.entry(last.unwrap()).or_default() += 1;
    }
    // Six can be paid, whichever come first. The balances of all orders together must match.
    assert_eq!(closed["Shipped"], 6);
    let count = |types: &[String], name: &str| types.iter().filter(|t| *t == name).count();
    let item = types(store, shop.item("lamp")).await;
    assert_eq!(count(&item, "Taken") - count(&item, "PutBack"), 6);
    let account = types(store, shop.account("ada")).await;
    assert_eq!(count(&account, "Charged"), 6);
}

async fn is_closed<S: EventStore>(store: &S, shop: &Fulfilment, order: usize) -> bool {
    let last = types(store, shop.order(&order.to_string())).await.pop();
    matches!(last.as_deref(), Some("Shipped" | "Cancelled"))
}

pub async fn triggers_of_one_process_from_many_streams_are_taken_one_after_the_other<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    const STREAMS: u64 = 5;
    const EVENTS: u64 = 40;
    let notes = Arc::new(Notes::new("notes").commands(|n| vec![n, 1_000 + n]));
    for n in 0..EVENTS {
        add(store, &format!("counted-{}", n % STREAMS), n).await;
    }
    let all = async {
        while noted(store, "notes").await.len() < 2 * EVENTS as usize {
            store.sleep(Duration::from_millis(5)).await;
        }
    };
    let options = ProcessOptions::new().batch(1);
    let interrupted = Faulty::interrupted(store.clone());
    run_many(&interrupted, &notes, &options, 3, all).await;
    run_process_manager_with(store, &*notes, &options.until_idle())
        .await
        .unwrap();

    let noted = noted(store, "notes").await;
    assert_eq!(noted.len(), 2 * EVENTS as usize, "{noted:?}");
    let mut last = HashMap::new();
    for pair in noted.chunks(2) {
        assert_eq!(
            pair[1],
            1_000 + pair[0],
            "the reactions are mixed: {noted:?}"
        );
        let before = last.insert(pair[0] % STREAMS, pair[0]);
        assert!(
            before.is_none_or(|before| before + STREAMS == pair[0]),
            "{noted:?}"
        );
    }
    assert_eq!(*notes.told.lock().unwrap(), [""; 0]);
}

pub async fn a_lease_that_runs_out_while_a_command_runs_does_not_let_it_run_twice<S>(store: &S)
where
    S: SubscriptionStore + Clone + 'static,
{
    // The command blocks its runner, so the lease is not extended.
    let notes = Notes::new("notes").takes(Duration::from_millis(120));
    let notes = Arc::new(notes);
    for n in 1..=4 {
        add(store, "counted-a", n).await;
    }
    let options = ProcessOptions::new()
        .lease(Duration::from_millis(40))
        .retry_limit(1_000);
    let all = async {
        while noted(store, "notes").await.len() < 4 {
            store.sleep(Duration::from_millis(5)).await;
        }
    };
    run_many(store, &notes, &options, 2, all).await;
    // The runner that lost the race notices.
    let again = options.clone().until_idle();
    for _ in 0..3 {
        store.sleep(Duration::from_millis(50)).await;
        run_process_manager_with(store, &*notes, &again)
            .await
            .unwrap();
    }
    assert_eq!(noted(store, "notes").await, [1, 2, 3, 4]);
    let fresh = Notes::new("others");
    run_process_manager_until_idle(store, &fresh).await.unwrap();
    assert_eq!(noted(store, "others").await, [1, 2, 3, 4]);
}
