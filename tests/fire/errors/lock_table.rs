//! The server's lock table is full, at each place where a statement of eventcore takes a lock.

use super::*;

/// The highest number of free locks that a statement gets; with more, each of these statements
/// succeeds.
const MOST_LEFT: i64 = 40;

const SETUP: &str = r#"
    CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT state';
    CREATE FUNCTION decide(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS
        $$ SELECT jsonb_build_array(jsonb_build_object('stream', input->'stream', 'type', 'T', 'payload', 1)) $$;
    CREATE FUNCTION see(event eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
    CREATE TABLE seen (position bigint PRIMARY KEY);
    CREATE FUNCTION write(event eventcore.events) RETURNS void LANGUAGE plpgsql AS
        'BEGIN INSERT INTO seen VALUES (event.position); END';
    SELECT eventcore_register_command('decide', 'apply', 'decide', streams => '{/stream}', snapshot_every => 1);
    SELECT eventcore_create_subscription('s');
    SELECT eventcore_create_projection('inline', 'write', mode => 'inline', start_from => 'now');
"#;

const STATEMENTS: [&str; 9] = [
    r#"SELECT eventcore_append('{s,t}', '{NULL,NULL}', '[{"stream":"s","type":"T","payload":1}]')"#,
    r#"SELECT eventcore_append('{s}', '{NULL}', '[{"stream":"s","type":"T","payload":1},
       {"stream":"s","type":"T","payload":2},{"stream":"s","type":"T","payload":3}]')"#,
    r#"SELECT eventcore_execute('decide', '{"stream":"s"}')"#,
    r#"SELECT eventcore_execute('decide', '{"stream":"s"}', idempotency_key => gen_random_uuid()::text)"#,
    "SELECT * FROM eventcore_read_stream('s')",
    "SELECT * FROM eventcore_read_all()",
    "SELECT * FROM eventcore_stream_versions('{s}')",
    "SELECT * FROM eventcore_poll('s', 'c')",
    "SELECT eventcore_create_projection('p', 'see'); SELECT eventcore_drop_projection('p')",
];

#[tokio::test]
async fn a_full_lock_table_ends_the_statement_and_nothing_else() {
    let options = options()
        .set("max_locks_per_transaction", "10")
        .set("max_connections", "20")
        .set("max_worker_processes", "8");
    let server = own_server(options);
    let url = server.create_database("full").unwrap();
    let hoarder = connect(&url).await;
    hoarder.batch_execute(SETUP).await.unwrap();
    let mut refused = 0;
    for statement in STATEMENTS {
        let mut left = 0;
        for cold in [true, false] {
            let mut session = connect(&url).await;
            loop {
                hoard(&hoarder, left).await;
                let done = outcome(&session, statement).await;
                hoarder
                    .batch_execute("SELECT pg_advisory_unlock_all()")
                    .await
                    .unwrap();
                assert_alive(&server, &format!("at {statement} with {left} locks left"));
                assert_eq!(outcome(&session, "SELECT 1").await, Ok(()), "{statement}");
                match done {
                    Ok(()) => break,
                    Err(code) => assert_eq!(code, "53200", "{statement}"),
                }
                refused += 1;
                left += 1;
                assert!(left <= MOST_LEFT, "{statement} never succeeds");
                if cold {
                    session = connect(&url).await;
                }
            }
            assert_eq!(outcome(&session, statement).await, Ok(()), "{statement}");
            left = 0;
        }
    }
    assert!(
        refused > STATEMENTS.len(),
        "only {refused} statements met a full table"
    );
    println!("{refused} statements met a full lock table");
}

/// Takes all locks but this many.
async fn hoard(hoarder: &Session, left: i64) {
    let all = "SELECT pg_advisory_lock(n) FROM generate_series(1, 100000) n";
    assert_eq!(outcome(hoarder, all).await, Err("53200".to_owned()));
    let give_back = format!("SELECT pg_advisory_unlock(n) FROM generate_series(1, {left}) n");
    hoarder.batch_execute(&give_back).await.unwrap();
}
