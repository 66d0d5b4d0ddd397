//! `streams`, `stream`, `event`, `trace` and `search`.

use serde_json::{Value, json};

use crate::support::{Database, words};

const A: &str = "11111111-1111-1111-1111-111111111111";

/// Three streams; the events of `order-1` and `stock-x` are one operation.
fn shop(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "SELECT eventcore_append(ARRAY['order-1','stock-x'], ARRAY[0,0]::bigint[],
            '[{\"stream\":\"order-1\",\"type\":\"Placed\",\"payload\":{\"cents\":12345678901234567890.10,\"lines\":[{\"sku\":\"x\"}]}},
              {\"stream\":\"stock-x\",\"type\":\"Reserved\",\"payload\":{\"cents\":5},\"metadata\":{\"by\":\"ada\"}}]',
            '11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222');
         SELECT eventcore_append(ARRAY['order-1'], ARRAY[1]::bigint[],
            '[{\"stream\":\"order-1\",\"type\":\"Paid\",\"payload\":{\"cents\":200,\"owner\":\"Ada Lovelace\"}}]');
         SELECT eventcore_append(ARRAY['order-2'], ARRAY[0]::bigint[],
            '[{\"stream\":\"order-2\",\"type\":\"Placed\",\"payload\":{\"cents\":100}}]')",
    );
    database
}

