//! Appends in transactions, in statements, and in functions and triggers.

use serde_json::json;

use crate::support::{append, event, failure, session, stream, value};

#[tokio::test]
async fn several_appends_in_one_statement_see_each_other() {
    let client = session().await;
    let call = |expected: i64| {
        format!(
            "eventcore_append('{{one-statement}}', '{{{expected}}}',
                '[{{\"stream\":\"one-statement\",\"type\":\"A\",\"payload\":1}}]')"
        )
    };
    client
        .batch_execute(&format!("SELECT {}, {}, {}", call(0), call(1), call(2)))
        .await
        .unwrap();
    assert_eq!(stream(&client, "one-statement").await.len(), 3);

    // The first append sees that the second has not happened yet, so the whole statement fails.
    let failed = failure(
        client
            .batch_execute(&format!("SELECT {}, {}", call(3), call(3)))
            .await,
    );
    assert_eq!(
        failed.assert_ours("SE001")["conflicts"][0]["actual"],
        json!(4)
    );
    assert_eq!(stream(&client, "one-statement").await.len(), 3);

    client
        .batch_execute(
            "SELECT a.* FROM generate_series(3, 52) AS n, LATERAL eventcore_append('{one-statement}',
                 ARRAY[n::bigint], '{one-statement}', '{A}', ARRAY[to_jsonb(n)], NULL) AS a",
        )
        .await
        .unwrap();
    assert_eq!(stream(&client, "one-statement").await.len(), 53);
}

#[tokio::test]
async fn appends_of_one_transaction_commit_and_roll_back_together() {
    let mut client = session().await;
    for commit in [false, true] {
        let transaction = client.transaction().await.unwrap();
        for n in 0..3 {
            let done = append(
                &transaction,
                &[("one-tx", Some(n))],
                json!([event("one-tx", n)]),
            )
            .await;
            assert_eq!(done.unwrap().versions, [n + 1]);
            assert_eq!(stream(&transaction, "one-tx").await.len() as i64, n + 1);
        }
        let other = session().await;
        assert_eq!(stream(&other, "one-tx").await, []);
        if commit {
            transaction.commit().await
        } else {
            transaction.rollback().await
        }
        .unwrap();
        assert_eq!(
            stream(&other, "one-tx").await.len(),
            if commit { 3 } else { 0 }
        );
    }
}

/// P1, P3.
#[tokio::test]
async fn a_rollback_to_a_savepoint_takes_back_what_came_after_it_and_nothing_else() {
    let mut client = session().await;
    let mut transaction = client.transaction().await.unwrap();
    append(
        &transaction,
        &[("saved", Some(0))],
        json!([event("saved", 1)]),
    )
    .await
    .unwrap();
    {
        let savepoint = transaction.savepoint("one").await.unwrap();
        append(
            &savepoint,
            &[("saved", Some(1))],
            json!([event("saved", 2)]),
        )
        .await
        .unwrap();
        savepoint.rollback().await.unwrap();
    }
    {
        let savepoint = transaction.savepoint("two").await.unwrap();
        append(
            &savepoint,
            &[("saved", Some(2))],
            json!([event("saved", 2)]),
        )
        .await
        .unwrap_err()
        .assert_ours("SE001");
        savepoint.rollback().await.unwrap();
    }
    let savepoint = transaction.savepoint("three").await.unwrap();
    append(
        &savepoint,
        &[("saved", Some(1))],
        json!([event("saved", 3)]),
    )
    .await
    .unwrap();
    savepoint.commit().await.unwrap();
    transaction.commit().await.unwrap();
    let events = stream(&client, "saved").await;
    let numbers: Vec<_> = events
        .iter()
        .map(|event| event.payload["n"].clone())
        .collect();
    assert_eq!(numbers, [json!(1), json!(3)]);
    assert_eq!(events[1].version, 2);
    assert!(events[0].position < events[1].position);
}

