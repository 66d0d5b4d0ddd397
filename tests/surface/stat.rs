//! The views for operators: `eventcore.stat_…` show the outcomes of appends, and the sessions that
//! hold readers back.

use std::time::Duration;

use eventcore_harness::{Server, ServerOptions, shared};
use serde_json::json;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::support::{Client, append, connect, database, event, event_with_id, value};

/// Appends, events, conflicts, repeats, rolled back.
pub(crate) async fn counts(client: &Client) -> [i64; 5] {
    let row = client
        .query_one("SELECT * FROM eventcore.stat_appends", &[])
        .await
        .unwrap();
    ["appends", "events", "conflicts", "repeats", "rolled_back"].map(|name| row.get(name))
}

pub(crate) async fn notifier(client: &Client) -> Row {
    client
        .query_one("SELECT * FROM eventcore.stat_notifier", &[])
        .await
        .unwrap()
}

pub(crate) async fn write(client: &Client, stream: &str) -> i64 {
    let done = append(client, &[(stream, None)], json!([event(stream, 1)])).await;
    done.unwrap().positions.unwrap().1
}

#[tokio::test]
async fn appends_are_counted_by_what_became_of_them() {
    let (url, client) = database("stat_counts").await;
    let (id, reader) = (Uuid::now_v7(), connect(&url).await);
    assert_eq!(counts(&client).await, [0; 5]);

    let once = json!([event_with_id("s", 1, id)]);
    append(&client, &[("s", Some(0))], once.clone())
        .await
        .unwrap();
    assert_eq!(counts(&reader).await, [1, 1, 0, 0, 0]);
    let two = json!([event("s", 2), event("t", 1)]);
    append(&client, &[("s", Some(1)), ("t", None)], two)
        .await
        .unwrap();
    assert_eq!(counts(&reader).await, [2, 3, 0, 0, 0]);

    let again = append(&client, &[("s", Some(0))], once).await.unwrap();
    assert!(again.repeated);
    assert_eq!(counts(&reader).await, [2, 3, 0, 1, 0]);

    for events in [json!([event("s", 3)]), json!([])] {
        append(&client, &[("s", Some(7)), ("t", Some(9))], events)
            .await
            .unwrap_err()
            .assert_ours("SE001");
    }
    assert_eq!(counts(&reader).await, [2, 3, 2, 1, 0], "one per append");

    // Checks that hold and malformed arguments count as none of these.
    append(&client, &[("s", Some(2))], json!([])).await.unwrap();
    append(&client, &[("s", Some(-2))], json!([]))
        .await
        .unwrap_err()
        .assert_ours("SE003");
    assert_eq!(counts(&reader).await, [2, 3, 2, 1, 0]);
}

#[tokio::test]
async fn a_transaction_is_counted_when_it_ends_as_it_ends() {
    let (url, client) = database("stat_transactions").await;
    let reader = connect(&url).await;
    for (end, expected) in [("COMMIT", [2, 2, 0, 0, 0]), ("ROLLBACK", [2, 2, 0, 0, 2])] {
        client.batch_execute("BEGIN").await.unwrap();
        write(&client, "a").await;
        write(&client, "b").await;
        let before = counts(&reader).await;
        assert_eq!(before[4], 0, "nothing has ended yet");
        assert_eq!(counts(&client).await, before);
        client.batch_execute(end).await.unwrap();
        assert_eq!(counts(&reader).await, expected, "{end}");
    }
    // A session that disconnects rolls back.
    client.batch_execute("BEGIN").await.unwrap();
    write(&client, "c").await;
    let pid: i32 = value(&client, "SELECT pg_backend_pid()").await;
    value::<bool>(
        &reader,
        &format!("SELECT pg_terminate_backend({pid}, 20000)"),
    )
    .await;
    assert_eq!(counts(&reader).await, [2, 2, 0, 0, 3]);
}

