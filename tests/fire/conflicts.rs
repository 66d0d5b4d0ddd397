//! P2 and P3: of two conflicting appends one fails, and the other gets the next version.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio_postgres::IsolationLevel;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_hot_stream_every_success_is_one_version() {
    const CLIENTS: usize = 16;
    const ATTEMPTS: usize = 60;
    let url = database("hot");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let session = connect(&url).await;
                let (mut version, mut successes) = (0, 0);
                for _ in 0..ATTEMPTS {
                    match Append::one("hot", Some(version)).send(&*session).await {
                        Ok(done) => {
                            assert_eq!(done.versions, [version + 1]);
                            successes += 1;
                            version += 1;
                        }
                        Err(error) => {
                            assert_eq!(sqlstate(&error), "SE001", "{error:?}");
                            let sql = "SELECT version FROM eventcore_stream_versions('{hot}')";
                            let row = session.query_typed_one(sql, &[]).await.unwrap();
                            assert!(row.get::<_, i64>(0) > version);
                            version = row.get(0);
                        }
                    }
                }
                successes
            })
        })
        .collect();
    let mut successes = 0;
    for client in clients {
        successes += client.await.unwrap();
    }
    let events = truth(&*connect(&url).await).await;
    assert_eq!(events.len(), successes);
    println!(
        "hot stream: {successes} of {} appends succeeded",
        CLIENTS * ATTEMPTS
    );
}

/// Two commands that each check both streams and write one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_skew_is_impossible() {
    const ROUNDS: usize = 150;
    let url = database("skew");
    let pairs: Vec<_> = (0..3)
        .map(|pair| {
            let url = url.clone();
            tokio::spawn(async move {
                let barrier = Arc::new(Barrier::new(2));
                let sides = [0, 1].map(|side| {
                    let (url, barrier) = (url.clone(), barrier.clone());
                    tokio::spawn(async move {
                        let session = connect(&url).await;
                        let mut wins = Vec::new();
                        for round in 0..ROUNDS {
                            let streams = [0, 1].map(|n| format!("{pair}-{round}-{n}"));
                            // In either order; both times exactly empty.
                            let mut append = Append::new();
                            for n in if round % 2 == 0 {
                                [0, 1]
                            } else {
                                [side, 1 - side]
                            } {
                                append = append.check(&streams[n], Some(0));
                            }
                            let append = append.event(&streams[side]);
                            barrier.wait().await;
                            let result = append.send(&*session).await;
                            if let Err(error) = &result {
                                assert_eq!(sqlstate(error), "SE001", "{error:?}");
                            }
                            wins.push(result.is_ok());
                        }
                        wins
                    })
                });
                let [a, b] = sides;
                let (a, b) = (a.await.unwrap(), b.await.unwrap());
                assert!(
                    a.iter().zip(&b).all(|(a, b)| a != b),
                    "exactly one wins each round"
                );
                a.iter().filter(|win| **win).count()
            })
        })
        .collect();
    for pair in pairs {
        println!(
            "write skew: {} of {ROUNDS} rounds to one side",
            in_time("skew", pair).await.unwrap()
        );
    }
}

/// Session 1: check x, write y. Session 2: check y, write x. In every order of their steps.
#[tokio::test]
async fn a_stream_that_is_only_checked_is_protected_until_the_end_of_the_transaction() {
    let url = database("checked");
    let (mut one, two, watcher) = (
        connect(&url).await,
        connect(&url).await,
        connect(&url).await,
    );
    let two_pid = two.pid;
    let two = Arc::new(two);
    for (name, commits) in [("commit", true), ("rollback", false)] {
        let (x, y) = (format!("x-{name}"), format!("y-{name}"));
        let open = one.transaction().await.unwrap();
        Append::new()
            .check(&x, Some(0))
            .check(&y, Some(0))
            .event(&y)
            .send(&open)
            .await
            .unwrap();
        let blocked = tokio::spawn({
            let (two, x, y) = (two.clone(), x.clone(), y.clone());
            async move {
                Append::new()
                    .check(&y, Some(0))
                    .check(&x, Some(0))
                    .event(&x)
                    .send(&**two)
                    .await
            }
        });
        is_waiting(&watcher, two_pid).await;
        if commits {
            open.commit().await.unwrap();
            let error = blocked.await.unwrap().unwrap_err();
            assert_eq!(sqlstate(&error), "SE001");
            let detail = error.as_db_error().unwrap().detail().unwrap();
            let detail: serde_json::Value = serde_json::from_str(detail).unwrap();
            let conflict = serde_json::json!({"stream": y, "expected": 0, "actual": 1});
            assert_eq!(detail, serde_json::json!({ "conflicts": [conflict] }));
        } else {
            open.rollback().await.unwrap();
            assert_eq!(blocked.await.unwrap().unwrap().versions, [0, 1]);
        }
    }

    // Also an append that writes nothing, and one that requires only that the stream exists.
    for expected in [Some(1), Some(-1)] {
        let stream = format!("z{expected:?}");
        Append::one(&stream, None).send(&**two).await.unwrap();
        let open = one.transaction().await.unwrap();
        Append::new()
            .check(&stream, expected)
            .send(&open)
            .await
            .unwrap();
        let blocked = tokio::spawn({
            let (two, stream) = (two.clone(), stream.clone());
            async move { Append::one(&stream, None).send(&**two).await }
        });
        is_waiting(&watcher, two_pid).await;
        open.commit().await.unwrap();
        blocked.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_append_checks_against_what_is_committed_now_in_every_isolation_level() {
    let url = database("isolation");
    let (mut one, two) = (connect(&url).await, connect(&url).await);
    for level in [
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ] {
        let stream = format!("{level:?}");
        let old = one
            .build_transaction()
            .isolation_level(level)
            .start()
            .await
            .unwrap();
        old.batch_execute("SELECT count(*) FROM eventcore.events; SAVEPOINT s")
            .await
            .unwrap();
        Append::one(&stream, Some(0)).send(&*two).await.unwrap();
        let error = Append::one(&stream, Some(0)).send(&old).await.unwrap_err();
        assert_eq!(sqlstate(&error), "SE001");
        old.batch_execute("ROLLBACK TO s").await.unwrap();
        assert_eq!(
            Append::one(&stream, Some(1))
                .send(&old)
                .await
                .unwrap()
                .versions,
            [2]
        );
        assert_eq!(
            Append::one(&stream, Some(2))
                .send(&old)
                .await
                .unwrap()
                .versions,
            [3]
        );
        old.commit().await.unwrap();
    }
    assert_eq!(truth(&*two).await.len(), 9);
}
