//! P9: a dump contains everything.

use std::process::Stdio;

use eventcore_harness::{Server, shared};
use serde_json::json;
use uuid::Uuid;

use crate::support::{Client, append, connect, database, event, read, stream, value};

/// Streams, closed streams, every column, and positions with gaps beyond a few blocks.
async fn fill(client: &Client) {
    for n in 0..5 {
        let events: Vec<_> = (0..500).map(|n| event("bulk", n)).collect();
        client.batch_execute("BEGIN").await.unwrap();
        append(client, &[("bulk", None)], json!(events))
            .await
            .unwrap();
        client
            .batch_execute(if n % 2 == 0 { "COMMIT" } else { "ROLLBACK" })
            .await
            .unwrap();
    }
    let events = json!([{"stream": "full", "type": "ü", "payload": {"tab\t\\N": [1.50, null, "\"'"]},
        "metadata": {"by": "ada"}, "id": Uuid::now_v7().to_string()}]);
    append(client, &[("full", Some(0))], events).await.unwrap();
    client
        .execute(
            "SELECT eventcore_append('{full}', '{1}', '{full}', '{B}', '{2}', NULL,
                 correlation_id => $1, causation_id => $1)",
            &[&Uuid::now_v7()],
        )
        .await
        .unwrap();
    client
        .batch_execute(
            "INSERT INTO eventcore.streams (stream_id, state, reason) VALUES ('done', 'closed', 'why');
             SELECT eventcore_create_subscription('half way', stream_prefixes => '{b,f}', on_parked => 'stop');
             SELECT eventcore_nack('half way', lease_id, ARRAY[position], 'park', 'a tab \t and ü')
               FROM eventcore_poll('half way', 'c', 1);
             SELECT FROM eventcore_poll('half way', 'c', 1);
             SELECT FROM eventcore_poll('half way', 'c', 1);
             SELECT eventcore_create_subscription('in part');
             SELECT eventcore_ack('in part', lease_id, ARRAY[position]) FROM (SELECT * FROM eventcore_poll('in part', 'c', 3) LIMIT 1) p;
             SELECT eventcore_advance_checkpoint('projection', 0, 17);
             CREATE FUNCTION project(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
             SELECT eventcore_create_projection('inside', 'project', stream_prefixes => '{b,\"c d\"}', start_from => 'now');
             SELECT eventcore_pause_projection('inside');
             INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason)
             VALUES ('inside', 1, 6, 'P0001', 'why');
             SELECT eventcore_replay_projection_parked('inside');
             CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
             CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
             SELECT eventcore_register_command('nothing', 'apply', 'handle', streams => '{/a,/b c}',
                 initial_state => '{\"ü\": 1}', required_fields => '{\"/a\": \"string\"}');
             SELECT FROM eventcore_execute('nothing', '{\"a\": \"full\", \"b c\": \"ü\"}', idempotency_key => 'ü \\ '' ,')",
        )
        .await
        .unwrap();
}

fn run(program: &str, arguments: &[&str], input: Option<&[u8]>) -> Vec<u8> {
    run_on(shared(), program, arguments, input)
}

fn run_on(server: &Server, program: &str, arguments: &[&str], input: Option<&[u8]>) -> Vec<u8> {
    let mut command = server.command(program);
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.unwrap_or_default().to_vec();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut pipe, &input));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    output.stdout
}

async fn contents(client: &Client) -> String {
    value(
        client,
        "SELECT (SELECT string_agg(e::text, E'\\n' ORDER BY position) FROM eventcore.events e)
             || (SELECT string_agg(s::text, E'\\n') FROM eventcore.streams s)
             || (SELECT string_agg((to_jsonb(s) - 'home_id')::text, E'\\n') FROM eventcore.subscriptions s)
             || (SELECT string_agg(l::text, E'\\n') FROM eventcore.leases l)
             || (SELECT string_agg(b::text, E'\\n' ORDER BY stream_id) FROM eventcore.backlogs b)
             || (SELECT string_agg(d::text, E'\\n' ORDER BY position) FROM eventcore.deliveries d)
             || (SELECT string_agg(a::text, E'\\n' ORDER BY position) FROM eventcore.acknowledged a)
             || (SELECT string_agg(p::text, E'\\n' ORDER BY position) FROM eventcore.parked p)
             || (SELECT string_agg((to_jsonb(c) - 'home_id')::text, E'\\n') FROM eventcore.checkpoints c)
             || (SELECT string_agg((to_jsonb(p) - '{home_id,table_ids}'::text[])::text, E'\\n') FROM eventcore.projections p)
             || (SELECT string_agg(p::text, E'\\n') FROM eventcore.projection_parked p)
             || (SELECT string_agg(c::text, E'\\n') FROM eventcore.commands c)
             || (SELECT string_agg(x::text, E'\\n') FROM eventcore.executions x)",
    )
    .await
}

