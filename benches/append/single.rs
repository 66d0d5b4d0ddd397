//! Appends of one to ten events by pgbench, against INSERT, and JSON against arrays.

use anyhow::Result;
use eventcore_benches::database::Database;
use eventcore_benches::pgbench::Script;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds;

use crate::bench::Bench;
use crate::payload::{self, PAYLOAD};

pub(crate) const UNIT: &str = "events/s";
pub(crate) const CLIENTS: u32 = 16;

/// Of each client, where it appends to streams that exist.
const STREAMS: u32 = 1000;

/// One event to a new stream, and one row; what other works use too.
pub(crate) fn one_event() -> [Script; 2] {
    [
        with_payload(include_str!("scripts/one_event.sql")),
        with_payload(include_str!("scripts/bare_one_event.sql")),
    ]
}

pub(crate) async fn new_stream(bench: &Bench, report: &mut Report) -> Result<()> {
    let [append, insert] = one_event();
    for clients in [1, CLIENTS, 64] {
        let database = bench.database().await?;
        report.comparisons.push(Comparison::new(
            "1 event, new stream",
            "INSERT of 1 row",
            clients,
            UNIT,
            bench
                .compare(&database, [&append, &insert], clients, 1)
                .await?,
            Some(Target::AtLeast(1.0)),
        ));
    }
    Ok(())
}

/// Every client owns its streams and expects of each exactly the version that it has brought it to;
/// were one not there, pgbench would end with SE001.
pub(crate) async fn existing_stream(bench: &Bench, report: &mut Report) -> Result<()> {
    let database = bench.database().await?;
    let turn = async |table: Table, round| {
        create_streams(&database, table, round).await?;
        let mut script = with_payload(match table {
            Table::Events => include_str!("scripts/existing_stream.sql"),
            Table::Bare => include_str!("scripts/bare_existing_stream.sql"),
        });
        let variables = [
            ("appended", "0".to_owned()),
            ("pool", round.to_string()),
            ("streams", STREAMS.to_string()),
        ];
        script.variables.extend(variables);
        bench.rate(&database, &script, CLIENTS)
    };
    let rounds = rounds::alternate(
        bench.rounds,
        async |round| turn(Table::Events, round).await,
        async |round| turn(Table::Bare, round).await,
    )
    .await?;
    report.comparisons.push(Comparison::new(
        "1 event, existing stream, exact version",
        "INSERT of 1 row",
        CLIENTS,
        UNIT,
        rounds,
        Some(Target::AtLeast(0.9)),
    ));
    Ok(())
}

pub(crate) async fn two_streams(bench: &Bench, report: &mut Report) -> Result<()> {
    let database = bench.database().await?;
    let append = with_payload(include_str!("scripts/two_streams.sql"));
    let insert = with_payload(include_str!("scripts/bare_two_streams.sql"));
    report.comparisons.push(Comparison::new(
        "2 new streams, 1 event each",
        "INSERT of 2 rows",
        CLIENTS,
        UNIT,
        bench
            .compare(&database, [&append, &insert], CLIENTS, 2)
            .await?,
        Some(Target::AtLeast(1.0)),
    ));
    Ok(())
}

pub(crate) async fn json(bench: &Bench, report: &mut Report) -> Result<()> {
    const EVENTS: u32 = 10;
    let database = bench.database().await?;
    let json = Script {
        sql: include_str!("scripts/ten_events_json.sql"),
        variables: vec![("events", payload::json_events(EVENTS as usize))],
    };
    let arrays = Script {
        sql: include_str!("scripts/ten_events_arrays.sql"),
        variables: vec![
            ("types", payload::types(EVENTS as usize)),
            ("payloads", payload::payloads(EVENTS as usize)),
        ],
    };
    report.comparisons.push(Comparison::new(
        "10 events as JSON, new stream",
        "the same as arrays",
        CLIENTS,
        UNIT,
        bench
            .compare(&database, [&json, &arrays], CLIENTS, EVENTS)
            .await?,
        Some(Target::AtLeast(0.8)),
    ));
    Ok(())
}

#[derive(Clone, Copy)]
enum Table {
    Events,
    Bare,
}

/// Gives every client the streams of a round, each with one event.
async fn create_streams(database: &Database, table: Table, round: usize) -> Result<()> {
    let sql = match table {
        Table::Events => {
            "SELECT eventcore_append(array_agg(stream), array_agg(0::bigint), array_agg(stream), \
                    array_agg('AccountOpened'::text), array_agg(jsonb '{}'), NULL) FROM "
        }
        Table::Bare => {
            "INSERT INTO bare (position, version, recorded_at, event_id, stream_id, event_type, payload) \
             SELECT nextval('bare_position'), 1, clock_timestamp(), gen_random_uuid(), stream, \
                    'AccountOpened', '{}' FROM "
        }
    };
    let streams = "(SELECT format('account-%s-%s-%s', $1::text, $2::text, n) AS stream \
                      FROM generate_series(0, $3::int - 1) AS n) AS streams";
    let client = database.connect().await?;
    let statement = client.prepare(&format!("{sql}{streams}")).await?;
    let streams = i32::try_from(STREAMS)?;
    for owner in 0..CLIENTS {
        let (round, owner) = (round.to_string(), owner.to_string());
        client
            .execute(&statement, &[&round, &owner, &streams])
            .await?;
    }
    Ok(())
}

fn with_payload(sql: &'static str) -> Script {
    Script {
        sql,
        variables: vec![("payload", PAYLOAD.to_owned())],
    }
}
