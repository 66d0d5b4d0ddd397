//! Reading the global order, and the safe position, `P4` and `P5`.

use serde_json::json;

use crate::support::{Client, Declared, append, connect, database, event, read, session, value};

async fn seen(client: &Client, arguments: &str) -> Vec<(String, i64)> {
    let sql = format!("SELECT * FROM eventcore_read_all({arguments})");
    let events = read(client, &sql, &[]).await;
    events
        .into_iter()
        .map(|event| (event.stream, event.version))
        .collect()
}

fn names(events: &[(&str, i64)]) -> Vec<(String, i64)> {
    events
        .iter()
        .map(|(name, version)| ((*name).to_owned(), *version))
        .collect()
}

#[tokio::test]
async fn the_global_order_is_read_forward_backward_limited_and_filtered_by_literal_prefixes() {
    let (_, client) = database("all_filters").await;
    let streams = ["a_b", "axb", "a%b", "ab", "A_b", "ü-1", "\\_"];
    for name in streams {
        let event_type = if name.starts_with('a') { "A" } else { "Other" };
        let events = json!([{"stream": name, "type": event_type, "payload": 1}]);
        append(&client, &[(name, Some(0))], events).await.unwrap();
    }
    let positions: Vec<i64> = read(&client, "SELECT * FROM eventcore_read_all()", &[])
        .await
        .iter()
        .map(|e| e.position)
        .collect();
    assert_eq!(positions.len(), streams.len());
    assert!(positions.is_sorted());
    assert_eq!(
        value::<i64>(&client, "SELECT eventcore_safe_position()").await,
        positions[6]
    );

    let third = positions[2];
    let table: [(String, &[&str]); 20] = [
        (String::new(), &streams),
        (format!("{third}"), &streams[3..]),
        (format!("{third}, 2"), &streams[3..5]),
        ("max_count => 0".into(), &[]),
        ("1000".into(), &[]),
        ("backward => true, max_count => 2".into(), &["\\_", "ü-1"]),
        (format!("{third}, 1, true"), &["axb"]),
        (format!("{third}, NULL, true"), &["axb", "a_b"]),
        ("9223372036854775807, 1, true".into(), &["\\_"]),
        ("1, 1, true".into(), &[]),
        ("stream_prefixes => '{a_}'".into(), &["a_b"]),
        ("stream_prefixes => '{a%}'".into(), &["a%b"]),
        ("stream_prefixes => '{%}'".into(), &[]),
        (
            "stream_prefixes => ARRAY['\\', 'ü']".into(),
            &["ü-1", "\\_"],
        ),
        ("stream_prefixes => '{\"\"}'".into(), &streams),
        ("stream_prefixes => '{}'".into(), &[]),
        (
            "stream_prefixes => '{a,ab,A}'".into(),
            &["a_b", "axb", "a%b", "ab", "A_b"],
        ),
        (
            "stream_prefixes => '{a}', max_count => 2, backward => true".into(),
            &["ab", "a%b"],
        ),
        ("event_types => '{Other}'".into(), &["A_b", "ü-1", "\\_"]),
        (
            "event_types => '{Other}', stream_prefixes => '{A,a}'".into(),
            &["A_b"],
        ),
    ];
    for (arguments, expected) in table {
        let expected: Vec<_> = expected.iter().map(|name| (*name, 1)).collect();
        assert_eq!(
            seen(&client, &arguments).await,
            names(&expected),
            "{arguments}"
        );
    }
}

/// P4.
#[tokio::test]
async fn read_all_stops_below_an_append_that_has_not_ended() {
    let (url, mut one) = database("all_in_flight").await;
    let (two, reader) = (connect(&url).await, connect(&url).await);
    append(&two, &[("before", Some(0))], json!([event("before", 1)]))
        .await
        .unwrap();
    for commit in [true, false] {
        let name = format!("slow-{commit}");
        let transaction = one.transaction().await.unwrap();
        let slow = append(&transaction, &[(&name, Some(0))], json!([event(&name, 1)]))
            .await
            .unwrap();
        let quick = append(&two, &[("quick", None)], json!([event("quick", 1)]))
            .await
            .unwrap();
        let (slow, quick) = (slow.positions.unwrap().0, quick.positions.unwrap().0);
        assert!(slow < quick);

        let safe: i64 = value(&reader, "SELECT eventcore_safe_position()").await;
        assert!(safe < slow, "{safe}");
        for arguments in [
            "",
            "backward => true",
            &format!("{slow}"),
            &format!("{slow}, 9, true"),
        ] {
            for event in read(
                &reader,
                &format!("SELECT * FROM eventcore_read_all({arguments})"),
                &[],
            )
            .await
            {
                assert!(event.position < slow, "{event:?}");
            }
        }
        // The writer itself sees no more than that.
        assert_eq!(
            value::<i64>(&transaction, "SELECT eventcore_safe_position()").await,
            safe
        );

        if commit {
            transaction.commit().await
        } else {
            transaction.rollback().await
        }
        .unwrap();
        assert_eq!(
            value::<i64>(&reader, "SELECT eventcore_safe_position()").await,
            quick
        );
        let newest = seen(&reader, "backward => true, max_count => 2").await;
        assert_eq!(newest[0].0, "quick");
        assert_eq!(newest[1].0 == name, commit, "{newest:?}");
    }
}

