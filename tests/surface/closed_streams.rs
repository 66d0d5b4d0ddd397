//! An append refuses closed streams, in whatever way their rows came into `eventcore.streams`,
//! although it looks at that table only if a row may have come into it.

use std::time::Duration;

use eventcore_harness::shared;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Client, append, connect, database, event, until_waiting, value};

const CLOSE: &str = "INSERT INTO eventcore.streams (stream_id, state) VALUES ('s', 'closed')";

/// A session that has seen that no stream is closed, and another one.
async fn sessions(name: &str) -> (Client, Client) {
    let (url, appender) = database(name).await;
    assert!(!looks(&appender).await, "it looks at an empty table");
    (appender, connect(&url).await)
}

/// Whether each of many appends looks at `eventcore.streams`, by the lock of the table. Some may look
/// because the server has analyzed a table, or because it told of so many other changes that the
/// session drops what it has cached.
async fn looks(appender: &Client) -> bool {
    let sql = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'eventcore.streams'::regclass";
    for _ in 0..100 {
        add(appender, "other").await.unwrap();
        appender.batch_execute("BEGIN").await.unwrap();
        add(appender, "other").await.unwrap();
        let locks: i64 = value(appender, sql).await;
        appender.batch_execute("ROLLBACK").await.unwrap();
        if locks == 0 {
            return false;
        }
    }
    true
}

async fn add(appender: &Client, name: &str) -> Result<(), String> {
    let added = append(appender, &[(name, None)], json!([event(name, 1)])).await;
    added.map(drop).map_err(|failed| failed.code)
}

async fn is_closed(appender: &Client) -> bool {
    match add(appender, "s").await {
        Ok(()) => false,
        Err(code) => {
            assert_eq!(code, "SE005");
            true
        }
    }
}

#[tokio::test]
async fn appends_look_for_closed_streams_after_a_row_and_not_before() {
    let (appender, other) = sessions("closed_looks").await;
    other.batch_execute(CLOSE).await.unwrap();
    assert!(is_closed(&appender).await);
    assert!(looks(&appender).await);
    // Another session, which has never seen the table empty.
    assert!(is_closed(&other).await);
    other
        .batch_execute("TRUNCATE eventcore.streams")
        .await
        .unwrap();
    assert!(!is_closed(&appender).await);
    assert!(!looks(&appender).await);
    other.batch_execute(CLOSE).await.unwrap();
    assert!(is_closed(&appender).await);
}

#[tokio::test]
async fn a_closing_counts_from_its_commit_on() {
    let (appender, other) = sessions("closed_commit").await;
    for (end, closed) in [("ROLLBACK", false), ("COMMIT", true)] {
        other.batch_execute("BEGIN").await.unwrap();
        assert!(!is_closed(&appender).await);
        other.batch_execute(CLOSE).await.unwrap();
        assert!(!is_closed(&appender).await);
        other.batch_execute(end).await.unwrap();
        assert_eq!(is_closed(&appender).await, closed, "{end}");
    }
}

/// Two sessions: B locks the stream, A waits for it, B closes the stream and commits.
#[tokio::test]
async fn an_append_that_waited_for_a_closing_is_refused() {
    let (appender, other) = sessions("closed_waited").await;
    other.batch_execute("BEGIN").await.unwrap();
    add(&other, "s").await.unwrap();
    let waiting = add(&appender, "s");
    let closing = async {
        until_waiting(&other, 1).await;
        other.batch_execute(CLOSE).await.unwrap();
        other.batch_execute("COMMIT").await.unwrap();
    };
    let (appended, ()) = tokio::join!(waiting, closing);
    assert_eq!(appended, Err("SE005".to_owned()));
}

