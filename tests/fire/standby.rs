//! P4 and P9 on a hot standby: it shows the replayed events in order, and after a promotion the
//! rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use eventcore_harness::Server;

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_on_a_standby_sees_exactly_the_committed_events_also_through_a_promotion() {
    let mut primary = Server::start(options()).unwrap();
    let url = primary.create_database("standby").unwrap();
    let create = "
        SELECT eventcore_create_subscription('s');
        CREATE TABLE seen (position bigint PRIMARY KEY);
        CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO seen VALUES (e.position)';
        SELECT eventcore_create_projection('p', 'see', retry_limit => 0)";
    connect(&url).await.batch_execute(create).await.unwrap();
    let standby = primary.standby().unwrap();
    let standby_url = standby.url("standby");

    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (url, done) = (standby_url.clone(), done.clone());
        async move {
            let session = connect(&url).await;
            let (mut random, mut follower) = (Random::new(), Follower::new("on the standby"));
            while !done.load(SeqCst) {
                let max = 1 + random.below(60) as i64;
                follower.take(read_all(&*session, follower.last(), max).await.unwrap());
            }
            follower
        }
    });
    let writers: Vec<_> = (0..8)
        .map(|n| tokio::spawn(writer(url.clone(), n)))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }

    let (on_primary, on_standby) = (connect(&url).await, connect(&standby_url).await);
    let events = truth(&*on_primary).await;
    let end = events.last().unwrap().position;
    let mut safe = 0;
    while safe < end {
        safe = in_time(
            "eventcore_wait on the standby",
            wait(&*on_standby, safe, 30),
        )
        .await
        .unwrap();
    }
    eventually("the standby shows the last event", async || {
        read_all(&*on_standby, end - 1, 1).await.unwrap().len() == 1
    })
    .await;
    let error = Append::one("s", None).send(&*on_standby).await.unwrap_err();
    assert_eq!(sqlstate(&error), "25006", "{error:?}");
    let error = Append::new()
        .check("s", Some(0))
        .send(&*on_standby)
        .await
        .unwrap_err();
    assert_eq!(sqlstate(&error), "25006", "{error:?}");

    // A subscription can be read there, and changed where writes are possible.
    for (call, code) in [
        ("eventcore_poll('s', 'c')", Some("25006")),
        ("eventcore_poll('s', 'c', 1, '1 s')", Some("25006")),
        ("eventcore_ack('s', gen_random_uuid())", Some("25006")),
        ("eventcore_create_subscription('t')", Some("25006")),
        ("eventcore_advance_checkpoint('p', 0, 1)", Some("25006")),
        ("eventcore_checkpoint('p')", None),
        ("eventcore_parked('s')", None),
        ("eventcore.stat_subscriptions", None),
        ("eventcore_pause_projection('p')", Some("25006")),
        ("eventcore.stat_projections", None),
    ] {
        let done = on_standby
            .batch_execute(&format!("SELECT * FROM {call}"))
            .await;
        let failed = done.err().map(|error| sqlstate(&error).to_owned());
        assert_eq!(failed.as_deref(), code, "{call}");
    }

    let given = safe_position(&*on_standby).await.unwrap();
    drop(on_primary);
    primary.stop().unwrap();
    standby.promote().unwrap();
    assert_eq!(read_all(&*on_standby, given, 10).await.unwrap(), []);
    let mut listener = listen(&standby_url).await;
    for n in 0..20 {
        let done = Append::one("after", Some(n))
            .send(&*on_standby)
            .await
            .unwrap();
        assert!(done.first.unwrap() > given, "{done:?} is not above {given}");
        listener.up_to(done.last.unwrap()).await;
    }
    let events = truth(&*on_standby).await;
    done.store(true, SeqCst);
    let mut follower = reader.await.unwrap();
    follower.take(
        read_all(&*on_standby, follower.last(), 10_000)
            .await
            .unwrap(),
    );
    follower.saw_exactly(&events);
    // A projection continues where it was: an event that comes twice would stop it.
    eventually("the projection has all events", async || {
        let same = "SELECT (SELECT count(*) FROM seen) = (SELECT count(*) FROM eventcore.events)";
        on_standby.query_typed_one(same, &[]).await.unwrap().get(0)
    })
    .await;
    println!(
        "standby: {} events, 20 of them after the promotion",
        events.len()
    );
}