fn names(rows: &Value, key: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap();
    rows.iter()
        .map(|row| row[key].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn streams_are_listed_with_their_versions_and_last_events() {
    let database = shop("cli_streams");
    let table = database.ok(&["streams", "--time", "raw"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0].split("  ").next(), Some("STREAM"), "{table}");
    assert_eq!(words(lines[1])[..4], ["order-1", "2", "open", "Paid"]);
    assert_eq!(words(lines[2])[..4], ["order-2", "1", "open", "Placed"]);
    assert_eq!(words(lines[3])[..4], ["stock-x", "1", "open", "Reserved"]);
    assert_eq!(lines.len(), 4);

    assert_eq!(
        names(&database.json(&["streams", "order-"]), "stream_id"),
        ["order-1", "order-2"]
    );
    assert_eq!(
        names(
            &database.json(&["streams", "--after", "order-1"]),
            "stream_id"
        ),
        ["order-2", "stock-x"]
    );
    assert_eq!(
        names(
            &database.json(&["streams", "--contains", "ck-"]),
            "stream_id"
        ),
        ["stock-x"]
    );
    assert_eq!(database.json(&["streams", "none-"]), json!([]));
    let limited = database.run(&["streams", "--limit", "1", "-o", "jsonl"]);
    assert!(limited.err.contains("--after 'order-1'"), "{limited:?}");
    let line: Value = serde_json::from_str(&limited.ok()).unwrap();
    assert_eq!(
        (line["version"].as_i64(), line["last_event_type"].as_str()),
        (Some(2), Some("Paid"))
    );
}

#[test]
fn a_page_of_streams_is_cheap_however_many_there_are() {
    let database = Database::new("cli_many_streams");
    database.sql(
        "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
         SELECT n, 1, now(), gen_random_uuid(), 's-' || lpad(n::text, 6, '0'), 'T', '{}' FROM generate_series(1, 30000) n;
         VACUUM ANALYZE eventcore.events",
    );
    let all = database.ok(&["streams", "-o", "jsonl"]);
    assert_eq!(all.lines().count(), 30_000);
    let page = database.json(&["streams", "s-02", "--after", "s-029998", "--limit", "50"]);
    assert_eq!(names(&page, "stream_id"), ["s-029999"]);
    let found = database.json(&["streams", "--contains", "9999"]);
    assert_eq!(
        names(&found, "stream_id"),
        ["s-009999", "s-019999", "s-029999"]
    );
}

#[test]
fn a_stream_is_shown_and_its_events_are_listed_in_both_directions() {
    let database = shop("cli_stream");
    let shown = database.json(&["stream", "show", "order-1"]);
    assert_eq!(shown["version"], 2);
    assert_eq!(shown["state"], "open");
    assert_eq!(shown["first_version"], 1);
    let text = database.ok(&["stream", "show", "order-1"]);
    assert!(
        text.lines()
            .any(|line| words(line) == ["last", "event", "Paid"]),
        "{text}"
    );

    let events = database.json(&["stream", "events", "order-1"]);
    assert_eq!(names(&events, "event_type"), ["Placed", "Paid"]);
    let backward = database.json(&["stream", "events", "order-1", "--backward"]);
    assert_eq!(names(&backward, "event_type"), ["Paid", "Placed"]);
    let after = database.json(&["stream", "events", "order-1", "--after", "1"]);
    assert_eq!(names(&after, "event_type"), ["Paid"]);
    let typed = database.json(&["stream", "events", "order-1", "--type", "Placed"]);
    assert_eq!(names(&typed, "event_type"), ["Placed"]);

    for arguments in [["stream", "show", "none"], ["stream", "events", "none"]] {
        let ran = database.run(&arguments);
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(ran.err.contains("there is no stream \"none\""), "{ran:?}");
    }
}

#[test]
fn no_digit_of_a_number_is_lost_on_the_way() {
    let database = shop("cli_digits");
    for arguments in [
        &["event", "1"][..],
        &["event", "1", "-o", "json"],
        &["stream", "events", "order-1", "-o", "jsonl"],
        &["stream", "events", "order-1"],
        &["tail"],
        &["search"],
        &["trace", A, "-o", "json"],
    ] {
        let out = database.ok(arguments);
        assert!(
            out.contains("12345678901234567890.10"),
            "{arguments:?}: {out}"
        );
    }
}

#[test]
fn an_event_is_found_by_its_position_and_by_its_id() {
    let database = shop("cli_event");
    let by_position = database.json(&["event", "2"]);
    assert_eq!(by_position["stream_id"], "stock-x");
    assert_eq!(by_position["metadata"], json!({"by": "ada"}));
    assert_eq!(by_position["correlation_id"], A);
    let id = by_position["event_id"].as_str().unwrap();
    assert_eq!(database.json(&["event", id]), by_position);

    // An id that is no UUIDv7 says nothing of its time.
    let other = "33333333-3333-4333-8333-333333333333";
    let id = format!(
        "SELECT eventcore_append(ARRAY['a'], ARRAY[NULL]::bigint[], '[{{\"stream\":\"a\",\"type\":\"T\",\"payload\":1,\"id\":\"{other}\"}}]')"
    );
    database.sql(&id);
    assert_eq!(database.json(&["event", other])["stream_id"], "a");

    for missing in [
        "99",
        "44444444-4444-4444-8444-444444444444",
        "0198f3a0-0000-7000-8000-000000000000",
    ] {
        let ran = database.run(&["event", missing]);
        assert_eq!(ran.code, 4, "{ran:?}");
    }
    assert_eq!(database.run(&["event", "x"]).code, 2);
}

#[test]
fn a_trace_has_all_events_of_the_operation_with_and_without_an_index() {
    let database = shop("cli_trace");
    let check = |used_index: bool| {
        let traced = database.json(&["trace", A]);
        assert_eq!(
            names(&traced["events"], "stream_id"),
            ["order-1", "stock-x"]
        );
        assert_eq!(traced["searched"]["is_complete"], true);
        assert_eq!(traced["searched"]["used_index"], used_index);
        let traced = database.json(&["trace", "--event", "2"]);
        assert_eq!(
            names(&traced["events"], "stream_id"),
            ["order-1", "stock-x"]
        );
        let missing = database.run(&["trace", "55555555-5555-5555-5555-555555555555"]);
        assert_eq!(missing.code, 4, "{missing:?}");
    };
    check(false);
    database
        .sql("CREATE INDEX ON eventcore.events (correlation_id) WHERE correlation_id IS NOT NULL");
    check(true);
    let ran = database.run(&["trace", "--event", "4"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("no correlation id"), "{ran:?}");
    assert_eq!(database.run(&["trace"]).code, 2);
}

#[test]
fn a_search_finds_by_stream_type_time_operation_and_payload() {
    let database = shop("cli_search");
    let found = |arguments: &[&str]| {
        let found = database.json(&[&["search"], arguments].concat());
        assert_eq!(found["searched"]["is_complete"], true, "{found}");
        let events = found["events"].as_array().unwrap();
        events
            .iter()
            .map(|event| event["position"].as_i64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(&[]), [4, 3, 2, 1]);
    assert_eq!(found(&["--forward"]), [1, 2, 3, 4]);
    assert_eq!(found(&["--type", "Placed"]), [4, 1]);
    assert_eq!(
        found(&["--prefix", "stock-", "--prefix", "order-2"]),
        [4, 2]
    );
    assert_eq!(found(&["--correlation", A]), [2, 1]);
    assert_eq!(found(&["--where", "/cents > 100"]), [3, 1]);
    assert_eq!(found(&["--where", "/cents=5"]), [2]);
    assert_eq!(
        found(&["--where", "/cents >= 12345678901234567890.10"]),
        [1]
    );
    assert_eq!(found(&["--where", "/owner = Ada Lovelace"]), [3]);
    assert_eq!(found(&["--where", "/owner ^= \"Ada\""]), [3]);
    assert_eq!(found(&["--where", "/lines/0/sku = x"]), [1]);
    assert_eq!(found(&["--where", "/owner"]), [3]);
    assert_eq!(found(&["--where", "/cents > many"]), [0_i64; 0]);
    assert_eq!(found(&["--since", "2"]), [4, 3]);
    assert_eq!(found(&["--until", "2"]), [2, 1]);
    assert_eq!(found(&["--since", "1h"]), [4, 3, 2, 1]);
    assert_eq!(found(&["--until", "2020-01-01T00:00:00Z"]), [0_i64; 0]);

    let limited = database.run(&["search", "--limit", "1", "-o", "json"]);
    assert!(limited.err.contains("--until 3"), "{limited:?}");
    let next = database.json(&["search", "--limit", "1", "--until", "3"]);
    assert_eq!(next["events"][0]["position"], 3);
    let usage = database.run(&["search", "--where", "cents > 1"]);
    assert_eq!(usage.code, 2, "{usage:?}");
}

#[test]
fn a_time_is_found_among_many_positions_and_over_a_gap_between_histories() {
    let database = Database::new("cli_position_at");
    // As a restore writes them: with times and positions of their own.
    database.sql(
        "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
         SELECT CASE WHEN n <= 5000 THEN n ELSE 4294967296 + n END, n, timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute',
                gen_random_uuid(), 's', 'T', to_jsonb(n)
           FROM generate_series(1, 10000) n",
    );
    for (time, first) in [
        ("2025-12-31T00:00:00Z", 1_i64),
        ("2026-01-01T00:01:00Z", 1),
        ("2026-01-01T00:01:30Z", 2),
        ("2026-01-04T11:20:00Z", 5_000),
        ("2026-01-04T11:20:01Z", 4_294_967_296_i64 + 5_001),
        ("2026-01-07T22:40:00Z", 4_294_967_296 + 10_000),
    ] {
        let found = database.json(&["search", "--forward", "--limit", "1", "--since", time]);
        assert_eq!(found["events"][0]["position"], first, "{time}");
    }
    let found = database.json(&["search", "--since", "2026-01-08T00:00:00Z"]);
    assert_eq!(found["events"], json!([]));
}
