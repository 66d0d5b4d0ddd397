//! One projection run by several tasks, as by several processes.

use eventcore::{Position, ProjectionOptions, ProjectionStore, run_projection_with};

use super::add;
use super::project::{Book, Noting};

const EVENTS: u64 = 200;

/// Both run while events arrive, until everything is applied.
pub async fn two_runners_of_a_projection_let_each_event_take_effect_once<S, B>(
    (store, book): &(S, B),
) where
    S: ProjectionStore + Clone + 'static,
    B: Book<S>,
{
    // A position far ahead that no event has: only aborting ends the runs.
    let options = ProjectionOptions::new()
        .batch(7)
        .until(Position::new(1_000_000_000));
    let runners: Vec<_> = (0..2)
        .map(|_| {
            let (store, options) = (store.clone(), options.clone());
            let mut noting = Noting::in_book(book);
            tokio::spawn(async move { run_projection_with(&store, &mut noting, &options).await })
        })
        .collect();
    for n in 1..=EVENTS {
        add(store, &format!("stream-{}", n % 5), n).await;
    }
    while (book.noted().await.len() as u64) < EVENTS {
        for runner in &runners {
            assert!(!runner.is_finished(), "a runner has stopped");
        }
        store.sleep(std::time::Duration::from_millis(10)).await;
    }
    for runner in &runners {
        runner.abort();
    }
    assert_eq!(book.noted().await, (1..=EVENTS).collect::<Vec<_>>());
}
