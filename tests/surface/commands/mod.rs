//! Commands inside the database: registering and executing them. Under fire they are tested in `fire/commands`.

mod batch;
mod client;
mod counted;
mod decide;
mod execute;
mod find;
mod long;
mod register;
mod repeat;
mod rights;
mod rows_by_sql;
mod stopped;

use serde_json::{Value, json};
use tokio_postgres::GenericClient;

use crate::support::{Client, Failure, append, database};

/// What `eventcore_execute` returned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Executed {
    positions: Option<(i64, i64)>,
    streams: Vec<String>,
    versions: Vec<i64>,
    repeated: bool,
    attempts: i32,
}

/// Calls `eventcore_execute`; `more` are named arguments such as `, idempotency_key => 'k'`.
async fn execute_with(
    client: &impl GenericClient,
    command: &str,
    input: Value,
    more: &str,
) -> Result<Executed, Failure> {
    let sql = format!("SELECT * FROM eventcore_execute($1, $2{more})");
    let row = client.query_one(&sql, &[&command, &input]).await?;
    let first: Option<i64> = row.get("first_position");
    Ok(Executed {
        positions: first.zip(row.get("last_position")),
        streams: row.get("streams"),
        versions: row.get("versions"),
        repeated: row.get("repeated"),
        attempts: row.get("attempts"),
    })
}

/// Calls `eventcore_execute_compact` in the same way.
async fn execute_compact(
    client: &impl GenericClient,
    command: &str,
    input: Value,
    more: &str,
) -> Result<Executed, Failure> {
    let sql = format!("SELECT eventcore_execute_compact($1, $2{more})");
    let row = client
        .query_one(&sql, &[&command, &input.to_string()])
        .await?;
    let values: Vec<Option<String>> = row.get(0);
    let number = |at: usize| values[at].as_ref().map(|text| text.parse::<i64>().unwrap());
    let pairs = values[5..].chunks(2);
    Ok(Executed {
        positions: number(0).zip(number(1)),
        streams: pairs.clone().map(|pair| pair[0].clone().unwrap()).collect(),
        versions: pairs
            .map(|pair| pair[1].as_ref().unwrap().parse().unwrap())
            .collect(),
        repeated: number(3) == Some(1),
        attempts: i32::try_from(number(4).unwrap()).unwrap(),
    })
}

async fn execute(
    client: &impl GenericClient,
    command: &str,
    input: Value,
) -> Result<Executed, Failure> {
    execute_with(client, command, input, "").await
}

/// Adds the deposits of each stream and subtracts the withdrawals.
const APPLY: &str = "
    CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
    BEGIN
        RETURN state || jsonb_build_object(event.stream_id, coalesce((state->>event.stream_id)::bigint, 0)
            + CASE event.event_type WHEN 'Deposited' THEN 1 ELSE -1 END * (event.payload->>'cents')::bigint);
    END $$";

const TRANSFER: &str = "
    CREATE FUNCTION transfer(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
    DECLARE
        balance bigint := coalesce((state->>(input->>'from'))::bigint, 0);
        payload jsonb := jsonb_build_object('cents', input->'cents');
    BEGIN
        IF balance < (input->>'cents')::bigint THEN
            RAISE EXCEPTION 'only % cents left', balance
                USING ERRCODE = 'BA001', DETAIL = 'a detail', HINT = 'transfer less';
        END IF;
        RETURN jsonb_build_array(
            jsonb_build_object('stream', input->'from', 'type', 'Withdrawn', 'payload', payload),
            jsonb_build_object('stream', input->'to', 'type', 'Deposited', 'payload', payload));
    END $$";

/// A database with the command `transfer`, and 100 cents in the stream `a`.
async fn bank(name: &str) -> (String, Client) {
    let (url, client) = database(name).await;
    for sql in [
        APPLY,
        TRANSFER,
        "SELECT eventcore_register_command('transfer', 'apply', 'transfer', streams => '{/from,/to}')",
    ] {
        client.batch_execute(sql).await.unwrap();
    }
    deposit(&client, "a", 100).await;
    (url, client)
}

async fn deposit(client: &Client, stream: &str, cents: i64) {
    let event = json!({"stream": stream, "type": "Deposited", "payload": {"cents": cents}});
    append(client, &[(stream, None)], json!([event]))
        .await
        .unwrap();
}

/// A command `name` with this body of `handle(state, input)` in PL/pgSQL, whose input names its streams by `/streams`.
async fn command(client: &Client, name: &str, body: &str, more: &str) {
    let sql = format!(
        "CREATE FUNCTION handle_{name}(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS
             $body$ BEGIN {body} END $body$;
         SELECT eventcore_register_command('{name}', 'apply', 'handle_{name}', streams => '{{/streams}}'{more})"
    );
    client.batch_execute(&sql).await.unwrap();
}
