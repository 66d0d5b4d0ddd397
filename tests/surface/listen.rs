//! `LISTEN eventcore`: the safe position is sent to every listener, `P11`.

use std::time::{Duration, Instant};

use eventcore_harness::{Server, ServerOptions};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::support::{Client, append, connect, event, server_with_workers, value};
use crate::wait::{database, write, write_and_settle};

/// A session that listens, and the notifications that it receives.
async fn listen(url: &str) -> (Client, mpsc::UnboundedReceiver<String>) {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let (heard, payloads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) =
            std::future::poll_fn(|context| connection.poll_message(context)).await
        {
            if let AsyncMessage::Notification(notification) = message {
                assert_eq!(notification.channel(), "eventcore");
                let _ = heard.send(notification.payload().to_owned());
            }
        }
    });
    client.batch_execute("LISTEN eventcore").await.unwrap();
    (client, payloads)
}

/// Until a safe position of at least this is received, or this time is over.
async fn hear(
    heard: &mut mpsc::UnboundedReceiver<String>,
    position: i64,
    within: Duration,
) -> Option<Duration> {
    let started = Instant::now();
    tokio::time::timeout(within, async {
        while let Some(payload) = heard.recv().await {
            if payload.parse::<i64>().unwrap() >= position {
                return;
            }
        }
    })
    .await
    .ok()
    .map(|()| started.elapsed())
}

#[tokio::test]
async fn listeners_hear_the_safe_position() {
    let (url, writer) = database("listen_payload").await;
    let (listener, mut heard) = listen(&url).await;
    for round in 0..5 {
        let position = write(&writer).await;
        let took = hear(&mut heard, position, Duration::from_secs(5)).await;
        // The first one includes the start of the notifier.
        let limit = if round == 0 { 2_000 } else { 200 };
        assert!(
            took.is_some_and(|took| took < Duration::from_millis(limit)),
            "{round}: {took:?}"
        );
        let safe: i64 = value(&listener, "SELECT eventcore_safe_position()").await;
        assert_eq!(safe, position);
    }
}

/// A session that rolled back also wakes listeners: the safe position passes the abandoned
/// positions.
#[tokio::test]
async fn listeners_hear_that_a_rollback_moved_the_safe_position() {
    let (url, writer) = database("listen_rollback").await;
    write_and_settle(&writer).await;
    let slow = connect(&url).await;
    slow.batch_execute("BEGIN").await.unwrap();
    append(&slow, &[("slow", None)], json!([event("slow", 1)]))
        .await
        .unwrap();
    let position = write(&writer).await;
    let (_listener, mut heard) = listen(&url).await;
    assert_eq!(
        hear(&mut heard, position, Duration::from_millis(400)).await,
        None
    );
    slow.batch_execute("ROLLBACK").await.unwrap();
    let took = hear(&mut heard, position, Duration::from_secs(3)).await;
    assert!(
        took.is_some_and(|took| took < Duration::from_millis(300)),
        "{took:?}"
    );
}

/// A statement that makes the notifier leave must not leave listeners waiting until the next
/// append.
#[tokio::test]
async fn listeners_hear_of_an_append_that_follows_what_sent_the_notifier_away() {
    let server: &Server = server_with_workers();
    let (url, writer) = database("listen_away").await;
    server
        .psql("postgres", "CREATE ROLE listen_away_nobody LOGIN")
        .unwrap();
    let admin = connect(&server.url("postgres")).await;
    let mut wrong = Vec::new();
    for statement in [
        "ALTER DATABASE listen_away CONNECTION LIMIT 50",
        "SET ROLE listen_away_nobody; ALTER DATABASE listen_away RENAME TO mine",
        "SET ROLE listen_away_nobody; DROP DATABASE listen_away",
        "SET ROLE listen_away_nobody; CREATE DATABASE mine TEMPLATE listen_away",
    ] {
        let (_listener, mut heard) = listen(&url).await;
        let position = write(&writer).await;
        hear(&mut heard, position, Duration::from_secs(5))
            .await
            .expect("the notifier works");
        // In a database that is in use, all but the first fail.
        let _ = admin.batch_execute(statement).await;
        admin.batch_execute("RESET ROLE").await.unwrap();
        let position = write(&writer).await;
        let took = hear(&mut heard, position, Duration::from_secs(2)).await;
        if took.is_none() {
            wrong.push(statement);
        }
        // The next one starts with a notifier that has run for a while.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        write(&writer).await;
    }
    assert!(wrong.is_empty(), "nothing is heard after {wrong:#?}");
}

#[tokio::test]
async fn listeners_hear_of_appends_after_the_extension_was_dropped_and_created_again() {
    let (url, client) = database("listen_again").await;
    for _ in 0..20 {
        write(&client).await;
    }
    let (_listener, mut heard) = listen(&url).await;
    let position = write_and_settle(&client).await;
    hear(&mut heard, position, Duration::from_secs(5))
        .await
        .expect("the notifier works");
    client
        .batch_execute(
            "SET eventcore.allow_drop = on; DROP EXTENSION eventcore; CREATE EXTENSION eventcore",
        )
        .await
        .unwrap();
    let position = write(&client).await;
    let started = Instant::now();
    let took = tokio::time::timeout(Duration::from_secs(4), async {
        while heard.recv().await.unwrap() != position.to_string() {}
    })
    .await;
    assert!(
        took.is_ok(),
        "nothing is heard within {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn listeners_hear_again_after_the_notifier_was_killed() {
    let (url, writer) = database("listen_killed").await;
    let (_listener, mut heard) = listen(&url).await;
    let position = write(&writer).await;
    hear(&mut heard, position, Duration::from_secs(5))
        .await
        .expect("the notifier works");
    let ended: i64 = value(
        &writer,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
          WHERE datname = current_database() AND backend_type = 'eventcore notifier'",
    )
    .await;
    assert_eq!(ended, 1);
    let position = write(&writer).await;
    let took = hear(&mut heard, position, Duration::from_secs(5)).await;
    assert!(
        took.is_some_and(|took| took < Duration::from_secs(3)),
        "{took:?}"
    );
}

/// The only slot for a database is free again when the first database is gone.
#[tokio::test]
async fn listeners_hear_of_appends_in_a_database_that_takes_the_place_of_a_dropped_one() {
    let options = ServerOptions::new()
        .without_fsync()
        .set("eventcore.max_databases", "1");
    let server = Server::start(options).unwrap();
    let gone = connect(&server.create_database("gone").unwrap()).await;
    let url = server.create_database("taker").unwrap();
    let (writer, admin) = (connect(&url).await, connect(&server.url("postgres")).await);
    let (_listener, mut heard) = listen(&url).await;
    write(&gone).await;
    admin
        .batch_execute("DROP DATABASE gone WITH (FORCE)")
        .await
        .unwrap();
    let position = write(&writer).await;
    let took = hear(&mut heard, position, Duration::from_secs(4)).await;
    assert!(took.is_some(), "nothing is heard");
}
