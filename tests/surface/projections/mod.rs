//! Projections inside the server: what each function does. Under fire they are tested in `fire/projections`.

mod bad_input;
mod control;
mod failures;
mod hindered;
mod idle;
mod inline;
mod leftovers;
mod majors;
mod owners;
mod passed_over;
mod rebuild;
mod replay;
mod run;
mod shadow_tables;

use std::sync::OnceLock;
use std::time::Duration;

use eventcore_harness::{Server, ServerOptions};
use serde_json::json;
use tokio_postgres::Client;

use crate::support::{Failure, append, connect, value};

/// The server of these tests, with room for the notifier and the workers of each database. It ends with the
/// process.
pub(crate) fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let options = ServerOptions::new().set("max_worker_processes", "256");
        Server::start(options).unwrap()
    })
}

/// A database of the test's own, with a table and handlers: one for single events, one for arrays.
async fn database(name: &str) -> (String, Client) {
    let url = server().create_database(name).unwrap();
    let client = connect(&url).await;
    client.batch_execute(HANDLERS).await.unwrap();
    (url, client)
}

const HANDLERS: &str = "
    CREATE TABLE seen (seq bigserial, position bigint PRIMARY KEY, stream_id text, n int,
                       who text DEFAULT current_user, xid xid8 DEFAULT pg_current_xact_id());
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO seen (position, stream_id, n) VALUES (e.position, e.stream_id, (e.payload->>'n')::int);
        END $$;
    CREATE FUNCTION see_many(events eventcore.events[]) RETURNS void LANGUAGE sql AS $$
        INSERT INTO seen (position, stream_id, n)
        SELECT position, stream_id, (payload->>'n')::int FROM unnest(events) ORDER BY position $$;
    CREATE FUNCTION see_but_13(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM see(e);
            IF e.payload->>'n' = '13' THEN
                RAISE EXCEPTION 'unlucky' USING ERRCODE = 'P0013', DETAIL = 'thirteen';
            END IF;
        END $$";

/// Appends an event for each number; returns the last position.
async fn write(client: &Client, stream: &str, numbers: std::ops::RangeInclusive<i64>) -> i64 {
    let events: Vec<_> = numbers
        .map(|n| json!({"stream": stream, "type": if n % 2 == 0 { "Even" } else { "Odd" }, "payload": {"n": n}}))
        .collect();
    let done = append(client, &[(stream, None)], json!(events)).await;
    done.unwrap().positions.unwrap().1
}

/// Creates a projection; `more` are named arguments such as `, batch_size => 1`.
async fn create(client: &Client, name: &str, handler: &str, more: &str) {
    let sql = format!("SELECT eventcore_create_projection('{name}', '{handler}'{more})");
    client.batch_execute(&sql).await.unwrap();
}

/// Waits until it has handled everything; returns its position.
async fn wait(client: &Client, name: &str) -> Result<i64, Failure> {
    let sql = format!("CALL eventcore_wait_for_projection('{name}', timeout => '20 s')");
    Ok(client.query_one(&sql, &[]).await?.get(0))
}

/// Returns when this is true.
pub(crate) async fn until(client: &Client, condition: &str) {
    let poll = async {
        while !value::<bool>(client, condition).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(30), poll).await;
    if done.is_err() {
        let state = "SELECT coalesce(string_agg(p::text, E'\\n'), '') FROM eventcore.projections p";
        panic!(
            "in vain: {condition}\n{}",
            value::<String>(client, state).await
        );
    }
}

/// The numbers in the table, in the order in which they were written.
async fn seen(client: &Client) -> Vec<i32> {
    let rows = client.query("SELECT n FROM seen ORDER BY seq", &[]).await;
    rows.unwrap().iter().map(|row| row.get(0)).collect()
}
