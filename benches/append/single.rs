//! Appends of one to ten events by pgbench, against INSERT, and JSON against arrays.

use anyhow::Result;
use eventcore_benches::database::Database;
use eventcore_benches::pgbench::Script;
use eventcore_benches::report::{Comparison, Report, Target};

use crate::bench::Bench;
use crate::payload::{self, PAYLOAD};

pub(crate) const UNIT: &str = "events/s";
pub(crate) const CLIENTS: u32 = 16;

/// For each client, if it appends to existing streams.
const STREAMS: u32 = 1000;

/// How many events `eventcore_append` has written: without failed appends, positions have no gaps.
pub(crate) const APPENDED: &str = "SELECT eventcore_safe_position()";

/// How many rows were inserted by hand.
const INSERTED: &str = "SELECT last_value FROM bare_position";

/// One event to a new stream, as programs append it, and one row; other works use this too.
pub(crate) fn one_event() -> [Script; 2] {
    [
        with_payload(include_str!("scripts/one_event.sql"), APPENDED),
        with_payload(include_str!("scripts/bare_one_event.sql"), INSERTED),
    ]
}

pub(crate) async fn new_stream(bench: &Bench, report: &mut Report) -> Result<()> {
    const WORK: &str = "1 event, new stream";
    let [append, insert] = one_event();
    let returning = with_payload(
        include_str!("scripts/bare_one_event_returning.sql"),
        INSERTED,
    );
    for (against, reference, target) in [
        ("INSERT of 1 row", &insert, 1.0),
        ("INSERT … RETURNING the same values", &returning, 1.1),
    ] {
        for clients in [1, CLIENTS, 64] {
            let scripts = [&append, reference];
            compare(
                bench,
                report,
                [WORK, against],
                scripts,
                clients,
                Some(target),
            )
            .await?;
        }
    }
    let row = with_payload(include_str!("scripts/one_event_row.sql"), APPENDED);
    let work = "1 event, new stream, result as a row";
    let scripts = [&row, &insert];
    compare(
        bench,
        report,
        [work, "INSERT of 1 row"],
        scripts,
        CLIENTS,
        None,
    )
    .await
}

/// Compares two scripts in a new database.
async fn compare(
    bench: &Bench,
    report: &mut Report,
    [work, against]: [&'static str; 2],
    scripts: [&Script; 2],
    clients: u32,
    at_least: Option<f64>,
) -> Result<()> {
    let database = bench.database().await?;
    let rounds = bench.compare(&database, scripts, clients).await?;
    let target = at_least.map(Target::AtLeast);
    report.comparisons.push(Comparison::new(
        work, against, clients, UNIT, rounds, target,
    ));
    Ok(())
}

/// Every client owns its streams and expects each at the version after its own last append; pgbench
/// would end with SE001 if one were not.
pub(crate) async fn existing_stream(bench: &Bench, report: &mut Report) -> Result<()> {
    let database = bench.database().await?;
    create_streams(&database).await?;
    let mut append = with_payload(include_str!("scripts/existing_stream.sql"), APPENDED);
    let mut insert = with_payload(include_str!("scripts/bare_existing_stream.sql"), INSERTED);
    for script in [&mut append, &mut insert] {
        script.variables.extend([
            ("appended", "0".to_owned()),
            ("streams", STREAMS.to_string()),
        ]);
    }
    report.comparisons.push(Comparison::new(
        "1 event, existing stream, exact version",
        "INSERT of 1 row",
        CLIENTS,
        UNIT,
        bench
            .compare(&database, [&append, &insert], CLIENTS)
            .await?,
        Some(Target::AtLeast(1.0)),
    ));
    Ok(())
}

pub(crate) async fn two_streams(bench: &Bench, report: &mut Report) -> Result<()> {
    let append = with_payload(include_str!("scripts/two_streams.sql"), APPENDED);
    let insert = with_payload(include_str!("scripts/bare_two_streams.sql"), INSERTED);
    let names = ["2 new streams, 1 event each", "INSERT of 2 rows"];
    compare(bench, report, names, [&append, &insert], CLIENTS, Some(1.0)).await
}

pub(crate) async fn json(bench: &Bench, report: &mut Report) -> Result<()> {
    const EVENTS: usize = 10;
    let json = Script {
        sql: include_str!("scripts/ten_events_json.sql"),
        variables: vec![("events", payload::json_events(EVENTS))],
        written: APPENDED,
    };
    let arrays = Script {
        sql: include_str!("scripts/ten_events_arrays.sql"),
        variables: vec![
            ("types", payload::types(EVENTS)),
            ("payloads", payload::payloads(EVENTS)),
        ],
        written: APPENDED,
    };
    let names = ["10 events as JSON, new stream", "the same as arrays"];
    compare(bench, report, names, [&json, &arrays], CLIENTS, Some(0.8)).await
}

/// Gives every client its streams with one event each, in both tables.
async fn create_streams(database: &Database) -> Result<()> {
    const APPEND: &str = "
        SELECT eventcore_append(array_agg(stream), array_agg(0::bigint), array_agg(stream),
            array_agg('AccountOpened'::text), array_agg(jsonb '{}'), NULL)
        FROM (SELECT (1000000000000000 + $1::bigint * 1000000000 + n)::text AS stream
            FROM generate_series(0, $2::bigint - 1) AS n) AS streams";
    const INSERT: &str = "
        INSERT INTO bare (position, version, recorded_at, event_id, stream_id, event_type, payload)
        SELECT nextval('bare_position'), 1, clock_timestamp(), gen_random_uuid(),
            (1000000000000000 + $1::bigint * 1000000000 + n)::text, 'AccountOpened', '{}'
        FROM generate_series(0, $2::bigint - 1) AS n";
    let client = database.connect().await?;
    for statement in [APPEND, INSERT] {
        let statement = client.prepare(statement).await?;
        for owner in 0..i64::from(CLIENTS) {
            client
                .execute(&statement, &[&owner, &i64::from(STREAMS)])
                .await?;
        }
    }
    Ok(())
}

fn with_payload(sql: &'static str, written: &'static str) -> Script {
    Script {
        sql,
        variables: vec![("payload", PAYLOAD.to_owned())],
        written,
    }
}