#[tokio::test]
async fn rolled_back_savepoints_are_counted_apart_from_commits() {
    let (_, client) = database("stat_savepoints").await;
    let run = async |sql: &str| client.batch_execute(sql).await.unwrap();
    run("BEGIN; SAVEPOINT one").await;
    write(&client, "one").await;
    run("SAVEPOINT two").await;
    write(&client, "two").await;
    run("SAVEPOINT three").await;
    write(&client, "three").await;
    // Two contains the events of three; one loses both.
    run("RELEASE three; ROLLBACK TO two; SAVEPOINT four").await;
    write(&client, "four").await;
    run("RELEASE four; RELEASE one").await;
    write(&client, "outer").await;
    assert_eq!(counts(&client).await, [0, 0, 0, 0, 2]);
    run("COMMIT").await;
    let kept: i64 = value(&client, "SELECT count(*) FROM eventcore.events").await;
    assert_eq!(kept, 3, "one, four, outer");
    assert_eq!(counts(&client).await, [3, 3, 0, 0, 2]);

    // Everything is gone, although its savepoints were released.
    run("BEGIN; SAVEPOINT one").await;
    write(&client, "one").await;
    run("SAVEPOINT two").await;
    write(&client, "two").await;
    run("RELEASE two; ROLLBACK").await;
    assert_eq!(counts(&client).await, [3, 3, 0, 0, 4]);

    // A command that retries inside the server: the first attempt conflicts, the second is caught
    // after its append, the third succeeds.
    run("DO $$
         DECLARE one text := '[{\"stream\": \"do\", \"type\": \"A\", \"payload\": 1}]';
         BEGIN
             BEGIN PERFORM eventcore_append('{do}', '{5}', one::jsonb);
             EXCEPTION WHEN SQLSTATE 'SE001' THEN NULL; END;
             BEGIN PERFORM eventcore_append('{do}', '{0}', one::jsonb); RAISE division_by_zero;
             EXCEPTION WHEN division_by_zero THEN NULL; END;
             BEGIN PERFORM eventcore_append('{do}', '{0}', one::jsonb);
             EXCEPTION WHEN OTHERS THEN NULL; END;
         END $$")
    .await;
    assert_eq!(counts(&client).await, [4, 4, 1, 0, 5]);
}

#[tokio::test]
async fn each_database_counts_for_itself_and_from_the_start_of_the_server_on() {
    let mut server = Server::start(ServerOptions::new().without_fsync()).unwrap();
    let urls = ["one", "two"].map(|name| server.create_database(name).unwrap());
    let (one, two) = (connect(&urls[0]).await, connect(&urls[1]).await);
    for _ in 0..3 {
        write(&one, "s").await;
    }
    write(&two, "s").await;
    assert_eq!(counts(&one).await[0], 3);
    assert_eq!(counts(&two).await[0], 1);
    let since = "SELECT since FROM eventcore.stat_appends";
    let before: std::time::SystemTime = value(&one, since).await;
    drop((one, two));

    server.restart().unwrap();
    let one = connect(&urls[0]).await;
    assert_eq!(counts(&one).await, [0; 5]);
    assert!(value::<std::time::SystemTime>(&one, since).await > before);
    let began = "SELECT since BETWEEN pg_postmaster_start_time() AND clock_timestamp()
                   FROM eventcore.stat_appends";
    assert!(value::<bool>(&one, began).await);

    // A new installation starts at zero.
    write(&one, "s").await;
    one.batch_execute(
        "SET eventcore.allow_drop = on; DROP EXTENSION eventcore; CREATE EXTENSION eventcore",
    )
    .await
    .unwrap();
    write(&one, "s").await;
    assert_eq!(counts(&one).await, [1, 1, 0, 0, 0]);
}

/// The rows of `eventcore.stat_inflight`, lowest position first.
pub(crate) async fn inflight(client: &Client) -> Vec<Row> {
    let sql = "SELECT * FROM eventcore.stat_inflight ORDER BY lowest_position";
    client.query(sql, &[]).await.unwrap()
}

/// Returns when these sessions wait for their client. A client may have the answer to its
/// statement before the server shows that.
async fn until_idle(client: &Client, sessions: &[(i32, i64)]) {
    let pids: Vec<String> = sessions.iter().map(|(pid, _)| pid.to_string()).collect();
    let all = format!(
        "SELECT bool_and(wait_event IS NOT DISTINCT FROM 'ClientRead')
           FROM pg_stat_activity WHERE pid IN ({})",
        pids.join(", ")
    );
    let poll = async {
        while !value::<bool>(client, &all).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), poll)
        .await
        .expect("a session does not wait for its client");
}