/// P4: positions that were rolled back to a savepoint hold nothing back, and nothing above them is
/// returned too early.
#[tokio::test]
async fn a_savepoint_rolled_back_leaves_its_positions_held_until_the_transaction_ends() {
    let (url, one) = database("all_savepoint").await;
    let other = connect(&url).await;
    one.batch_execute("BEGIN; SAVEPOINT s").await.unwrap();
    append(&one, &[("gone", Some(0))], json!([event("gone", 1)]))
        .await
        .unwrap();
    one.batch_execute("ROLLBACK TO s").await.unwrap();
    append(&other, &[("other", Some(0))], json!([event("other", 1)]))
        .await
        .unwrap();
    append(&one, &[("kept", Some(0))], json!([event("kept", 1)]))
        .await
        .unwrap();
    assert!(
        seen(&other, "")
            .await
            .iter()
            .all(|(name, _)| name == "other")
    );
    one.batch_execute("COMMIT").await.unwrap();
    assert_eq!(seen(&other, "").await, names(&[("other", 1), ("kept", 1)]));
}

/// P5.
#[tokio::test]
async fn a_transaction_that_appended_nothing_holds_no_reader_back() {
    let (url, writer) = database("all_idle").await;
    let idle = connect(&url).await;
    for begin in [
        "BEGIN; CREATE TABLE t (a int); INSERT INTO t VALUES (1)",
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM eventcore.events",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM eventcore_read_all()",
        // An append that failed, and one that had nothing to write.
        "BEGIN; SELECT eventcore_append('{idle-x}', '{0}', '[]')",
        "BEGIN; SAVEPOINT s; SELECT eventcore_append('{idle}', '{NULL}', '[]'); ROLLBACK TO s",
    ] {
        idle.batch_execute(begin).await.unwrap();
        let done = append(&writer, &[("idle", None)], json!([event("idle", 1)]))
            .await
            .unwrap();
        let safe: i64 = value(&writer, "SELECT eventcore_safe_position()").await;
        assert_eq!(safe, done.positions.unwrap().1, "{begin}");
        let last = read(
            &writer,
            "SELECT * FROM eventcore_read_all(backward => true, max_count => 1)",
            &[],
        );
        assert_eq!(last.await[0].position, safe);
        idle.batch_execute("ROLLBACK").await.unwrap();
    }
}

/// P4: in a transaction with one snapshot, read_all is as current as elsewhere; read_stream is not.
#[tokio::test]
async fn read_all_is_current_in_every_isolation_level() {
    let (url, writer) = database("all_isolation").await;
    append(&writer, &[("iso", Some(0))], json!([event("iso", 0)]))
        .await
        .unwrap();
    for (level, follows) in [
        ("READ COMMITTED", true),
        ("REPEATABLE READ", false),
        ("SERIALIZABLE", false),
    ] {
        for mode in ["READ WRITE", "READ ONLY"] {
            let reader = connect(&url).await;
            let begin = format!("BEGIN ISOLATION LEVEL {level} {mode}");
            reader.batch_execute(&begin).await.unwrap();
            let before: i64 =
                value(&reader, "SELECT count(*) FROM eventcore_read_stream('iso')").await;
            let done = append(&writer, &[("iso", None)], json!([event("iso", 1)]))
                .await
                .unwrap();
            let position = done.positions.unwrap().0;
            let last = seen(&reader, "backward => true, max_count => 1").await;
            assert_eq!(last, [("iso".to_owned(), before + 1)], "{begin}");
            assert_eq!(
                value::<i64>(&reader, "SELECT eventcore_safe_position()").await,
                position
            );
            let streams: i64 =
                value(&reader, "SELECT count(*) FROM eventcore_read_stream('iso')").await;
            let head: i64 = value(
                &reader,
                "SELECT version FROM eventcore_stream_versions('{iso}')",
            )
            .await;
            let expected = if follows { before + 1 } else { before };
            assert_eq!((streams, head), (expected, expected), "{begin}");
            reader.batch_execute("COMMIT").await.unwrap();
        }
    }
}

