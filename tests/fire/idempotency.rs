//! P7: a client that resends after a lost answer writes once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::types::Type;
use uuid::Uuid;

use crate::support::*;

/// Clients lose their connections between sending and the answer, and send the same append again
/// until they get one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_resend_after_a_lost_answer_write_every_append_exactly_once() {
    const CLIENTS: usize = 8;
    const APPENDS: i64 = 60;
    let url = database("resend");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let url = url.clone();
            tokio::spawn(async move {
                let killer = connect(&url).await;
                let mut random = Random::new();
                let mut sent = HashMap::<Uuid, (i64, i64)>::new();
                let (mut lost, mut repeated) = (0, 0);
                for n in 0..APPENDS {
                    let (own, shared) = (format!("own-{client}"), format!("shared-{}", n % 4));
                    // With exact versions, or unchecked and recognised by their ids alone.
                    let append = match n % 2 {
                        0 => Append::one(&own, Some(3 * n / 2)).event(&own).event(&own),
                        _ => Append::one(&shared, None).event(&shared),
                    };
                    let done = loop {
                        let session = reconnect(&url, "resend").await;
                        let (pid, delay) = (session.pid, random.below(2_500));
                        let delay = tokio::time::sleep(Duration::from_micros(delay));
                        let sending = append.send(&*session);
                        // The server loses the client, or the client loses the server.
                        let answer = if random.once_in(2) {
                            let killing = async {
                                delay.await;
                                let kill = "SELECT pg_terminate_backend($1)";
                                killer
                                    .query_typed(kill, &[(&pid, Type::INT4)])
                                    .await
                                    .unwrap();
                            };
                            tokio::join!(sending, killing).0
                        } else {
                            tokio::select! {
                                answer = sending => answer,
                                () = delay => {
                                    lost += 1;
                                    continue;
                                }
                            }
                        };
                        match answer {
                            Ok(done) => break done,
                            Err(error) => {
                                let code = sqlstate(&error);
                                assert!(matches!(code, "57P01" | "no connection"), "{error:?}");
                                lost += 1;
                            }
                        }
                    };
                    repeated += usize::from(done.repeated);
                    let first = done.first.unwrap();
                    assert_eq!(done.last.unwrap() - first, append.events.len() as i64 - 1);
                    for (offset, id) in append.ids().enumerate() {
                        let version = done.versions[0] - append.events.len() as i64 + 1;
                        sent.insert(id, (first + offset as i64, version + offset as i64));
                    }
                }
                (sent, lost, repeated)
            })
        })
        .collect();
    let (mut sent, mut lost, mut repeated) = (HashMap::new(), 0, 0);
    for client in clients {
        let one = in_time("resending", client).await.unwrap();
        sent.extend(one.0);
        lost += one.1;
        repeated += one.2;
    }
    let events = truth(&*connect(&url).await).await;
    assert_eq!(events.len(), sent.len());
    for event in &events {
        let (position, version) = sent[&event.id];
        assert_eq!(position, event.position, "{event:?}");
        // For unchecked streams, a repeat returns the current version of the stream.
        if event.stream.starts_with("own") {
            assert_eq!(version, event.version, "{event:?}");
        }
    }
    println!(
        "resend: {} events, {lost} answers lost, {repeated} repeats",
        events.len()
    );
}

/// Session 1: begin, append, and only after session 2 has sent the same: commit, or roll back.
#[tokio::test]
async fn a_repeat_that_overtakes_its_original_waits_for_its_outcome() {
    let url = database("overtake");
    let (mut one, two, watcher) = (
        connect(&url).await,
        connect(&url).await,
        connect(&url).await,
    );
    let (two_pid, two) = (two.pid, Arc::new(two));
    for (n, expected) in [Some(0), None].into_iter().enumerate() {
        for commits in [true, false] {
            let stream = format!("s-{n}-{commits}");
            let append = Append::one(&stream, expected).event(&stream);
            let open = one.transaction().await.unwrap();
            let original = append.send(&open).await.unwrap();
            let repeat = tokio::spawn({
                let (two, append) = (two.clone(), append.clone());
                async move { append.send(&**two).await }
            });
            is_waiting(&watcher, two_pid).await;
            if commits {
                open.commit().await.unwrap();
                let repeat = repeat.await.unwrap().unwrap();
                assert_eq!(
                    repeat,
                    Done {
                        repeated: true,
                        ..original
                    }
                );
            } else {
                open.rollback().await.unwrap();
                let repeat = repeat.await.unwrap().unwrap();
                assert!(!repeat.repeated && repeat.first > original.last);
            }
        }
    }
    assert_eq!(truth(&*watcher).await.len(), 8);
}
