//! A rebuild into shadow tables: readers see either the old or the new state, and whatever happens
//! to the rebuild, the projection continues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::json;
use tokio_postgres::Client;

use super::{create, database, seen, until, wait, write};
use crate::support::{append, connect, failure, value};

const BALANCES: &str = "
    CREATE TABLE balances (account text PRIMARY KEY, cents bigint NOT NULL);
    CREATE FUNCTION add_up(events eventcore.events[]) RETURNS void LANGUAGE sql AS $$
        INSERT INTO balances
        SELECT stream_id, sum((payload->>'cents')::bigint / 2) FROM unnest(events) GROUP BY stream_id
        ON CONFLICT (account) DO UPDATE SET cents = balances.cents + excluded.cents $$";

const MEND: &str = "
    CREATE OR REPLACE FUNCTION add_up(events eventcore.events[]) RETURNS void LANGUAGE sql AS $$
        INSERT INTO balances
        SELECT stream_id, sum((payload->>'cents')::bigint) FROM unnest(events) GROUP BY stream_id
        ON CONFLICT (account) DO UPDATE SET cents = balances.cents + excluded.cents $$";

const SUM: &str = "SELECT coalesce(sum(cents), 0)::bigint FROM balances";
const REBUILD: &str = "SELECT eventcore_rebuild_projection('p', shadow => true)";
const OVER: &str = "SELECT NOT EXISTS (SELECT FROM eventcore.projections WHERE rebuilds = 'p')";
const SCHEMAS: &str =
    "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'eventcore\\_rebuild\\_%'";

