//! P4: whatever commits late, rolls back or dies, a reader that follows positions sees each
//! committed event exactly once, in order.

mod readers;
mod writers;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use uuid::Uuid;

use self::readers::*;
use self::writers::{Outcome, writer};
use crate::support::*;

const WRITERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_exactly_the_committed_events_in_order_whatever_the_writers_suffer() {
    let url = database("order");
    let done = Arc::new(AtomicBool::new(false));

    let readers = [
        tokio::spawn(autocommit_reader(url.clone(), done.clone())),
        tokio::spawn(repeatable_read_reader(url.clone(), done.clone())),
        tokio::spawn(listening_reader(url.clone(), done.clone())),
        tokio::spawn(waiting_reader(url.clone(), done.clone())),
    ];
    let backward = tokio::spawn(backward_reader(url.clone(), done.clone()));
    let naive = tokio::spawn(naive_reader(url.clone(), done.clone()));
    let sampler = tokio::spawn(sample(url.clone(), done.clone()));
    let (terminated, cancelled) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let killer = tokio::spawn(kill(
        url.clone(),
        done.clone(),
        terminated.clone(),
        cancelled.clone(),
    ));

    let writers: Vec<_> = (0..WRITERS)
        .map(|n| tokio::spawn(writer(url.clone(), n)))
        .collect();
    let mut all = Outcome::default();
    for writer in writers {
        let one = writer.await.unwrap();
        all.committed.extend(one.committed);
        all.gone.extend(one.gone);
        all.unknown.extend(one.unknown);
    }
    done.store(true, SeqCst);
    killer.await.unwrap();

    let session = connect(&url).await;
    let truth = truth(&*session).await;
    let ids: HashSet<Uuid> = truth.iter().map(|event| event.id).collect();
    assert!(
        all.committed.is_subset(&ids),
        "acknowledged events are missing"
    );
    assert!(all.gone.is_disjoint(&ids), "rolled back events are there");
    assert!(
        ids.iter()
            .all(|id| all.committed.contains(id) || all.unknown.contains(id))
    );

    let mut followed = Vec::new();
    for reader in readers {
        let (follower, note) = reader.await.unwrap();
        follower.saw_exactly(&truth);
        followed.push(note);
    }
    for page in backward.await.unwrap() {
        let first = page[0].position;
        let start = truth.partition_point(|event| event.position < first);
        assert_eq!(page, truth[start..start + page.len()], "read backward");
    }
    let naive = naive.await.unwrap();
    let missed = truth
        .iter()
        .filter(|event| !naive.contains(&event.id))
        .count();
    let (samples, behind) = sampler.await.unwrap();
    println!(
        "order: {} events committed, {} rolled back, {} of unknown outcome; {} backends terminated, \
         {} cancelled; a naive reader missed {missed}; the safe position was behind a committed one in \
         {behind} of {samples} looks; {}",
        truth.len(),
        all.gone.len(),
        all.unknown.len(),
        terminated.load(SeqCst),
        cancelled.load(SeqCst),
        followed.join(", "),
    );
}

async fn kill(
    url: String,
    done: Arc<AtomicBool>,
    terminated: Arc<AtomicU64>,
    cancelled: Arc<AtomicU64>,
) {
    let session = connect(&url).await;
    let mut random = Random::new();
    while !done.load(SeqCst) {
        let (function, count) = match random.below(3) {
            0 => ("pg_cancel_backend", &cancelled),
            _ => ("pg_terminate_backend", &terminated),
        };
        let rows = session
            .query_typed(
                &format!(
                    "SELECT {function}(pid) FROM (SELECT pid FROM pg_stat_activity
                      WHERE datname = current_database() AND application_name = 'writer'
                      ORDER BY random() LIMIT 1) AS victim"
                ),
                &[],
            )
            .await
            .unwrap();
        count.fetch_add(rows.len() as u64, SeqCst);
        random.nap(40_000).await;
    }
}