/// P2: the check does not trust the transaction's snapshot.
#[tokio::test]
async fn an_append_checks_the_newest_versions_in_every_isolation_level() {
    let (url, writer) = database("all_append_isolation").await;
    append(&writer, &[("iso", Some(0))], json!([event("iso", 1)]))
        .await
        .unwrap();
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let slow = connect(&url).await;
        slow.batch_execute(&format!(
            "BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM eventcore.events"
        ))
        .await
        .unwrap();
        let head: i64 = value(
            &writer,
            "SELECT version FROM eventcore_stream_versions('{iso}')",
        )
        .await;
        append(&writer, &[("iso", Some(head))], json!([event("iso", 2)]))
            .await
            .unwrap();
        let declared: [Declared<'_>; 1] = [("iso", Some(head))];
        slow.batch_execute("SAVEPOINT s").await.unwrap();
        let failed = append(&slow, &declared, json!([event("iso", 3)]))
            .await
            .unwrap_err();
        let detail = failed.assert_ours("SE001");
        assert_eq!(detail["conflicts"][0]["actual"], json!(head + 1), "{level}");
        slow.batch_execute("ROLLBACK TO s").await.unwrap();
        append(&slow, &[("iso", Some(head + 1))], json!([event("iso", 3)]))
            .await
            .unwrap();
        slow.batch_execute("COMMIT").await.unwrap();
    }
}

/// P4, with hundreds of aborted and committed appends on several sessions.
#[tokio::test]
async fn a_reader_that_follows_positions_sees_every_committed_event_once_and_in_order() {
    let (url, reader) = database("all_follow").await;
    let mut writers = Vec::new();
    for w in 0..4 {
        let client = connect(&url).await;
        writers.push(tokio::spawn(async move {
            let mut written = Vec::new();
            for n in 0..60_i64 {
                client.batch_execute("BEGIN").await.unwrap();
                let name = format!("follow-{}", (w + n) % 6);
                let done = append(
                    &client,
                    &[(&name, None)],
                    json!([event(&name, n), event(&name, n)]),
                )
                .await
                .unwrap();
                if (n * 7 + w) % 4 == 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
                }
                if (n + w) % 5 == 0 {
                    client.batch_execute("ROLLBACK").await.unwrap();
                } else {
                    client.batch_execute("COMMIT").await.unwrap();
                    let (first, last) = done.positions.unwrap();
                    written.extend([first, last]);
                }
            }
            written
        }));
    }
    let mut followed: Vec<i64> = Vec::new();
    let mut follow = async || {
        let after = followed.last().copied().unwrap_or(0);
        let sql = "SELECT * FROM eventcore_read_all($1, 7)";
        let page = read(&reader, sql, &[&after]).await;
        followed.extend(page.iter().map(|event| event.position));
        page.is_empty()
    };
    while writers.iter().any(|writer| !writer.is_finished()) {
        follow().await;
        tokio::task::yield_now().await;
    }
    while !follow().await {}
    let mut written = Vec::new();
    for writer in writers {
        written.extend(writer.await.unwrap());
    }
    written.sort_unstable();
    assert!(!written.is_empty());
    assert_eq!(followed, written);
}

#[tokio::test]
async fn a_database_without_an_event_is_empty_and_safe_at_0() {
    let (_, client) = database("all_nothing").await;
    assert_eq!(
        value::<i64>(&client, "SELECT eventcore_safe_position()").await,
        0
    );
    assert_eq!(seen(&client, "").await, []);
    assert_eq!(seen(&client, "backward => true").await, []);
    let other = session().await;
    append(
        &other,
        &[("elsewhere-db", None)],
        json!([event("elsewhere-db", 1)]),
    )
    .await
    .unwrap();
    assert_eq!(
        value::<i64>(&client, "SELECT eventcore_safe_position()").await,
        0
    );
}
