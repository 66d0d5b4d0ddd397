//! Pages among many events: what a page reads does not grow with what is stored. Rows and blocks are
//! counted, not time, so it does not matter how fast the machine is.
//!
//! `EVENTCORE_EVENTS` is the number of events: 200,000 by default, ten million for the long form.
//! With `--nocapture` it says what each page took.

use std::collections::BTreeSet;
use std::time::Duration;

use eventcore_console::routes;
use serde::Deserialize;

use crate::support::{Database, Running, until, within};

/// A page, as `console/browser-tests` opens it too.
#[derive(Deserialize)]
struct Page {
    route: String,
    path: String,
}

const PAGES: &str = include_str!("../../console/browser-tests/pages.json");
const DATA: &str = include_str!("../../console/browser-tests/data.sql");

fn pages() -> Vec<Page> {
    serde_json::from_str(PAGES).unwrap()
}

/// Routes that are no page of the database, and one whose answer does not end.
const OTHERS: [&str; 3] = ["/assets/{file}", "/sign-in", "/tail/events"];

#[test]
fn every_page_is_opened_in_a_browser_and_among_many_events() {
    let gets = routes::all().filter(|route| route.method() == "GET");
    let gets = gets
        .map(|route| route.path())
        .filter(|path| !OTHERS.contains(path));
    let there: BTreeSet<&str> = gets.collect();
    let pages = pages();
    let opened: BTreeSet<&str> = pages.iter().map(|page| page.route.as_str()).collect();
    assert_eq!(opened, there, "console/browser-tests/pages.json");
}

/// What nobody has, or what was long ago: the longest way for a page that searches.
const FAR: [(&str, &str); 5] = [
    ("/streams", "/streams?contains=no-name-has-this"),
    ("/search", "/search?type=OrderPlaced"),
    ("/search", "/search?where=/cents%20%3E%201&until=1s"),
    ("/tail", "/tail?prefix=order-&type=Nothing"),
    ("/streams/{id}", "/streams/reading-7?type=Nothing"),
];

/// One position in so many is an event, as if the other appends had been rolled back. What is searched
/// by windows of positions has fewer rows then, so that a page that reads all of them is found out with
/// fewer events.
const SPACING: u64 = 20;

/// The most rows of `eventcore.events` that a page may read, and the monitor beside it.
const MOST_ROWS: u64 = 3_000;

/// The same for pages that search windows of positions: ten windows of 100,000.
const MOST_ROWS_IN_WINDOWS: u64 = 10 * 100_000 / SPACING;

/// The most blocks for each of these rows: a way down an index, and the row.
const BLOCKS_FOR_A_ROW: u64 = 5;

fn most_rows(route: &str, path: &str, streams: u64) -> u64 {
    match route {
        "/search" | "/tail" | "/trace/{correlation}" | "/events/id/{id}" | "/events/{position}" => {
            MOST_ROWS_IN_WINDOWS
        }
        // It goes through the names of the streams until its time is up.
        _ if path.contains("contains=") => MOST_ROWS + 2 * streams,
        _ => MOST_ROWS,
    }
}

/// The data of the shop, and after them this many events in a tenth as many streams.
fn filled(database: &Database, events: u64) {
    database.sql(DATA);
    let streams = events / 10;
    database.sql(&format!(
        "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload, correlation_id)
         SELECT last.position + {SPACING} * n, 1 + (n - 1) / {streams}, clock_timestamp(), gen_random_uuid(),
                'reading-' || n % {streams}, 'Read', '{{\"value\": 1}}', md5((n / 3)::text)::uuid
           FROM (SELECT max(position) AS position FROM eventcore.events) last, generate_series(1, {events}) n;
         VACUUM (ANALYZE) eventcore.events;"
    ));
}

/// What was read of `eventcore.events` since the counters were set to zero.
struct Cost {
    scans: u64,
    rows: u64,
    blocks: u64,
}

fn cost(database: &Database) -> Cost {
    let line = database.sql(
        "SELECT t.seq_scan, t.seq_tup_read + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid),
                heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
           FROM pg_stat_user_tables t JOIN pg_statio_user_tables io USING (relid) WHERE t.relid = 'eventcore.events'::regclass",
    );
    let numbers: Vec<u64> = line.split('|').map(|n| n.parse().unwrap()).collect();
    Cost {
        scans: numbers[0],
        rows: numbers[1],
        blocks: numbers[2],
    }
}

/// Sessions give their counters to the server when they end.
async fn sessions_have_ended(database: &Database) {
    until("the end of the console's sessions", || {
        database.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'eventcore console'") == "0"
    })
    .await;
}

/// A worker, too, gives its counters when it ends. The next one has nothing to read.
async fn workers_have_ended(database: &Database) {
    let workers = "FROM pg_stat_activity
                  WHERE datname = current_database() AND backend_type = 'eventcore projection worker'";
    let ended = database.sql(&format!(
        "SELECT coalesce(string_agg(pid::text, ',') FILTER (WHERE pg_terminate_backend(pid)), '0') {workers}"
    ));
    until("the end of the workers", || {
        database.sql(&format!("SELECT count(*) {workers} AND pid IN ({ended})")) == "0"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_reads_more_the_more_events_there_are() {
    let events = std::env::var("EVENTCORE_EVENTS").ok();
    let events = events.map_or(200_000, |events| events.parse().unwrap());
    let database = Database::with_workers("console_many");
    filled(&database, events);
    // A minute for each million.
    let longest = Duration::from_secs(60 * (1 + events / 1_000_000));
    within("the end of what the projections have to do", longest, async || {
        let lag = "SELECT sum(lag_events) FROM eventcore.stat_projections WHERE name IN ('sales', 'parcels')";
        database.sql(lag) == "0"
    })
    .await;
    workers_have_ended(&database).await;
    let holder = database.session().await;
    holder
        .batch_execute("BEGIN; SELECT eventcore_append(ARRAY['held'], ARRAY[0]::bigint[], '[{\"stream\": \"held\", \"type\": \"T\", \"payload\": 1}]')")
        .await
        .unwrap();
    let pid = database.sql("SELECT pid FROM eventcore.stat_inflight");
    let event_id = "SELECT event_id FROM eventcore.events WHERE stream_id = 'import-legacy'";
    let event_id = database.sql(event_id);

    let far = FAR.map(|(route, path)| Page {
        route: route.to_owned(),
        path: path.to_owned(),
    });
    let mut too_much = Vec::new();
    for Page { route, path } in pages().into_iter().chain(far) {
        let path = path.replace("PID", &pid).replace("EVENT_ID", &event_id);
        let console = Running::start(&database.url, |options| options).await;
        database.sql("SELECT pg_stat_reset()");
        let response = console.browser().get(&path).await;
        let status = response.status();
        let timing = response.headers()["server-timing"].to_str().unwrap();
        let timing = timing.to_owned();
        response.bytes().await.unwrap();
        console.stop().await;
        sessions_have_ended(&database).await;
        let read = cost(&database);
        println!(
            "{path}: {status}, {} rows, {} blocks, {timing}",
            read.rows, read.blocks
        );
        let most = most_rows(&route, &path, events / 10);
        let is_found = status.is_success() || status.is_redirection();
        let is_little = read.rows <= most && read.blocks <= BLOCKS_FOR_A_ROW * most;
        if !is_found || read.scans > 0 || !is_little {
            too_much.push(format!(
                "{path}: {status}, {} scans, {} rows, {} blocks",
                read.scans, read.rows, read.blocks
            ));
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}
