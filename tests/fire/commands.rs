//! Commands inside the database: each is executed once, and money is neither created nor lost,
//! whatever is cancelled, terminated or rolled back, and whatever streams the commands discover.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::Error;
use uuid::Uuid;

use crate::support::*;

const ACCOUNTS: u64 = 6;
const WORKERS: usize = 8;
const COMMANDS: usize = 150;

/// Each account leads to a common one that takes a fee of one cent, so every transfer discovers a
/// third stream.
const BANK: &str = r#"
    CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
    BEGIN
        RETURN state || jsonb_build_object(event.stream_id, coalesce((state->>event.stream_id)::bigint, 0)
            + CASE event.event_type WHEN 'Deposited' THEN 1 ELSE -1 END * (event.payload->>'cents')::bigint);
    END $$;
    CREATE FUNCTION related(state jsonb, input jsonb) RETURNS text[] LANGUAGE sql AS $$
        SELECT ARRAY['fees-' || ((input->>'cents')::bigint % 2)] $$;
    CREATE FUNCTION transfer(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE
        cents bigint := (input->>'cents')::bigint;
    BEGIN
        IF coalesce((state->>(input->>'from'))::bigint, 0) < cents + 1 THEN
            RAISE EXCEPTION 'too few';
        END IF;
        RETURN jsonb_build_array(
            jsonb_build_object('stream', input->'from', 'type', 'Withdrawn', 'payload', jsonb_build_object('cents', cents + 1)),
            jsonb_build_object('stream', input->'to', 'type', 'Deposited', 'payload', jsonb_build_object('cents', cents)),
            jsonb_build_object('stream', 'fees-' || (cents % 2), 'type', 'Deposited', 'payload', '{"cents": 1}'::jsonb));
    END $$;
    SELECT eventcore_register_command('transfer', 'apply', 'transfer', streams => '{/from,/to}', related_streams => 'related',
                                      max_attempts => 1000);
    SELECT eventcore_append(array_agg('account-' || n), array_agg(0::bigint), jsonb_agg(jsonb_build_object(
               'stream', 'account-' || n, 'type', 'Deposited', 'payload', '{"cents": 10000}'::jsonb)))
      FROM generate_series(0, 5) n;
"#;

/// Executes the command until its outcome is known. Returns whether it was executed; `None` if it
/// was rejected.
async fn surely(url: &str, session: &mut Session, input: &Value, key: &str) -> Option<bool> {
    const EXECUTE: &str =
        "SELECT repeated FROM eventcore_execute('transfer', $1, idempotency_key => $2)";
    loop {
        match session.query_one(EXECUTE, &[input, &key]).await {
            Ok(row) => return Some(row.get(0)),
            Err(error) if is_rejected(&error) => return None,
            Err(error) if session.is_closed() => {
                drop(error);
                *session = reconnect(url, "command").await;
            }
            Err(error) => {
                let code = sqlstate(&error);
                assert!(["57014", "57P01"].contains(&code), "{error:?}");
            }
        }
    }
}

/// Executes the command in a transaction that is rolled back: it did not happen. Each statement may be
/// cancelled, the rollback too.
async fn roll_back(session: &Session, input: &Value) {
    if session.batch_execute("BEGIN").await.is_err() {
        return;
    }
    let sql = "SELECT eventcore_execute('transfer', $1)";
    let _cancelled_or_rejected = session.execute(sql, &[input]).await;
    while !session.is_closed() && session.batch_execute("ROLLBACK").await.is_err() {}
}

fn is_rejected(error: &Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|error| error.code().code() == "SE006")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_command_is_executed_once_while_backends_are_cancelled_and_terminated() {
    let url = database("commands");
    let setup = connect(&url).await;
    setup.batch_execute(BANK).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let cutter = tokio::spawn(cut(url.clone(), Arc::clone(&done)));
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let url = url.clone();
            tokio::spawn(async move {
                let mut random = Random::new();
                let mut session = reconnect(&url, "command").await;
                let mut keys = Vec::new();
                for number in 0..COMMANDS {
                    let from = random.below(ACCOUNTS);
                    let to = (from + 1 + random.below(ACCOUNTS - 1)) % ACCOUNTS;
                    let cents = random.below(400);
                    let input = json!({"from": format!("account-{from}"), "to": format!("account-{to}"), "cents": cents});
                    let key = format!("{worker}-{number}-{}", Uuid::now_v7());
                    if random.once_in(8) {
                        roll_back(&session, &input).await;
                    }
                    if surely(&url, &mut session, &input, &key).await.is_some() {
                        keys.push(key);
                    }
                }
                keys
            })
        })
        .collect();
    let mut keys = Vec::new();
    for worker in workers {
        keys.extend(in_time("the commands", worker).await.unwrap());
    }
    done.store(true, SeqCst);
    let cuts = cutter.await.unwrap();

    let row = setup
        .query_one(
            "SELECT (SELECT count(*) FROM eventcore.executions),
                    (SELECT count(*) FROM eventcore.events) - 6,
                    (SELECT sum(CASE event_type WHEN 'Deposited' THEN 1 ELSE -1 END * (payload->>'cents')::bigint)::bigint
                       FROM eventcore.events)",
            &[],
        )
        .await
        .unwrap();
    let (executions, events, money): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    println!("{} commands executed, {cuts} backends cut", keys.len());
    assert!(cuts > 10, "{cuts}");
    assert_eq!(executions, keys.len() as i64);
    assert_eq!(events, 3 * keys.len() as i64);
    assert_eq!(money, 60_000);
    let overdrawn = "SELECT count(*) FROM (
        SELECT sum(CASE event_type WHEN 'Deposited' THEN 1 ELSE -1 END * (payload->>'cents')::bigint)
                   OVER (PARTITION BY stream_id ORDER BY version) AS balance FROM eventcore.events) b WHERE balance < 0";
    assert_eq!(
        setup
            .query_one(overdrawn, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        0
    );
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("no lock is left", async || {
        setup.query_one(locks, &[]).await.unwrap().get::<_, i64>(0) == 0
    })
    .await;
}

/// Cancels or terminates backends that execute commands; returns how many.
async fn cut(url: String, done: Arc<AtomicBool>) -> u64 {
    let session = connect(&url).await;
    let mut random = Random::new();
    let mut cuts = 0;
    while !done.load(SeqCst) {
        let function = if random.once_in(3) {
            "pg_terminate_backend"
        } else {
            "pg_cancel_backend"
        };
        let sql = format!(
            "SELECT {function}(pid) FROM pg_stat_activity WHERE application_name = 'command' AND state = 'active'
              ORDER BY random() LIMIT 1"
        );
        cuts += session.execute(&sql, &[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10 + random.below(30))).await;
    }
    cuts
}