#[tokio::test]
async fn an_append_works_from_plpgsql_sql_functions_and_triggers() {
    let client = session().await;
    client
        .batch_execute(
            r#"
            CREATE FUNCTION by_sql(n bigint) RETURNS bigint LANGUAGE sql AS
                $$ SELECT last_position FROM eventcore_append('{by-sql}', ARRAY[n],
                       '[{"stream":"by-sql","type":"A","payload":1}]') $$;
            CREATE TABLE orders (id bigint);
            CREATE FUNCTION on_order() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM eventcore_append('{by-trigger}', '{NULL}', '{by-trigger}', '{Ordered}',
                                         ARRAY[to_jsonb(NEW)], NULL);
                RETURN NEW;
            END $$;
            CREATE TRIGGER ordered AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION on_order();
            SELECT by_sql(0), by_sql(1);
            INSERT INTO orders SELECT generate_series(1, 20);
            "#,
        )
        .await
        .unwrap();
    assert_eq!(stream(&client, "by-sql").await.len(), 2);
    assert_eq!(stream(&client, "by-trigger").await.len(), 20);
}

#[tokio::test]
async fn an_append_that_waits_for_a_stream_can_be_cancelled_and_times_out() {
    let (mut one, two) = (session().await, session().await);
    let transaction = one.transaction().await.unwrap();
    append(
        &transaction,
        &[("locked", Some(0))],
        json!([event("locked", 1)]),
    )
    .await
    .unwrap();
    for (setting, code) in [("lock_timeout", "55P03"), ("statement_timeout", "57014")] {
        two.batch_execute(&format!("SET {setting} = '50ms'"))
            .await
            .unwrap();
        // Once for a stream that is written, and once for a stream that is only checked.
        for events in [json!([event("locked", 2)]), json!([])] {
            let failed = append(&two, &[("locked", Some(0))], events)
                .await
                .unwrap_err();
            assert_eq!(failed.code, code, "{failed:?}");
        }
        two.batch_execute("RESET ALL").await.unwrap();
        // An append does not wait for a stream that it neither writes nor checks.
        append(&two, &[("locked", None)], json!([])).await.unwrap();
    }
    transaction.rollback().await.unwrap();
    append(&two, &[("locked", Some(0))], json!([event("locked", 2)]))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_read_only_transaction_refuses_an_append_with_the_servers_own_error() {
    let client = session().await;
    client.batch_execute("BEGIN READ ONLY").await.unwrap();
    let failed = append(
        &client,
        &[("read-only", Some(0))],
        json!([event("read-only", 1)]),
    )
    .await;
    assert_eq!(failed.unwrap_err().code, "25006");
    client.batch_execute("ROLLBACK").await.unwrap();
}

/// P4: a prepared transaction would hold its positions until it is ended by hand.
#[tokio::test]
async fn a_transaction_that_appended_cannot_be_prepared() {
    let client = session().await;
    client.batch_execute("BEGIN").await.unwrap();
    append(
        &client,
        &[("prepared", Some(0))],
        json!([event("prepared", 1)]),
    )
    .await
    .unwrap();
    let failed = failure(client.batch_execute("PREPARE TRANSACTION 'p'").await);
    // Without max_prepared_transactions the server may raise its own error first.
    if failed.code != "55000" {
        assert_eq!(
            failed.assert_ours("SE009"),
            json!({"reason": "prepared_transaction"})
        );
    }
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(stream(&client, "prepared").await, []);
}

#[tokio::test]
async fn the_locks_of_a_transactions_streams_are_in_pg_locks_until_it_ends() {
    let mut client = session().await;
    let modes = "SELECT coalesce(string_agg(mode, ',' ORDER BY mode), '') FROM pg_locks
                  WHERE locktype = 'advisory' AND objsubid = 21317 AND pid = pg_backend_pid()";
    let transaction = client.transaction().await.unwrap();
    // A stream that is only checked is shared with others that check it.
    append(
        &transaction,
        &[("locked-checked", Some(0)), ("locked-written", Some(0))],
        json!([event("locked-written", 1)]),
    )
    .await
    .unwrap();
    let held: String = value(&transaction, modes).await;
    assert_eq!(held, "ExclusiveLock,ShareLock");
    transaction.commit().await.unwrap();
    assert_eq!(value::<String>(&client, modes).await, "");
}