/// Commits out of order, and some appends not at all.
async fn writer(url: String, number: u32) {
    let (mut session, mut random) = (connect(&url).await, Random::new());
    if number.is_multiple_of(2) {
        session
            .batch_execute("SET synchronous_commit = off")
            .await
            .unwrap();
    }
    for _ in 0..60 {
        let (own, shared) = (
            format!("own-{number}"),
            format!("shared-{}", random.below(4)),
        );
        let append = Append::one(&own, None).check(&shared, None).event(&shared);
        let transaction = session.transaction().await.unwrap();
        append.send(&transaction).await.unwrap();
        random.nap(6_000).await;
        if random.once_in(5) {
            transaction.rollback().await.unwrap();
        } else {
            transaction.commit().await.unwrap();
        }
    }
}

/// What the notifier writes for standbys is not flushed by itself. After a crash it is lost,
/// although the standby already has the events.
#[tokio::test]
async fn a_standby_shows_the_last_events_before_a_crash_of_its_primary_with_no_append_after_it() {
    let mut primary = Server::start(options()).unwrap();
    let url = primary.create_database("standby").unwrap();
    let session = connect(&url).await;
    Append::one("s", None).send(&*session).await.unwrap();
    let standby = primary.standby().unwrap();
    let on_standby = connect(&standby.url("standby")).await;
    for _ in 0..50 {
        Append::one("s", None).send(&*session).await.unwrap();
    }
    let last = truth(&*session).await.last().unwrap().position;
    primary.crash().unwrap();
    primary.start_again().unwrap();
    standby.catch_up_with(&primary).unwrap();
    let row = on_standby
        .query_typed_one("SELECT max(position) FROM eventcore.events", &[])
        .await;
    assert_eq!(row.unwrap().get::<_, i64>(0), last, "the events are there");
    eventually(
        "the standby's safe position reaches the last event",
        async || safe_position(&*on_standby).await.unwrap() >= last,
    )
    .await;
}

/// From PostgreSQL 16 on. The log of an append beneath SQL is that of an INSERT.
#[tokio::test]
async fn a_standby_decodes_the_appended_events_for_logical_replication() {
    let primary = Server::start(options().set("wal_level", "logical")).unwrap();
    let session = connect(&primary.create_database("decoded").unwrap()).await;
    let version = "SELECT current_setting('server_version_num')::integer";
    let version = session.query_typed_one(version, &[]).await.unwrap();
    if version.get::<_, i32>(0) < 160_000 {
        return;
    }
    Append::one("s", None).send(&*session).await.unwrap();
    let standby = primary.standby().unwrap();
    let on_standby = connect(&standby.url("decoded")).await;
    let create = "SELECT pg_create_logical_replication_slot('decoded', 'test_decoding')";
    let create = on_standby.batch_execute(create);
    tokio::pin!(create);
    // A slot begins where the primary writes which transactions are running.
    loop {
        tokio::select! {
            created = &mut create => break created.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                let snapshot = "SELECT pg_log_standby_snapshot()";
                session.batch_execute(snapshot).await.unwrap();
            }
        }
    }
    for _ in 0..3 {
        Append::one("s", None).send(&*session).await.unwrap();
    }
    standby.catch_up_with(&primary).unwrap();
    let changes = "SELECT count(*) FROM pg_logical_slot_get_changes('decoded', NULL, NULL)
                    WHERE data LIKE 'table eventcore.events: INSERT: %'";
    let changes = on_standby.query_typed_one(changes, &[]).await.unwrap();
    assert_eq!(changes.get::<_, i64>(0), 3);
}
