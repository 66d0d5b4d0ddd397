//! P5: only open transactions that have appended hold the safe position back.

use tokio_postgres::IsolationLevel;

use crate::support::*;

#[tokio::test]
async fn a_long_transaction_that_appended_nothing_delays_no_reader() {
    let (url, other) = (database("delay"), database("delay_other"));
    let session = connect(&url).await;
    Append::one("s", None).send(&*session).await.unwrap();

    // In another database: a transaction with an id of its own and an append.
    let mut elsewhere = connect(&other).await;
    let elsewhere = elsewhere.transaction().await.unwrap();
    elsewhere
        .batch_execute("CREATE TABLE t (n int)")
        .await
        .unwrap();
    Append::one("s", None).send(&elsewhere).await.unwrap();
    // In this database: transactions that only read, wrote something else, hold an old snapshot,
    // checked a stream, or whose append failed before it got positions.
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(connect(&url).await);
    }
    let [reader, writer, snapshot, checker, refused] = &mut sessions[..] else {
        unreachable!()
    };
    let reader = reader.transaction().await.unwrap();
    assert_eq!(read_all(&reader, 0, 10).await.unwrap().len(), 1);
    let writer = writer.transaction().await.unwrap();
    writer
        .batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    let snapshot = snapshot
        .build_transaction()
        .isolation_level(IsolationLevel::Serializable);
    let snapshot = snapshot.start().await.unwrap();
    snapshot
        .batch_execute("SELECT count(*) FROM eventcore.events")
        .await
        .unwrap();
    let checker = checker.transaction().await.unwrap();
    Append::new()
        .check("s", Some(1))
        .send(&checker)
        .await
        .unwrap();
    let refused = refused.transaction().await.unwrap();
    let error = Append::one("t", Some(7)).send(&refused).await.unwrap_err();
    assert_eq!(sqlstate(&error), "SE001");

    for _ in 0..20 {
        let done = Append::one("u", None).send(&*session).await.unwrap();
        assert_eq!(safe_position(&*session).await.unwrap(), done.last.unwrap());
        let seen = read_all(&*session, done.first.unwrap() - 1, 10)
            .await
            .unwrap();
        assert_eq!(seen.len(), 1);
        let seen = read_all(&snapshot, done.first.unwrap() - 1, 10)
            .await
            .unwrap();
        assert_eq!(seen.len(), 1, "in a transaction with an old snapshot");
    }
}

#[tokio::test]
async fn an_open_append_holds_the_safe_position_exactly_below_its_own_position() {
    let url = database("delay_open");
    let (mut first, mut second) = (connect(&url).await, connect(&url).await);
    let session = connect(&url).await;
    let before = append_one(&*session, "s").await;

    let open = first.transaction().await.unwrap();
    let held = append_one(&open, "a").await;
    assert!(held > before);
    // A second append of the same transaction, and one in a savepoint that is rolled back.
    Append::one("a", None).send(&open).await.unwrap();
    open.batch_execute("SAVEPOINT s").await.unwrap();
    Append::one("a", None).send(&open).await.unwrap();
    open.batch_execute("ROLLBACK TO s").await.unwrap();
    assert_eq!(safe_position(&*session).await.unwrap(), held - 1);

    // Others commit, and another one stays open: the first one still determines the safe position.
    Append::one("b", None).send(&*session).await.unwrap();
    let later = second.transaction().await.unwrap();
    let held_later = append_one(&later, "c").await;
    let last = append_one(&*session, "b").await;
    assert_eq!(safe_position(&*session).await.unwrap(), held - 1);
    assert_eq!(safe_position(&later).await.unwrap(), held - 1);
    assert_eq!(read_all(&*session, before, 10).await.unwrap(), []);

    open.rollback().await.unwrap();
    assert_eq!(safe_position(&*session).await.unwrap(), held_later - 1);
    later.commit().await.unwrap();
    assert_eq!(safe_position(&*session).await.unwrap(), last);
    let streams: Vec<_> = read_all(&*session, before, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.stream)
        .collect();
    assert_eq!(streams, ["b", "c", "b"]);
}

#[tokio::test]
async fn a_terminated_append_lets_the_safe_position_move_on_and_listeners_hear_of_it() {
    let url = database("delay_gone");
    let session = connect(&url).await;
    let mut listener = listen(&url).await;
    for kill in ["ROLLBACK", "terminate", "disconnect", "error"] {
        let victim = connect(&url).await;
        victim.batch_execute("BEGIN").await.unwrap();
        let held = append_one(&*victim, "a").await;
        let last = append_one(&*session, "b").await;
        assert_eq!(safe_position(&*session).await.unwrap(), held - 1);
        match kill {
            "ROLLBACK" => victim.batch_execute("ROLLBACK").await.unwrap(),
            "terminate" => {
                let terminate = format!("SELECT pg_terminate_backend({})", victim.pid);
                session.batch_execute(&terminate).await.unwrap();
            }
            "disconnect" => drop(victim),
            _ => {
                victim.batch_execute("SELECT 1/0").await.unwrap_err();
            }
        }
        // There are no further appends: only the end of that transaction can have reached the
        // notifier.
        listener.up_to(last).await;
        assert_eq!(
            safe_position(&*session).await.unwrap(),
            last,
            "after {kill}"
        );
    }
}