/// The copy is equal, and continues above the positions that the original gave out.
async fn assert_goes_on(original: &Client, copy: &str) {
    let copy = connect(&shared().url(copy)).await;
    assert_eq!(contents(original).await, contents(&copy).await);
    let last: i64 = value(original, "SELECT max(position) FROM eventcore.events").await;
    assert_eq!(
        value::<i64>(&copy, "SELECT eventcore_safe_position()").await,
        last
    );
    let seen = read(&copy, "SELECT * FROM eventcore_read_all(0, NULL)", &[]).await;
    assert_eq!(seen.len(), 1502);

    let given: i64 = value(original, "SELECT eventcore_safe_position()").await;
    let done = append(&copy, &[("full", Some(2))], json!([event("full", 3)]))
        .await
        .unwrap();
    let position = done.positions.unwrap().0;
    assert!(
        position > last && position > given,
        "{position} after {last} and {given}"
    );
    assert_eq!(
        value::<i64>(&copy, "SELECT eventcore_safe_position()").await,
        position
    );
    assert_eq!(stream(&copy, "full").await[2].position, position);
    let closed = append(&copy, &[("done", None)], json!([event("done", 1)]))
        .await
        .unwrap_err();
    assert_eq!(
        closed.assert_ours("SE005"),
        json!({"stream": "done", "state": "closed"})
    );
    let again =
        "SELECT repeated FROM eventcore_execute('nothing', '{}', idempotency_key => 'ü \\ '' ,')";
    assert!(value::<bool>(&copy, again).await);
    let failed = crate::support::failure(copy.batch_execute("DELETE FROM eventcore.events").await);
    failed.assert_ours("SE009");
}

#[tokio::test]
async fn a_plain_dump_restores_everything() {
    let (_, client) = database("dump_plain").await;
    fill(&client).await;
    let dump = run("pg_dump", &["-d", "dump_plain"], None);
    shared().create_empty_database("dump_plain_copy").unwrap();
    run(
        "psql",
        &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "dump_plain_copy"],
        Some(&dump),
    );
    assert_goes_on(&client, "dump_plain_copy").await;
}

#[tokio::test]
async fn a_custom_dump_restores_everything() {
    let (_, client) = database("dump_custom").await;
    fill(&client).await;
    let dump = run("pg_dump", &["-Fc", "-d", "dump_custom"], None);
    shared().create_empty_database("dump_custom_copy").unwrap();
    run(
        "pg_restore",
        &["--exit-on-error", "-d", "dump_custom_copy"],
        Some(&dump),
    );
    assert_goes_on(&client, "dump_custom_copy").await;
}

/// A dump of a copy. The transaction that restores it is invisible to others until it ends.
#[tokio::test]
async fn a_dump_restores_in_one_transaction_while_others_look_on() {
    let (_, client) = database("dump_single").await;
    fill(&client).await;
    let dump = run("pg_dump", &["-Fc", "--inserts", "-d", "dump_single"], None);
    shared().create_empty_database("dump_single_copy").unwrap();
    run(
        "pg_restore",
        &["--single-transaction", "-d", "dump_single_copy"],
        Some(&dump),
    );
    assert_goes_on(&client, "dump_single_copy").await;
}

#[tokio::test]
async fn data_alone_restores_into_an_installed_extension() {
    let (_, client) = database("dump_data").await;
    fill(&client).await;
    let dump = run("pg_dump", &["-Fc", "--data-only", "-d", "dump_data"], None);
    database("dump_data_copy").await;
    run(
        "pg_restore",
        &["--exit-on-error", "-d", "dump_data_copy"],
        Some(&dump),
    );
    assert_goes_on(&client, "dump_data_copy").await;
}

/// The backend already draws positions from its memory there.
#[tokio::test]
async fn data_alone_restores_where_an_append_was_tried_before() {
    let (_, client) = database("dump_tried").await;
    fill(&client).await;
    let dump = run("pg_dump", &["-Fc", "--data-only", "-d", "dump_tried"], None);
    let (_, copy) = database("dump_tried_copy").await;
    copy.batch_execute(
        "BEGIN; SELECT eventcore_append('{a}', '{0}', '{a}', '{A}', '{1}', NULL); ROLLBACK",
    )
    .await
    .unwrap();
    run(
        "pg_restore",
        &["--exit-on-error", "-d", "dump_tried_copy"],
        Some(&dump),
    );
    assert_goes_on(&client, "dump_tried_copy").await;
}

