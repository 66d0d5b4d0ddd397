//! The speed of projections inside the server: 1 million events through a handler that counts, one
//! call per event and one call for many, each against a client process that does the same event by
//! event: with the same durability, and with synchronous_commit off.
//!
//! `cargo xtask bench projections`.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;
use eventcore_benches::database::{Database, Server};
use eventcore_benches::machine::Machine;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds;
use eventcore_harness::ServerOptions;
use tokio_postgres::Client;

#[derive(Parser)]
struct Arguments {
    /// Where the report is written
    #[arg(long, value_name = "FOLDER")]
    reports: PathBuf,
    /// How often each work and its reference take turns
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(3..))]
    rounds: u16,
}

const EVENTS: u32 = 1_000_000;

/// How many of them the client handles: all would take minutes.
const BY_CLIENT: u32 = 20_000;

const ONE: &str = "1,000,000 events, a call of the handler for each";
const MANY: &str = "1,000,000 events, 1,000 to a call of the handler";

/// The same work everywhere: count the events of each type.
const SETUP: &str = "
    CREATE TABLE counts (projection text, event_type text, n bigint NOT NULL, PRIMARY KEY (projection, event_type));
    CREATE FUNCTION count_one(e eventcore.events) RETURNS void LANGUAGE sql AS $$
        INSERT INTO counts VALUES ('one', e.event_type, 1)
        ON CONFLICT (projection, event_type) DO UPDATE SET n = counts.n + 1 $$;
    CREATE FUNCTION count_many(events eventcore.events[]) RETURNS void LANGUAGE sql AS $$
        INSERT INTO counts SELECT 'many', event_type, count(*) FROM unnest(events) GROUP BY event_type
        ON CONFLICT (projection, event_type) DO UPDATE SET n = counts.n + excluded.n $$";

/// One event handled by a client: its effect and its checkpoint in one statement, and so in one
/// transaction.
const CLIENT: &str = "
    WITH counted AS (
        INSERT INTO counts VALUES ('client', $1, 1)
        ON CONFLICT (projection, event_type) DO UPDATE SET n = counts.n + 1)
    SELECT eventcore_advance_checkpoint('client', $2, $3)";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let private =
        eventcore_harness::Server::start(ServerOptions::new().set("max_worker_processes", "32"))?;
    let server = Server::new(&private.create_database("bench")?)?;
    let machine = Machine::find(&server.connect().await?).await?;
    let mut report = Report::new("projections", "eventcore: projections", machine);
    let database = server.fresh_database("bench_work").await?;
    fill(&database).await?;
    for (handler, what, durable, target) in [
        ("one", ONE, true, Some(3.0_f64)),
        ("many", MANY, true, Some(20.0)),
        ("one", ONE, false, None),
        ("many", MANY, false, None),
    ] {
        let rounds = rounds::alternate(
            usize::from(arguments.rounds),
            async |_| by_worker(&database, handler).await,
            async |_| by_client(&database, durable).await,
        )
        .await?;
        report.comparisons.push(Comparison::new(
            what,
            if durable {
                "a client, event by event over the socket"
            } else {
                "the same client with synchronous_commit off"
            },
            1,
            "events/s",
            rounds,
            target.map(Target::AtLeast),
        ));
        report.write(&arguments.reports)?;
    }
    println!("{}", report.text());
    Ok(())
}

async fn fill(database: &Database) -> Result<()> {
    let client = database.connect().await?;
    client.batch_execute(SETUP).await?;
    let fill = format!(
        "DO $$ BEGIN FOR n IN 1 .. {EVENTS} / 1000 LOOP
             PERFORM eventcore_append(ARRAY['account-' || n], '{{0}}',
                 array_fill('account-' || n, '{{1000}}'), array_fill('MoneyMoved'::text, '{{1000}}'),
                 array_fill('{{\"amount\": 12345, \"from\": \"account-000123\", \"to\": \"account-000456\"}}'::jsonb, '{{1000}}'),
                 NULL);
             COMMIT;
         END LOOP; END $$"
    );
    client.batch_execute(&fill).await?;
    client.batch_execute("VACUUM ANALYZE").await?;
    Ok(())
}

async fn counted(client: &Client, projection: &str) -> Result<i64> {
    let sql = "SELECT coalesce(sum(n), 0)::bigint FROM counts WHERE projection = $1";
    Ok(client.query_one(sql, &[&projection]).await?.get(0))
}

/// Events per second, from the creation of the projection to the last event.
async fn by_worker(database: &Database, name: &str) -> Result<f64> {
    let client = database.connect().await?;
    client
        .batch_execute("DELETE FROM counts; CHECKPOINT")
        .await?;
    let start = Instant::now();
    let create = format!("SELECT eventcore_create_projection('{name}', 'count_{name}')");
    client.batch_execute(&create).await?;
    let wait = format!("CALL eventcore_wait_for_projection('{name}', timeout => '10 min')");
    client.batch_execute(&wait).await?;
    let elapsed = start.elapsed();
    ensure!(counted(&client, name).await? == i64::from(EVENTS));
    let drop = format!("SELECT eventcore_drop_projection('{name}')");
    client.batch_execute(&drop).await?;
    Ok(f64::from(EVENTS) / elapsed.as_secs_f64())
}

/// The same by a client that reads pages of 1,000.
async fn by_client(database: &Database, durable: bool) -> Result<f64> {
    let client = database.connect().await?;
    client
        .batch_execute("DELETE FROM counts; DELETE FROM eventcore.checkpoints; CHECKPOINT")
        .await?;
    if !durable {
        client.batch_execute("SET synchronous_commit = off").await?;
    }
    let read = "SELECT position, event_type FROM eventcore_read_all($1, 1000)";
    let (read, advance) = (client.prepare(read).await?, client.prepare(CLIENT).await?);
    let start = Instant::now();
    let (mut checkpoint, mut done) = (0_i64, 0);
    while done < BY_CLIENT {
        for row in client.query(&read, &[&checkpoint]).await? {
            let (position, event_type): (i64, String) = (row.get(0), row.get(1));
            client
                .execute(&advance, &[&event_type, &checkpoint, &position])
                .await?;
            checkpoint = position;
            done += 1;
        }
    }
    let elapsed = start.elapsed();
    ensure!(counted(&client, "client").await? == i64::from(BY_CLIENT));
    Ok(f64::from(BY_CLIENT) / elapsed.as_secs_f64())
}
