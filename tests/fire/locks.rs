//! P2 and P10: appends that share no stream never wait for one another, and none deadlocks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_to_random_sets_of_streams_in_random_order_never_deadlock() {
    const CLIENTS: usize = 16;
    const APPENDS: usize = 150;
    let url = database("deadlock");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let session = connect(&url).await;
                let mut random = Random::new();
                let mut written = 0;
                for _ in 0..APPENDS {
                    let mut streams: Vec<u64> = (0..12).collect();
                    for last in (1..streams.len()).rev() {
                        streams.swap(last, random.below(last as u64 + 1) as usize);
                    }
                    streams.truncate(1 + random.below(8) as usize);
                    let mut append = Append::new();
                    for stream in &streams {
                        let expected = [None, Some(-1)][random.below(2) as usize];
                        append = append.check(&format!("s{stream}"), expected);
                    }
                    // The events in another order than the streams.
                    for stream in streams.iter().rev().filter(|stream| *stream % 3 != 0) {
                        append = append.event(&format!("s{stream}"));
                    }
                    match append.send(&*session).await {
                        Ok(_) => written += append.events.len(),
                        Err(error) => assert_eq!(sqlstate(&error), "SE001", "{error:?}"),
                    }
                }
                written
            })
        })
        .collect();
    let mut written = 0;
    for client in clients {
        written += in_time("appends to random sets of streams", client)
            .await
            .unwrap();
    }
    assert_eq!(truth(&*connect(&url).await).await.len(), written);
    println!(
        "no deadlock: {} appends, {written} events",
        CLIENTS * APPENDS
    );
}

#[tokio::test]
async fn appends_that_share_no_stream_never_wait_for_one_another() {
    let url = database("disjoint");
    let (mut one, two, mut three) = (
        connect(&url).await,
        connect(&url).await,
        connect(&url).await,
    );
    Append::one("both", None).send(&*two).await.unwrap();
    let open = one.transaction().await.unwrap();
    Append::one("a", None)
        .check("both", Some(1))
        .send(&open)
        .await
        .unwrap();

    // Not even briefly: any wait for a lock is an error.
    two.batch_execute("SET lock_timeout = '1ms'").await.unwrap();
    for n in 0..2_500 {
        let done = Append::one("b", Some(n))
            .check("both", Some(1))
            .send(&*two)
            .await
            .unwrap();
        assert_eq!(done.versions, [n + 1, 1]);
    }
    // No reader of any kind waits.
    wait(&*two, 0, 1).await.unwrap();
    for read in [
        "SELECT * FROM eventcore_read_stream('a')",
        "SELECT * FROM eventcore_read_streams('{a,b}', NULL, 1)",
        "SELECT * FROM eventcore_stream_versions('{a}')",
        "SELECT * FROM eventcore_read_all()",
    ] {
        two.query_typed(read, &[]).await.unwrap();
    }
    // Three transactions hold the same check at once, and none waits.
    three
        .batch_execute("SET lock_timeout = '1ms'")
        .await
        .unwrap();
    let also_open = three.transaction().await.unwrap();
    Append::one("c", None)
        .check("both", Some(-1))
        .send(&also_open)
        .await
        .unwrap();
    Append::new()
        .check("both", Some(1))
        .send(&*two)
        .await
        .unwrap();
    also_open.commit().await.unwrap();
    open.commit().await.unwrap();
    assert_eq!(truth(&*two).await.len(), 2_503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_and_reads_go_on_while_the_table_is_reindexed_and_rewritten() {
    let url = database("rewrite");
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..6)
        .map(|n| {
            let (url, stop) = (url.clone(), stop.clone());
            tokio::spawn(async move {
                let session = connect(&url).await;
                let (mut version, mut follower) = (0, Follower::new("beside DDL"));
                while !stop.load(SeqCst) {
                    let append = Append::one(&format!("s{n}"), Some(version));
                    assert_eq!(
                        append.send(&*session).await.unwrap().versions,
                        [version + 1]
                    );
                    version += 1;
                    follower.take(read_all(&*session, follower.last(), 1_000).await.unwrap());
                }
                version as usize
            })
        })
        .collect();
    let admin = connect(&url).await;
    for _ in 0..4 {
        for ddl in [
            "REINDEX TABLE CONCURRENTLY eventcore.events",
            "VACUUM FULL eventcore.events",
            "REINDEX TABLE eventcore.events",
            "CLUSTER eventcore.events USING events_pkey",
        ] {
            in_time(ddl, admin.batch_execute(ddl)).await.unwrap();
        }
    }
    stop.store(true, SeqCst);
    let mut written = 0;
    for client in clients {
        written += in_time("a client", client).await.unwrap();
    }
    assert_eq!(truth(&*admin).await.len(), written);
    println!("DDL: {written} appends beside it");
}
