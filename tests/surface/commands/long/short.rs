//! A stream that may have a saved state is read from its end, and as a whole if it is short. Commands
//! decide the same all the same, and `apply` gets the same pages.

use super::{at, chain, fill, kept, last_payload, link, register_with};
use crate::support::{Client, connect, value};

/// The pages that `chain_events` got since the last call: the first and last version of each.
async fn pages(client: &Client) -> Vec<(i64, i64)> {
    let sql = "SELECT first, last FROM pages ORDER BY number";
    let rows = client.query(sql, &[]).await.unwrap();
    let pages = rows.iter().map(|row| (row.get(0), row.get(1)));
    let pages = pages.collect();
    client.batch_execute("TRUNCATE pages").await.unwrap();
    pages
}

/// What an execution decides, rolled back: the state and the pages.
async fn decided(
    client: &Client,
    name: &str,
    apply: &str,
    every: i64,
) -> (String, Vec<(i64, i64)>) {
    client.batch_execute("BEGIN").await.unwrap();
    register_with(client, apply, &format!(", snapshot_every => {every}")).await;
    let (done, _) = link(client, &[name]).await;
    let state = last_payload(client, name).await;
    let pages = pages(client).await;
    let saved = kept(client).await;
    let read = done.versions[0] - 1;
    // The number of events is below the version if SQL has inserted the stream with holes.
    let sql = format!("SELECT count(*) - 1 FROM eventcore.events WHERE stream_id = '{name}'");
    let is_saved = every > 0 && value::<i64>(client, &sql).await >= every;
    let expected = is_saved.then(|| at(name, read));
    assert_eq!(saved, Vec::from_iter(expected), "{name} {apply} {every}");
    client.batch_execute("ROLLBACK").await.unwrap();
    (state.to_string(), pages)
}

async fn assert_the_same(client: &Client, name: &str) {
    let one_by_one = decided(client, name, "chain", 0).await.0;
    let (state, expected) = decided(client, name, "chain_events", 0).await;
    assert_eq!(state, one_by_one, "{name}");
    for every in [1, 2, 99, 100, 101, 102, 1_000_000] {
        let (state, _) = decided(client, name, "chain", every).await;
        assert_eq!(state, one_by_one, "{name} {every}");
        let (state, pages) = decided(client, name, "chain_events", every).await;
        assert_eq!(
            (state, &pages),
            (one_by_one.clone(), &expected),
            "{name} {every}"
        );
    }
}

#[tokio::test]
async fn a_short_stream_is_read_as_a_long_one_at_every_limit() {
    let (url, client) = chain("long_limits", "").await;
    for events in [0, 1, 2, 98, 99, 100, 101, 102, 199, 200, 201] {
        let name = format!("s{events}");
        if events > 0 {
            fill(&client, &name, events).await;
            // The index has entries of rows that nobody sees.
            client.batch_execute("BEGIN").await.unwrap();
            fill(&client, &name, 150).await;
            client.batch_execute("ROLLBACK").await.unwrap();
            // And of rows that are not committed, without a lock of the stream.
            let restore = connect(&url).await;
            let open = format!(
                "BEGIN; INSERT INTO eventcore.events VALUES (1000000, {events} + 60, now(), gen_random_uuid(), '{name}', 'Came', '1')"
            );
            restore.batch_execute(&open).await.unwrap();
            assert_the_same(&client, &name).await;
            restore.batch_execute("ROLLBACK").await.unwrap();
        }
        assert_the_same(&client, &name).await;
    }
}

/// SQL may restore a part of a stream.
#[tokio::test]
async fn a_stream_with_holes_is_read_as_a_whole() {
    let (_, client) = chain("long_holes", "").await;
    for (name, versions) in [
        ("high", "SELECT generate_series(50, 60)"),
        ("above", "SELECT generate_series(150, 160)"),
        ("hole", "SELECT generate_series(1, 5) UNION SELECT 99"),
        ("wide", "SELECT generate_series(1, 5) UNION SELECT 100"),
        ("wider", "SELECT generate_series(1, 5) UNION SELECT 300"),
    ] {
        let insert = format!(
            "INSERT INTO eventcore.events
             SELECT eventcore_safe_position() + row_number() OVER (), v, now(), gen_random_uuid(), '{name}', 'Came', to_jsonb(v)
               FROM ({versions}) v (v)"
        );
        client.batch_execute(&insert).await.unwrap();
        assert_the_same(&client, name).await;
    }
}

/// A page ends with the event by which it has a megabyte, counted from the start of the stream.
#[tokio::test]
async fn large_events_come_in_the_same_pages() {
    let (_, client) = chain("long_large", "").await;
    // Payloads that the server cannot compress, in other places than their rows.
    let payload = "CREATE FUNCTION large(bytes integer) RETURNS jsonb LANGUAGE sql AS $$
        SELECT to_jsonb(left(string_agg(md5(n::text || bytes), ''), bytes)) FROM generate_series(1, bytes / 32 + 1) n $$";
    client.batch_execute(payload).await.unwrap();
    for (name, sizes) in [
        ("one", "{2000000}"),
        ("last", "{1000,1000,2000000}"),
        ("first", "{2000000,1000,1000}"),
        ("middle", "{1000,2000000,1000}"),
        ("full", "{400000,400000,400000}"),
        ("below", "{400000,400000,200000}"),
        (
            "many",
            "{300000,300000,300000,300000,300000,300000,300000,300000,1000}",
        ),
        ("mixed", "{9000,700000,9000,300000,9000,40000,900000,9000}"),
    ] {
        let sql = "SELECT eventcore_append(ARRAY[$1::text], '{NULL}', array_agg($1::text), array_agg('Large'::text),
                       array_agg(large(n)), NULL) FROM unnest($2::text::integer[]) n";
        client.execute(sql, &[&name, &sizes]).await.unwrap();
        assert_the_same(&client, name).await;
    }
}