#[tokio::test]
async fn inflight_shows_who_holds_positions_and_which_of_them_readers_wait_for() {
    let (url, watcher) = database("stat_inflight").await;
    let (first, second) = (connect(&url).await, connect(&url).await);
    write(&watcher, "before").await;
    // An old transaction without appends holds nothing back.
    let idle = connect(&url).await;
    idle.batch_execute("BEGIN; SELECT count(*) FROM eventcore.events")
        .await
        .unwrap();
    assert_eq!(inflight(&watcher).await.len(), 0);

    let mut expected = Vec::new();
    for (client, name) in [(&first, "first"), (&second, "second")] {
        client
            .batch_execute(&format!("SET application_name = '{name}'; BEGIN"))
            .await
            .unwrap();
        let pid: i32 = value(client, "SELECT pg_backend_pid()").await;
        expected.push((pid, write(client, name).await));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    second
        .batch_execute("SELECT 'the last statement'")
        .await
        .unwrap();
    until_idle(&watcher, &expected).await;

    let rows = inflight(&watcher).await;
    let found: Vec<(i32, i64)> = rows
        .iter()
        .map(|row| (row.get("pid"), row.get("lowest_position")))
        .collect();
    assert_eq!(found, expected);
    let safe: i64 = value(&watcher, "SELECT eventcore_safe_position()").await;
    assert_eq!(safe, expected[0].1 - 1);
    for (row, name) in rows.iter().zip(["first", "second"]) {
        let holds: bool = row.get("holds_safe_position");
        assert_eq!(holds, name == "first");
        assert_eq!(row.get::<_, &str>("application_name"), name);
        assert_eq!(row.get::<_, &str>("usename"), "postgres");
        assert_eq!(row.get::<_, &str>("state"), "idle in transaction");
        assert_eq!(row.get::<_, &str>("wait_event"), "ClientRead");
        assert_eq!(row.get::<_, &str>("wait_event_type"), "Client");
        let age: f64 = row.get("age_seconds");
        assert!((0.3..60.0).contains(&age), "{age}");
    }
    let query: &str = rows[0].get("query");
    assert!(query.contains("eventcore_append"), "{query}");
    assert_eq!(
        rows[1].get::<_, &str>("query"),
        "SELECT 'the last statement'"
    );
    let same = "SELECT count(*) FROM eventcore.stat_inflight i JOIN pg_stat_activity a USING (pid)
                 WHERE i.transaction_start = a.xact_start";
    assert_eq!(value::<i64>(&watcher, same).await, 2);

    // The next one holds readers back when the first one has ended.
    first.batch_execute("ROLLBACK").await.unwrap();
    let rows = inflight(&watcher).await;
    assert_eq!(rows.len(), 1);
    assert!(rows[0].get::<_, bool>("holds_safe_position"));
    // Like an operator who cannot wait.
    let ended = "SELECT pg_terminate_backend(pid, 20000) FROM eventcore.stat_inflight
                  WHERE holds_safe_position";
    assert!(value::<bool>(&watcher, ended).await);
    assert_eq!(inflight(&watcher).await.len(), 0);
}

#[tokio::test]
async fn inflight_shows_no_other_database_and_rows_by_sql_hold_everything() {
    let (_, here) = database("stat_here").await;
    let (url, there) = database("stat_there").await;
    there.batch_execute("BEGIN").await.unwrap();
    write(&there, "s").await;
    assert_eq!(inflight(&here).await.len(), 0);
    there.batch_execute("COMMIT").await.unwrap();

    there
        .batch_execute(
            "BEGIN; INSERT INTO eventcore.events
             VALUES (5000, 1, now(), gen_random_uuid(), 'by_sql', 'Came', '{}')",
        )
        .await
        .unwrap();
    let rows = inflight(&connect(&url).await).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].get::<_, i64>("lowest_position"), 1);
    there.batch_execute("COMMIT").await.unwrap();
    assert_eq!(counts(&there).await, [1, 1, 0, 0, 0], "that is no append");
}

