//! Commands in the database beside the results of earlier ones, and states that are kept.

use anyhow::Result;
use eventcore_benches::database::{Database, Server};
use tokio_postgres::{Client, Statement};

use crate::Growth;
use crate::ladder::Rung;
use crate::writers::rate;

const SIZES: [u64; 4] = [0, 1_000, 30_000, 1_000_000];

const COMMAND: &str = "
CREATE FUNCTION count_up(state jsonb, event eventcore.events) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb(state::bigint + 1)';
CREATE FUNCTION open_account(state jsonb, input jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_array(jsonb_build_object('stream', input->'account', 'type', 'Opened', 'payload', input)) $$;
SELECT eventcore_register_command('open', 'count_up', 'open_account', streams => '{/account}', initial_state => '0')";

/// Made by hand, because as many commands would take minutes.
const FILL: &str = "
INSERT INTO eventcore.executions (recorded_at, first_position, last_position, command, idempotency_key, streams, versions)
SELECT now(), n, n, 'open', gen_random_uuid(), ARRAY['account-' || n], '{1}' FROM generate_series(1, SIZE) n;
INSERT INTO eventcore.command_states (first_version, last_version, kept_at, made_by, last_event_id, role, command, stream_id, state)
SELECT 1, 100, now(), 1, gen_random_uuid(), 10, 'open', 'account-' || n, '100' FROM generate_series(1, SIZE) n";

const EXECUTE: &str = "
SELECT eventcore_execute('open', jsonb_build_object('account', 'new-' || gen_random_uuid()),
                         idempotency_key => gen_random_uuid()::text)";

struct Store {
    client: Client,
    execute: Statement,
}

pub(crate) async fn run(server: &Server, growth: &mut Growth) -> Result<()> {
    let mut stores = Vec::new();
    for size in SIZES {
        let database = server.fresh_database(&format!("growth_{size}")).await?;
        stores.push(prepare(&database, size).await?);
    }
    let rung = Rung {
        work: "eventcore_execute with an idempotency key",
        growing: "executions, and as many kept states",
        clients: 1,
        counted: "calls/s",
        target: None,
    };
    let slice = growth.slice;
    growth
        .climb(&rung, &SIZES, async |at| {
            rate(slice, async || {
                let Store { client, execute } = &stores[at];
                client.execute(execute, &[]).await?;
                Ok(())
            })
            .await
        })
        .await?;
    drop(stores);
    for size in SIZES {
        server.drop_database(&format!("growth_{size}")).await?;
    }
    Ok(())
}

async fn prepare(database: &Database, size: u64) -> Result<Store> {
    database.execute(COMMAND).await?;
    let client = database.connect().await?;
    client
        .batch_execute(&FILL.replace("SIZE", &size.to_string()))
        .await?;
    client.batch_execute("VACUUM (ANALYZE)").await?;
    client.batch_execute("CHECKPOINT").await?;
    Ok(Store {
        execute: client.prepare(EXECUTE).await?,
        client,
    })
}
