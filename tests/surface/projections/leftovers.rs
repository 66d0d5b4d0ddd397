//! Nothing from one handler's transaction reaches the next handler.

use eventcore_harness::{Server, ServerOptions};

use super::{HANDLERS, create, seen, until, wait, write};
use crate::support::{connect, value};

/// Leaves behind everything that a transaction can leave in its session.
const LEAVE: &str = "
    CREATE SCHEMA a;
    CREATE SEQUENCE numbers;
    CREATE TABLE a.seen (LIKE public.seen INCLUDING ALL);
    CREATE TABLE found (what text);
    CREATE FUNCTION leave(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM set_config('search_path', 'a', false), set_config('app.customer', 'one', false),
                    set_config('default_transaction_isolation', 'serializable', false),
                    set_config('statement_timeout', '1ms', false);
            CREATE TEMP TABLE seen (position bigint, stream_id text, n int);
            CREATE TEMP TABLE found (what text);
            PERFORM pg_catalog.pg_advisory_lock(4711);
            PERFORM nextval('public.numbers');
            EXECUTE 'PREPARE prepared AS SELECT 1';
            EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT 1';
        END $$;
    CREATE FUNCTION look(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            BEGIN
                PERFORM lastval();
                INSERT INTO found VALUES ('sequence');
            EXCEPTION WHEN object_not_in_prerequisite_state THEN NULL;
            END;
            PERFORM see(e);
            INSERT INTO found
            SELECT 'search_path ' || current_setting('search_path') WHERE current_setting('search_path') !~ 'public'
             UNION ALL SELECT 'setting' WHERE current_setting('app.customer', true) <> ''
             UNION ALL SELECT 'isolation' WHERE current_setting('transaction_isolation') <> 'read committed'
             UNION ALL SELECT 'timeout' WHERE current_setting('statement_timeout') <> '0'
             UNION ALL SELECT 'temporary table' FROM pg_class WHERE relname = 'seen' AND relpersistence = 't'
             UNION ALL SELECT 'lock' FROM pg_locks WHERE objid = 4711
             UNION ALL SELECT 'prepared' FROM pg_prepared_statements
             UNION ALL SELECT 'cursor' FROM pg_cursors;
        END $$";

/// One worker, so that one session serves both.
#[tokio::test]
async fn a_handler_finds_nothing_that_another_one_has_left() {
    let options = ServerOptions::new().set("eventcore.projection_workers", "1");
    let server = Server::start(options).unwrap();
    let client = connect(&server.create_database("leftovers").unwrap()).await;
    client.batch_execute(HANDLERS).await.unwrap();
    client.batch_execute(LEAVE).await.unwrap();
    create(&client, "a", "leave", ", batch_size => 1").await;
    create(&client, "b", "look", ", batch_size => 1").await;
    let worker =
        "SELECT pid FROM eventcore.stat_workers WHERE kind = 'projections' AND pid IS NOT NULL";
    until(&client, &format!("SELECT EXISTS ({worker})")).await;
    let pid: i32 = value(&client, worker).await;
    for n in 1..=3 {
        write(&client, "s", n..=n).await;
        wait(&client, "a").await.unwrap();
        wait(&client, "b").await.unwrap();
    }
    let found = "SELECT coalesce(string_agg(DISTINCT what, ', '), 'nothing') FROM found";
    assert_eq!(value::<String>(&client, found).await, "nothing");
    assert_eq!(seen(&client).await, [1, 2, 3]);
    assert_eq!(value::<i32>(&client, worker).await, pid, "one session");
    let locks = "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE objid = 4711)";
    until(&client, locks).await;
    let log = server.log();
    assert!(!log.contains("leaked"), "{}", server.log_tail(20));
}