/// The SQL of the page on monitoring: its role, then the queries of that role.
fn operations() -> Vec<&'static str> {
    let page = include_str!("../../docs/operations/monitor.md");
    let section = page.split_once("## A role that monitors").unwrap().1;
    let blocks = section.split("```sql\n").skip(1);
    blocks
        .map(|rest| rest.split_once("```").unwrap().0)
        .collect()
}

#[tokio::test]
async fn readers_see_of_other_sessions_what_pg_stat_activity_lets_them_see() {
    let (url, writer) = database("stat_rights").await;
    writer
        .batch_execute("CREATE ROLE stat_reader IN ROLE eventcore_reader")
        .await
        .unwrap();
    writer.batch_execute(operations()[0]).await.unwrap();
    writer.batch_execute("BEGIN").await.unwrap();
    let position = write(&writer, "s").await;
    for (role, sees) in [("stat_reader", false), ("monitoring", true)] {
        let client = connect(&url).await;
        client
            .batch_execute(&format!("SET ROLE {role}"))
            .await
            .unwrap();
        let rows = inflight(&client).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].get::<_, i64>("lowest_position"), position);
        assert!(rows[0].get::<_, bool>("holds_safe_position"));
        let query: Option<&str> = rows[0].get("query");
        let shown = query.is_some_and(|query| query.contains("eventcore_append"));
        assert_eq!(shown, sees, "{role}: {query:?}");
        assert_eq!(rows[0].get::<_, Option<&str>>("state").is_some(), sees);
        assert_eq!(counts(&client).await, [0; 5]);
        notifier(&client).await;
        let events = client
            .batch_execute("SELECT payload FROM eventcore.events")
            .await;
        assert_eq!(events.is_ok(), role == "stat_reader");
    }
}

#[tokio::test]
async fn the_queries_of_the_page_on_monitoring_run_for_a_monitoring_role() {
    let (_, client) = database("stat_page").await;
    let sql = operations();
    assert_eq!(sql.len(), 8);
    let role = sql[0].replace("monitoring", "page_monitoring");
    client.batch_execute(&role).await.unwrap();
    client
        .batch_execute("SET ROLE page_monitoring")
        .await
        .unwrap();
    for queries in &sql[1..] {
        client
            .batch_execute(queries)
            .await
            .unwrap_or_else(|error| panic!("{queries}: {error:?}"));
    }
}

/// They are read every second, also during appends: they must be cheap and not read the events.
#[tokio::test]
async fn the_views_do_not_read_the_events() {
    let client = connect(&shared().create_database("stat_cheap").unwrap()).await;
    let events: Vec<_> = (0..2_000).map(|n| event("s", n)).collect();
    append(&client, &[("s", None)], json!(events))
        .await
        .unwrap();
    // The tables that this session has accessed, whatever the notifier does.
    let touched = "SELECT pg_stat_get_xact_numscans('eventcore.events'::regclass)
                        + pg_stat_get_xact_numscans('eventcore.events_pkey'::regclass)
                        + pg_stat_get_xact_blocks_fetched('eventcore.events'::regclass)
                        + pg_stat_get_xact_blocks_fetched('eventcore.events_pkey'::regclass)";
    client.batch_execute("BEGIN").await.unwrap();
    let before: i64 = value(&client, touched).await;
    for _ in 0..10 {
        counts(&client).await;
        inflight(&client).await;
        notifier(&client).await;
    }
    assert_eq!(value::<i64>(&client, touched).await, before);
    client
        .batch_execute("SELECT count(*) FROM eventcore.events")
        .await
        .unwrap();
    assert!(value::<i64>(&client, touched).await > before);
    client.batch_execute("COMMIT").await.unwrap();
}