/// Fails if the first schema on the search path is that of a shadow.
const NOT_IN_A_SHADOW: &str = "
    CREATE FUNCTION see_here(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            IF current_schema() LIKE 'eventcore%' THEN RAISE EXCEPTION 'not here' USING ERRCODE = 'P0666'; END IF;
            PERFORM see(e);
        END $$";

async fn pay(client: &Client, account: &str, payments: usize) {
    let paid = json!({"stream": account, "type": "Paid", "payload": {"cents": 3}});
    let events: Vec<_> = (0..payments).map(|_| paid.clone()).collect();
    append(client, &[(account, None)], json!(events))
        .await
        .unwrap();
}

/// Polls in READ COMMITTED: the sum never decreases, and no account is ever missing.
async fn read_committed(client: Client, done: Arc<AtomicBool>) -> usize {
    let (mut before, mut reads) = ((0, 0), 0);
    while !done.load(SeqCst) {
        let row = client
            .query_one("SELECT count(*), sum(cents)::bigint FROM balances", &[])
            .await
            .unwrap();
        let now: (i64, i64) = (row.get(0), row.get(1));
        assert!(
            now.0 >= before.0 && now.1 >= before.1,
            "{before:?}, then {now:?}"
        );
        (before, reads) = (now, reads + 1);
    }
    reads
}

/// Polls in REPEATABLE READ, many times in each transaction: the state stays as it was when the
/// transaction began.
async fn repeatable_read(client: Client, done: Arc<AtomicBool>) -> usize {
    let (mut before, mut reads) = (0, 0);
    while !done.load(SeqCst) {
        client
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            .await
            .unwrap();
        let first: i64 = value(&client, SUM).await;
        assert!(first >= before && first > 0, "{before}, then {first}");
        for _ in 0..50 {
            assert_eq!(value::<i64>(&client, SUM).await, first);
            reads += 1;
        }
        client.batch_execute("COMMIT").await.unwrap();
        before = first;
    }
    reads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_see_an_empty_or_a_partial_table_and_then_see_what_the_fixed_handler_makes() {
    let (url, client) = database("rebuild_readers").await;
    client.batch_execute(BALANCES).await.unwrap();
    create(
        &client,
        "p",
        "add_up",
        ", tables => '{balances}', batch_size => 50",
    )
    .await;
    for account in 0..20 {
        pay(&client, &format!("account-{account}"), 200).await;
    }
    wait(&client, "p").await.unwrap();
    assert_eq!(value::<i64>(&client, SUM).await, 20 * 200);
    // A transaction that begins before the rebuild and ends after it.
    let old = connect(&url).await;
    old.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
        .unwrap();
    assert_eq!(value::<i64>(&old, SUM).await, 20 * 200);

    let done = Arc::new(AtomicBool::new(false));
    let readers = [
        tokio::spawn(read_committed(connect(&url).await, Arc::clone(&done))),
        tokio::spawn(repeatable_read(connect(&url).await, Arc::clone(&done))),
    ];
    client.batch_execute(MEND).await.unwrap();
    client.batch_execute(REBUILD).await.unwrap();
    let mut appends = 0;
    while !value::<bool>(&client, OVER).await {
        pay(&client, &format!("account-{}", appends % 25), 3).await;
        appends += 1;
        assert!(appends < 20_000, "the rebuild does not come to an end");
    }
    for _ in 0..5 {
        pay(&client, "account-1", 1).await;
    }
    wait(&client, "p").await.unwrap();
    done.store(true, SeqCst);
    for reader in readers {
        assert!(reader.await.unwrap() > 10);
    }
    assert_eq!(value::<i64>(&old, SUM).await, 20 * 200);
    assert!(appends > 3, "{appends} appends beside the rebuild");
    let difference = "
        SELECT count(*) FROM balances b FULL JOIN
            (SELECT stream_id AS account, sum((payload->>'cents')::bigint) AS cents FROM eventcore.events GROUP BY 1) e
            USING (account) WHERE b.cents IS DISTINCT FROM e.cents";
    assert_eq!(value::<i64>(&client, difference).await, 0);
    assert_eq!(value::<i64>(&client, SCHEMAS).await, 0);
}

#[tokio::test]
async fn a_rebuild_that_fails_leaves_the_projection_running_and_continues_when_it_is_fixed() {
    let (_, client) = database("rebuild_fails").await;
    client.batch_execute(NOT_IN_A_SHADOW).await.unwrap();
    create(
        &client,
        "p",
        "see_here",
        ", tables => '{seen}', retry_limit => 1",
    )
    .await;
    write(&client, "a", 1..=3).await;
    wait(&client, "p").await.unwrap();
    client.batch_execute(REBUILD).await.unwrap();
    until(&client, "SELECT count(*) = 1 FROM eventcore.stat_projections WHERE status = 'failed' AND rebuilds = 'p'").await;
    let error = "SELECT last_error || ' ' || last_sqlstate FROM eventcore.stat_projections WHERE name = 'p/rebuild'";
    assert_eq!(value::<String>(&client, error).await, "not here P0666");
    let last = write(&client, "a", 4..=5).await;
    assert_eq!(wait(&client, "p").await.unwrap(), last);
    assert_eq!(seen(&client).await, [1, 2, 3, 4, 5]);
    client
        .batch_execute(
            "CREATE OR REPLACE FUNCTION see_here(e eventcore.events) RETURNS void LANGUAGE sql AS $$
                 INSERT INTO seen (position, n) VALUES (e.position, 100 + (e.payload->>'n')::int) $$;
             SELECT eventcore_resume_projection('p/rebuild')",
        )
        .await
        .unwrap();
    until(&client, OVER).await;
    assert_eq!(seen(&client).await, [101, 102, 103, 104, 105]);
    let state = "SELECT status || ' ' || checkpoint || ' ' || attempts FROM eventcore.projections";
    assert_eq!(
        value::<String>(&client, state).await,
        format!("running {last} 0")
    );
}

/// A paused projection stays paused.
#[tokio::test]
async fn a_failed_projection_runs_again_when_its_rebuild_has_taken_its_place() {
    let (_, client) = database("rebuild_failed").await;
    write(&client, "a", 12..=14).await;
    create(
        &client,
        "p",
        "see_but_13",
        ", tables => '{seen}', retry_limit => 0",
    )
    .await;
    wait(&client, "p").await.unwrap_err();
    client
        .batch_execute("CREATE OR REPLACE FUNCTION see_but_13(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT see(e)'")
        .await
        .unwrap();
    client.batch_execute(REBUILD).await.unwrap();
    until(&client, OVER).await;
    assert_eq!(seen(&client).await, [12, 13, 14]);
    write(&client, "a", 15..=15).await;
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [12, 13, 14, 15]);

    client
        .batch_execute("SELECT eventcore_pause_projection('p'); UPDATE seen SET n = 0")
        .await
        .unwrap();
    write(&client, "a", 16..=16).await;
    client.batch_execute(REBUILD).await.unwrap();
    until(&client, OVER).await;
    assert_eq!(seen(&client).await, [12, 13, 14, 15, 16]);
    let status = "SELECT status FROM eventcore.projections";
    assert_eq!(value::<String>(&client, status).await, "paused");
}

#[tokio::test]
async fn a_rebuild_parks_only_what_was_parked_before() {
    let (_, client) = database("rebuild_parked").await;
    write(&client, "a", 12..=14).await;
    create(
        &client,
        "p",
        "see_but_13",
        ", tables => '{seen}', retry_limit => 0, on_error => 'park'",
    )
    .await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute("CREATE OR REPLACE FUNCTION see_but_13(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
                IF e.payload->>'n' IN ('13', '14') THEN RAISE EXCEPTION 'now %', e.payload->>'n'; END IF;
                PERFORM see(e);
            END $$")
        .await
        .unwrap();
    client.batch_execute(REBUILD).await.unwrap();
    let failed = "SELECT count(*) = 1 FROM eventcore.projections WHERE rebuilds = 'p' AND status = 'failed' AND last_error = 'now 14'";
    until(&client, failed).await;
    assert_eq!(seen(&client).await, [12, 14]);
    client
        .batch_execute("CREATE OR REPLACE FUNCTION see_but_13(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
                IF e.payload->>'n' = '13' THEN RAISE EXCEPTION 'still 13'; END IF;
                PERFORM see(e);
            END $$;
            SELECT eventcore_resume_projection('p/rebuild')")
        .await
        .unwrap();
    until(&client, OVER).await;
    assert_eq!(seen(&client).await, [12, 14]);
    let parked =
        "SELECT string_agg(projection || ' ' || reason, ',') FROM eventcore.projection_parked";
    assert_eq!(value::<String>(&client, parked).await, "p now 13");
}

#[tokio::test]
async fn dropping_a_rebuild_gives_it_up_and_dropping_the_projection_takes_it_along() {
    let (_, client) = database("rebuild_drop").await;
    client.batch_execute(NOT_IN_A_SHADOW).await.unwrap();
    write(&client, "a", 1..=3).await;
    create(
        &client,
        "p",
        "see_here",
        ", tables => '{seen}', retry_limit => 0",
    )
    .await;
    wait(&client, "p").await.unwrap();
    for dropped in ["p/rebuild", "p"] {
        client.batch_execute(REBUILD).await.unwrap();
        until(
            &client,
            "SELECT count(*) = 1 FROM eventcore.projections WHERE status = 'failed'",
        )
        .await;
        assert_eq!(value::<i64>(&client, SCHEMAS).await, 1);
        // One rebuild at a time, and no rebuild of a rebuild.
        for again in [
            REBUILD,
            "SELECT eventcore_rebuild_projection('p')",
            "SELECT eventcore_rebuild_projection('p/rebuild')",
        ] {
            let failed = failure(client.batch_execute(again).await);
            assert_eq!(failed.assert_ours("SE003")["argument"], "name", "{again}");
        }
        client
            .batch_execute(&format!("SELECT eventcore_drop_projection('{dropped}')"))
            .await
            .unwrap();
        assert_eq!(value::<i64>(&client, SCHEMAS).await, 0);
        let left = "SELECT count(*) FROM eventcore.projections";
        assert_eq!(value::<i64>(&client, left).await, i64::from(dropped != "p"));
        assert_eq!(seen(&client).await, [1, 2, 3]);
    }
}

/// Also before its tables were made, when it has none.
#[tokio::test]
async fn a_paused_rebuild_stands_still() {
    let (_, client) = database("rebuild_pause").await;
    write(&client, "a", 1..=3).await;
    create(&client, "p", "see", ", tables => '{seen}'").await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute(&format!(
            "BEGIN; {REBUILD}; SELECT eventcore_pause_projection('p/rebuild'); COMMIT"
        ))
        .await
        .unwrap();
    write(&client, "a", 4..=4).await;
    wait(&client, "p").await.unwrap();
    assert_eq!(value::<i64>(&client, SCHEMAS).await, 0);
    assert!(!value::<bool>(&client, OVER).await);
    client
        .batch_execute("UPDATE seen SET n = 0; SELECT eventcore_resume_projection('p/rebuild')")
        .await
        .unwrap();
    until(&client, OVER).await;
    assert_eq!(seen(&client).await, [1, 2, 3, 4]);
}

/// A rebuild cannot run while another session holds the projection's lock; no other session waits
/// for that.
#[tokio::test]
async fn a_session_that_keeps_the_lock_keeps_the_rebuild_only() {
    let (url, client) = database("rebuild_locked").await;
    write(&client, "a", 1..=3).await;
    create(&client, "p", "see", ", tables => '{seen}'").await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute(
            "CREATE TABLE other (position bigint);
             CREATE FUNCTION other(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO other VALUES (e.position)';
             UPDATE seen SET n = 0",
        )
        .await
        .unwrap();
    create(&client, "other", "other", "").await;
    client
        .batch_execute(&format!(
            "BEGIN; {REBUILD}; SELECT eventcore_pause_projection('p/rebuild'); COMMIT"
        ))
        .await
        .unwrap();
    let keeper = connect(&url).await;
    keeper
        .batch_execute("BEGIN; SELECT eventcore.lock_projection('p')")
        .await
        .unwrap();
    client
        .batch_execute("SELECT eventcore_resume_projection('p/rebuild')")
        .await
        .unwrap();
    for n in 4..8 {
        write(&client, "a", n..=n).await;
        wait(&client, "other").await.unwrap();
    }
    until(
        &client,
        "SELECT NOT reset_pending FROM eventcore.projections WHERE rebuilds = 'p'",
    )
    .await;
    assert!(!value::<bool>(&client, OVER).await);
    keeper.batch_execute("ROLLBACK").await.unwrap();
    until(&client, OVER).await;
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [1, 2, 3, 4, 5, 6, 7]);
}

/// P12: the tables belong to the owner, whoever calls, and the owner needs the right to create a
/// schema.
#[tokio::test]
async fn the_tables_are_made_by_an_owner_that_may_create_a_schema() {
    let (url, client) = database("rebuild_owner").await;
    client
        .batch_execute(
            "CREATE ROLE rebuild_ann LOGIN IN ROLE eventcore_projector;
             ALTER ROLE rebuild_ann SET search_path = app, public;
             CREATE SCHEMA app AUTHORIZATION rebuild_ann",
        )
        .await
        .unwrap();
    let ann = connect(&url).await;
    ann.batch_execute(
        "SET SESSION AUTHORIZATION rebuild_ann;
         CREATE TABLE app.who (position bigint, session name DEFAULT session_user);
         CREATE FUNCTION app.note(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
             BEGIN
                 INSERT INTO who (position) VALUES (e.position);
                 IF EXISTS (SELECT FROM pg_class WHERE oid = 'who'::regclass
                               AND pg_get_userbyid(relowner) <> 'rebuild_ann') THEN RAISE EXCEPTION 'not hers'; END IF;
             END $$;
         SET search_path = app, public;
         SELECT eventcore_create_projection('p', 'note', tables => '{who}')",
    )
    .await
    .unwrap();
    write(&client, "a", 1..=3).await;
    for session in [&ann, &client] {
        let failed = failure(session.batch_execute(REBUILD).await);
        assert_eq!(failed.assert_ours("SE003")["argument"], "shadow");
        assert!(failed.message.contains("rebuild_ann"), "{failed:?}");
    }
    client
        .batch_execute("GRANT CREATE ON DATABASE rebuild_owner TO rebuild_ann")
        .await
        .unwrap();
    wait(&client, "p").await.unwrap();
    client.batch_execute(REBUILD).await.unwrap();
    until(&client, OVER).await;
    let who = "SELECT string_agg(session, ',') FROM app.who";
    assert_eq!(
        value::<String>(&client, who).await,
        "rebuild_ann,rebuild_ann,rebuild_ann"
    );

    // A schema that replaced hers is neither used nor dropped.
    client
        .batch_execute(&format!(
            "BEGIN; {REBUILD}; SELECT eventcore_pause_projection('p/rebuild'); COMMIT"
        ))
        .await
        .unwrap();
    client
        .batch_execute(
            "DO $$ BEGIN
                 EXECUTE (SELECT 'CREATE SCHEMA ' || shadow_schema FROM eventcore.projections WHERE rebuilds = 'p');
             END $$;
             UPDATE eventcore.projections SET reset_pending = false, status = 'running' WHERE rebuilds = 'p';
             SELECT eventcore_resume_projection('p/rebuild')",
        )
        .await
        .unwrap();
    until(&client, "SELECT count(*) = 1 FROM eventcore.projections WHERE status = 'failed' AND last_sqlstate = 'SE009'").await;
    ann.batch_execute("SELECT eventcore_drop_projection('p')")
        .await
        .unwrap();
    assert_eq!(value::<i64>(&client, SCHEMAS).await, 1);
}

/// Its tables are emptied in the transaction of the first batch, which is rolled back: the emptying is still pending.
#[tokio::test]
async fn a_wait_for_a_rebuild_whose_first_batch_fails_ends_with_its_error() {
    let (_, client) = database("rebuild_fails_at_once").await;
    create(
        &client,
        "p",
        "see",
        ", tables => '{seen}', retry_limit => 0",
    )
    .await;
    write(&client, "a", 1..=3).await;
    wait(&client, "p").await.unwrap();
    let broken =
        "CREATE OR REPLACE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
                      BEGIN RAISE EXCEPTION 'broken'; END $$;
                  SELECT eventcore_rebuild_projection('p')";
    client.batch_execute(broken).await.unwrap();
    let detail = wait(&client, "p").await.unwrap_err().assert_ours("SE009");
    assert_eq!(detail["reason"], "projection_failed", "{detail}");
    // The rows are those from before.
    assert_eq!(seen(&client).await, [1, 2, 3]);
}