#[tokio::test]
async fn a_row_counts_in_whatever_way_it_came() {
    let (appender, other) = sessions("closed_ways").await;
    let ways = [
        "COPY eventcore.streams (stream_id, state) FROM PROGRAM 'echo \"s\tclosed\"'".to_owned(),
        format!("SET session_replication_role = replica; {CLOSE}; RESET session_replication_role"),
        format!("ALTER TABLE eventcore.streams DISABLE TRIGGER ALL; {CLOSE}"),
        format!(
            "ALTER TABLE eventcore.streams DISABLE TRIGGER ALL; {CLOSE};
             ALTER TABLE eventcore.streams ENABLE TRIGGER ALL"
        ),
        format!("DO $$ BEGIN {CLOSE}; END $$"),
        "INSERT INTO eventcore.streams (stream_id, state) VALUES ('t', 'closed');
         UPDATE eventcore.streams SET stream_id = 's'"
            .to_owned(),
        format!(
            "BEGIN; SAVEPOINT a; {CLOSE}; ROLLBACK TO a; SAVEPOINT b; {CLOSE}; RELEASE b; COMMIT"
        ),
    ];
    for way in ways {
        // All in one transaction, and each statement in a transaction of its own, with an append
        // after it.
        let whole = vec![way.as_str()];
        let statements = match way.contains("$$") {
            true => whole.clone(),
            false => way.split(';').collect(),
        };
        for statements in [whole, statements] {
            for statement in statements {
                other.batch_execute(statement).await.unwrap();
                add(&appender, "other").await.unwrap();
            }
            assert!(is_closed(&appender).await, "{way}");
            let undo =
                "TRUNCATE eventcore.streams; ALTER TABLE eventcore.streams ENABLE TRIGGER ALL";
            other.batch_execute(undo).await.unwrap();
            assert!(!looks(&appender).await, "{way}");
        }
    }
}

#[tokio::test]
async fn closed_streams_of_a_copied_database_are_closed() {
    let (appender, other) = sessions("closed_template").await;
    other.batch_execute(CLOSE).await.unwrap();
    drop((appender, other));
    let copy = "CREATE DATABASE closed_copy TEMPLATE closed_template";
    // The sessions, and the notifier of the database, leave it soon.
    while shared().psql("postgres", copy).is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let url = shared().url("closed_copy");
    assert!(is_closed(&connect(&url).await).await);
}

/// The objects of 0.1.0 have no trigger on the table.
#[tokio::test]
async fn objects_without_the_trigger_are_looked_at_each_time() {
    let url = shared().create_empty_database("closed_older").unwrap();
    let create = "CREATE EXTENSION eventcore VERSION '0.1.0'";
    shared().psql("closed_older", create).unwrap();
    let (appender, other) = (connect(&url).await, connect(&url).await);
    assert!(looks(&appender).await);
    other.batch_execute(CLOSE).await.unwrap();
    assert!(is_closed(&appender).await);
    let update = "TRUNCATE eventcore.streams; ALTER EXTENSION eventcore UPDATE";
    other.batch_execute(update).await.unwrap();
    assert!(!looks(&appender).await);
    other.batch_execute(CLOSE).await.unwrap();
    assert!(is_closed(&appender).await);
}

/// Appenders that have just seen the table empty, and a closing in the middle of their appends, many
/// times. Nothing is added to the stream after the commit of its closing.
#[tokio::test]
async fn nothing_is_added_after_a_closing_by_many_appenders() {
    let (url, closer) = database("closed_storm").await;
    let mut appenders = Vec::new();
    for _ in 0..4 {
        appenders.push(connect(&url).await);
    }
    for round in 0..40 {
        let name = format!("storm-{round}");
        closer
            .batch_execute("TRUNCATE eventcore.streams")
            .await
            .unwrap();
        let appending = appenders.iter().map(async |appender| {
            let mut added = 0;
            while add(appender, &name).await.is_ok() {
                added += 1;
            }
            added
        });
        let closing = async {
            tokio::time::sleep(Duration::from_millis(round % 7)).await;
            closer.batch_execute("BEGIN").await.unwrap();
            // Locks the stream.
            add(&closer, &name).await.unwrap();
            let close = "INSERT INTO eventcore.streams (stream_id, state) VALUES ($1, 'closed')";
            closer.execute(close, &[&name]).await.unwrap();
            closer.batch_execute("COMMIT").await.unwrap();
            1
        };
        let (added, closing) = tokio::join!(join_all(appending), closing);
        let sql = format!("SELECT count(*) FROM eventcore.events WHERE stream_id = '{name}'");
        let events: i64 = value(&closer, &sql).await;
        assert_eq!(events, added.iter().sum::<i64>() + closing);
        // The event of the closing is the last one.
        let sql = format!(
            "SELECT xmin::text = (SELECT xmin::text FROM eventcore.streams)
               FROM eventcore.events WHERE stream_id = '{name}' ORDER BY version DESC LIMIT 1"
        );
        assert!(value::<bool>(&closer, &sql).await, "round {round}");
    }
}
