//! P17: where `default_transaction_read_only` is on, eventcore writes nothing by itself.
//! Projections report why they stand still, and continue afterwards.

use std::time::Duration;

use eventcore_harness::Server;
use tokio_postgres::types::Type;

use crate::support::*;

const SETUP: &str = "
    CREATE ROLE frozen_owner LOGIN IN ROLE eventcore_projector;
    GRANT CREATE ON SCHEMA public TO frozen_owner;
    SET ROLE frozen_owner;
    CREATE TABLE seen (position bigint);
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO seen VALUES (e.position)';
    SELECT eventcore_create_projection('p', 'see', batch_size => 1);
    RESET ROLE";

/// Each way to freeze, and to thaw.
const WAYS: [(&str, &str); 4] = [
    (
        "ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()",
        "ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()",
    ),
    (
        "ALTER DATABASE frozen SET default_transaction_read_only = on",
        "ALTER DATABASE frozen RESET default_transaction_read_only",
    ),
    (
        "ALTER ROLE frozen_owner SET default_transaction_read_only = on",
        "ALTER ROLE frozen_owner RESET default_transaction_read_only",
    ),
    (
        "ALTER ROLE frozen_owner IN DATABASE frozen SET default_transaction_read_only = yes",
        "ALTER ROLE frozen_owner IN DATABASE frozen RESET default_transaction_read_only",
    ),
];

async fn checkpoint(session: &Session) -> i64 {
    let sql = "SELECT checkpoint FROM eventcore.projections";
    session.query_one(sql, &[]).await.unwrap().get(0)
}

async fn reaches(session: &Session, position: i64) {
    eventually("the projection is there", async || {
        checkpoint(session).await == position
    })
    .await;
}

#[tokio::test]
async fn frozen_projections_stand_still_and_say_so_until_they_are_thawed() {
    let server = Server::start(options().without_fsync()).unwrap();
    let url = server.create_database("frozen").unwrap();
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();
    let last = append_one(&*session, "s").await;
    reaches(&session, last).await;
    // This session continues to write, as an operator's may.
    session
        .batch_execute("SET default_transaction_read_only = off")
        .await
        .unwrap();
    let mut before = last;
    for (freeze, thaw) in WAYS {
        for sql in freeze.split("; ") {
            session.batch_execute(sql).await.unwrap();
        }
        let reason =
            "SELECT count(*) FROM eventcore.stat_projections WHERE waits_for = 'read-only'";
        eventually("the view says why it stands still", async || {
            session
                .query_one(reason, &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
                == 1
        })
        .await;
        let mut last = 0;
        for _ in 0..20 {
            last = append_one(&*session, "s").await;
        }
        // Waiters learn of the events, which they would not if the notifier stood still as well.
        let sql = "SELECT last_position FROM eventcore.stat_notifier";
        eventually("the notifier has told of them", async || {
            session
                .query_one(sql, &[])
                .await
                .unwrap()
                .get::<_, Option<i64>>(0)
                == Some(last)
        })
        .await;
        assert_eq!(checkpoint(&session).await, before, "{freeze}");
        for sql in thaw.split("; ") {
            session.batch_execute(sql).await.unwrap();
        }
        reaches(&session, last).await;
        before = last;
    }
}

/// Also during batches.
#[tokio::test]
async fn a_freeze_stops_a_projection_in_the_middle_of_its_backlog() {
    let server = Server::start(options().without_fsync()).unwrap();
    let url = server.create_database("frozen").unwrap();
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();
    let append = "SELECT eventcore_append('{s}', '{NULL}', jsonb_agg('{\"stream\": \"s\", \"type\": \"T\", \"payload\": 1}'::jsonb))
                    FROM generate_series(1, 5000)";
    session.batch_execute(append).await.unwrap();
    eventually("it has begun", async || checkpoint(&session).await > 0).await;
    session.batch_execute(WAYS[1].0).await.unwrap();
    // A batch in progress may end.
    let mut stopped = 0;
    eventually("it has stopped", async || {
        let before = std::mem::replace(&mut stopped, checkpoint(&session).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
        before == stopped
    })
    .await;
    assert!(stopped < 5_000, "it has come to its end before the freeze");
    let settled = "SELECT last_value FROM eventcore.settled_position";
    let settled_before: i64 = session.query_one(settled, &[]).await.unwrap().get(0);
    // eventcore uses no transaction id for writes while this database is frozen.
    let sql = "SELECT count(*) FROM pg_stat_activity
                WHERE backend_type = 'eventcore projection worker' AND datname = $1";
    eventually("the workers have left", async || {
        let row = session
            .query_typed_one(sql, &[(&"frozen", Type::TEXT)])
            .await;
        row.unwrap().get::<_, i64>(0) == 0
    })
    .await;
    assert_eq!(checkpoint(&session).await, stopped);
    session
        .batch_execute("SET default_transaction_read_only = off")
        .await
        .unwrap();
    let last = append_one(&*session, "s").await;
    let told = "SELECT last_position FROM eventcore.stat_notifier";
    eventually("the notifier has told of it", async || {
        session
            .query_one(told, &[])
            .await
            .unwrap()
            .get::<_, Option<i64>>(0)
            == Some(last)
    })
    .await;
    let settled_after: i64 = session.query_one(settled, &[]).await.unwrap().get(0);
    assert_eq!(settled_after, settled_before, "the notifier wrote");
    session.batch_execute(WAYS[1].1).await.unwrap();
    reaches(&session, last).await;
}