#[tokio::test]
async fn a_copied_database_has_everything() {
    let (_, client) = database("dump_template").await;
    fill(&client).await;
    drop(client);
    let admin = connect(&shared().url("postgres")).await;
    admin
        .batch_execute("CREATE DATABASE dump_template_copy TEMPLATE dump_template")
        .await
        .unwrap();
    let client = connect(&shared().url("dump_template")).await;
    assert_goes_on(&client, "dump_template_copy").await;
}

/// Otherwise its worker would write to tables that do not exist yet, or are empty.
#[tokio::test]
async fn a_projection_that_ran_is_paused_after_a_restore_and_goes_on_where_it_was() {
    let server = crate::projections::server();
    let client = connect(&server.create_database("dump_projection").unwrap()).await;
    client
        .batch_execute(
            "CREATE TABLE seen (position bigint PRIMARY KEY);
             CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO public.seen VALUES (e.position)';
             SELECT eventcore_create_projection('p', 'see')",
        )
        .await
        .unwrap();
    append(
        &client,
        &[("s", None)],
        json!([event("s", 1), event("s", 2)]),
    )
    .await
    .unwrap();
    let wait = "CALL eventcore_wait_for_projection('p', timeout => '20 s')";
    assert!(value::<i64>(&client, wait).await > 0);
    let dump = run_on(server, "pg_dump", &["-Fc", "-d", "dump_projection"], None);
    server
        .create_empty_database("dump_projection_copy")
        .unwrap();
    run_on(
        server,
        "pg_restore",
        &["--exit-on-error", "-d", "dump_projection_copy"],
        Some(&dump),
    );
    let copy = connect(&server.url("dump_projection_copy")).await;
    let status = "SELECT status FROM eventcore.projections";
    assert_eq!(value::<String>(&copy, status).await, "paused");
    append(&copy, &[("s", None)], json!([event("s", 3)]))
        .await
        .unwrap();
    copy.batch_execute("SELECT eventcore_resume_projection('p')")
        .await
        .unwrap();
    assert!(value::<i64>(&copy, wait).await > 0);
    let seen = "SELECT count(*) = (SELECT count(*) FROM eventcore.events) FROM seen";
    assert!(value::<bool>(&copy, seen).await);
}

/// The shadow tables are ordinary tables; they are dumped too, and the rebuild continues with them.
#[tokio::test]
async fn a_rebuild_goes_on_after_a_restore() {
    let server = crate::projections::server();
    let client = connect(&server.create_database("dump_rebuild").unwrap()).await;
    client
        .batch_execute(
            "CREATE TABLE seen (position bigint PRIMARY KEY, made_by text DEFAULT 'the projection');
             CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
                 BEGIN
                     IF current_schema() LIKE 'eventcore%' AND e.version = 3 THEN RAISE 'three'; END IF;
                     INSERT INTO seen VALUES (e.position);
                 END $$;
             SELECT eventcore_create_projection('p', 'see', tables => '{seen}', batch_size => 1, retry_limit => 0)",
        )
        .await
        .unwrap();
    let events = json!([event("s", 1), event("s", 2), event("s", 3)]);
    append(&client, &[("s", None)], events).await.unwrap();
    let wait = "CALL eventcore_wait_for_projection('p', timeout => '20 s')";
    value::<i64>(&client, wait).await;
    client
        .batch_execute("SELECT eventcore_rebuild_projection('p', shadow => true)")
        .await
        .unwrap();
    let failed = "SELECT status = 'failed' FROM eventcore.projections WHERE rebuilds = 'p'";
    crate::projections::until(&client, failed).await;
    let dump = run_on(server, "pg_dump", &["-Fc", "-d", "dump_rebuild"], None);
    server.create_empty_database("dump_rebuild_copy").unwrap();
    let arguments = ["--exit-on-error", "-d", "dump_rebuild_copy"];
    run_on(server, "pg_restore", &arguments, Some(&dump));
    let copy = connect(&server.url("dump_rebuild_copy")).await;
    copy.batch_execute(
        "CREATE OR REPLACE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS $$
             INSERT INTO seen VALUES (e.position, 'the rebuild') $$;
         SELECT eventcore_resume_projection(name) FROM eventcore.projections",
    )
    .await
    .unwrap();
    crate::projections::until(&copy, "SELECT count(*) = 1 FROM eventcore.projections").await;
    let made_by = "SELECT string_agg(made_by, ', ' ORDER BY position) FROM seen";
    assert_eq!(
        value::<String>(&copy, made_by).await,
        "the projection, the projection, the rebuild"
    );
}
