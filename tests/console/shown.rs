//! What the pages show: the digits of a payload, the append of an event, causes, the state of a stream.

use std::time::Duration;

use serde_json::value::RawValue;

use crate::support::Database;

const DIGITS: &str = "1234567890123456789012345678901234567890.125";

#[tokio::test(flavor = "multi_thread")]
async fn no_number_loses_a_digit_in_a_page_and_in_json() {
    let database = Database::new("console_digits");
    database.sql(&format!(
        "SELECT eventcore_append(ARRAY['a'], ARRAY[NULL]::bigint[], '[{{\"stream\":\"a\",\"type\":\"T\",\"payload\":{{\"n\":{DIGITS}}}}}]')"
    ));
    let console = database.console().await;
    for path in [
        "/events/1",
        "/streams/a",
        "/streams/a/1",
        "/search",
        "/tail",
    ] {
        let page = console.page(path).await;
        assert!(page.contains(DIGITS), "{path}: {page}");
    }
    for path in ["/events/1.json", "/streams/a/1.json"] {
        let json = console.page(path).await;
        let event: std::collections::BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&json).unwrap();
        assert_eq!(event["payload"].get(), format!("{{\"n\": {DIGITS}}}"));
    }
}

/// Three appends of one operation: an order, its payment, and the shipment in two streams.
fn operation(name: &str) -> Database {
    let database = Database::new(name);
    let append = |streams: &str, events: &str, cause: &str| {
        format!(
            "SELECT eventcore_append(ARRAY[{streams}], array_fill(NULL::bigint, ARRAY[cardinality(ARRAY[{streams}])]), '{events}', correlation_id => '00000000-0000-4000-8000-00000000000a',
                 causation_id => {cause})"
        )
    };
    let id = |number: u32| format!("00000000-0000-7000-8000-00000000000{number}");
    let event = |number: u32, stream: &str, name: &str| {
        format!(
            "{{\"id\":\"{}\",\"stream\":\"{stream}\",\"type\":\"{name}\",\"payload\":{number}}}",
            id(number)
        )
    };
    database.sql(&append(
        "'order'",
        &format!("[{}]", event(1, "order", "Placed")),
        "NULL",
    ));
    database.sql(&append(
        "'payment'",
        &format!("[{}]", event(2, "payment", "Paid")),
        &format!("'{}'", id(1)),
    ));
    let both = format!(
        "[{},{}]",
        event(3, "order", "Shipped"),
        event(4, "shipment", "Sent")
    );
    database.sql(&append(
        "'order', 'shipment'",
        &both,
        &format!("'{}'", id(2)),
    ));
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_shown_with_its_append_its_causes_and_its_effects() {
    let database = operation("console_causes");
    let console = database.console().await;
    let page = console.page("/events/3").await;
    let append = page.split("The append it came with").nth(1).unwrap();
    assert!(append.contains("2 events, written together"), "{append}");
    let chain = page.split("What caused it").nth(1).unwrap();
    let (placed, paid) = (chain.find("Placed"), chain.find("Paid"));
    assert!(placed.is_some() && placed < paid, "{chain}");
    assert!(chain.contains("It caused no event there"), "{chain}");
    let page = console.page("/events/2").await;
    let effects = page.split("It caused").nth(1).unwrap();
    assert!(
        effects.contains("Shipped") && effects.contains("Sent"),
        "{effects}"
    );
    // The same by its id.
    let page = console
        .page("/events/id/00000000-0000-7000-8000-000000000002")
        .await;
    assert!(page.contains("Paid") && page.contains("Shipped"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_is_a_graph_and_a_table_and_says_what_was_searched() {
    let database = operation("console_trace");
    let console = database.console().await;
    let path = "/trace/00000000-0000-4000-8000-00000000000a";
    let page = console.page(path).await;
    assert!(page.contains("4 events in 3 appends"), "{page}");
    let graph = page
        .split("<svg")
        .find(|part| part.contains("class=\"lane-name\""))
        .unwrap();
    let graph = graph.split("</svg>").next().unwrap();
    let count = |part: &str| graph.matches(part).count();
    assert_eq!(
        (
            count("class=\"lane-name\""),
            count("class=\"append\""),
            count("class=\"edge\"")
        ),
        (3, 3, 2)
    );
    assert!(page.contains("All positions were searched"), "{page}");
    database
        .sql("CREATE INDEX ON eventcore.events (correlation_id) WHERE correlation_id IS NOT NULL");
    let page = console.page(path).await;
    assert!(page.contains("Found by an index"), "{page}");
    let nothing = console
        .browser()
        .get("/trace/00000000-0000-4000-8000-00000000000b")
        .await;
    assert_eq!(nothing.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_side_by_side_have_the_events_of_one_append_in_one_row() {
    let database = operation("console_compare");
    let console = database.console().await;
    let page = console.page("/compare?s=order&s=shipment").await;
    let body = page.split("<tbody>").nth(1).unwrap();
    let rows: Vec<&str> = body.split("<tr>").skip(1).collect();
    assert_eq!(rows.len(), 2, "{body}");
    assert!(
        rows[1].contains("Shipped") && rows[1].contains("Sent"),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn long_streams_are_compared_page_by_page_with_nothing_left_out() {
    let database = Database::new("console_compare_pages");
    for (stream, count) in [("a", 130), ("b", 20), ("a", 40), ("b", 90)] {
        database.sql(&format!(
            "SELECT eventcore_append(ARRAY['{stream}'], ARRAY[NULL]::bigint[], jsonb_agg(jsonb_build_object(
                 'stream', '{stream}', 'type', 'T', 'payload', n))) FROM generate_series(1, {count}) n"
        ));
    }
    let console = database.console().await;
    let mut path = Some("/compare?s=a&s=b".to_owned());
    let mut seen = std::collections::BTreeSet::new();
    while let Some(asked) = path {
        let page = console.page(&asked).await;
        for part in page.split("href=\"/events/").skip(1) {
            let position: i64 = part.split('"').next().unwrap().parse().unwrap();
            assert!(seen.insert(position), "{position} twice");
        }
        let next = page.split("rel=\"next\" href=\"").nth(1);
        path = next.map(|next| next.split('"').next().unwrap().replace("&amp;", "&"));
    }
    assert_eq!(seen, (1..=280).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_shown_page_by_page_in_both_directions() {
    let database = Database::new("console_stream_pages");
    database.sql(
        "SELECT eventcore_append(ARRAY['a'], ARRAY[NULL]::bigint[], jsonb_agg(jsonb_build_object('stream', 'a', 'type', 'T', 'payload', n)))
           FROM generate_series(1, 120) n",
    );
    let console = database.console().await;
    for (path, first) in [("/streams/a", 120), ("/streams/a?dir=forward", 1)] {
        let mut path = Some(path.to_owned());
        let mut seen = Vec::new();
        while let Some(asked) = path {
            let page = console.page(&asked).await;
            let table = page
                .split("<tbody>")
                .nth(1)
                .unwrap()
                .split("</tbody>")
                .next()
                .unwrap();
            for part in table.split("href=\"/streams/a/").skip(1) {
                seen.push(part.split('"').next().unwrap().parse::<i64>().unwrap());
            }
            let next = page.split("rel=\"next\" href=\"").nth(1);
            path = next.map(|next| next.split('"').next().unwrap().replace("&amp;", "&"));
        }
        assert_eq!((seen.len(), seen[0]), (120, first));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_folded_by_the_apply_of_a_command_up_to_any_event() {
    let database = Database::new("console_stream_state");
    database.sql(
        "CREATE FUNCTION sum_apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql IMMUTABLE
             AS $$ SELECT to_jsonb(state::bigint + (event.payload)::bigint) $$;
         CREATE FUNCTION sum_handle(input jsonb, state jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT '[]'::jsonb $$;
         SELECT eventcore_register_command('sum', 'sum_apply', 'sum_handle', streams => ARRAY['/stream'], initial_state => '1000');
         SELECT eventcore_append(ARRAY['a'], ARRAY[NULL]::bigint[], jsonb_agg(jsonb_build_object('stream', 'a', 'type', 'T', 'payload', n)))
           FROM generate_series(1, 5) n",
    );
    let console = database.console().await;
    let page = console.page("/streams/a/4?command=sum").await;
    let state = page.split("State here").nth(1).unwrap();
    assert!(
        state.contains("<span class=\"numeral\">1010</span>"),
        "{state}"
    );
    let page = console.page("/streams/a/4?command=none").await;
    assert!(page.contains("there is no command named"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_name_is_found_and_the_page_says_how_many_were_looked_at() {
    let database = Database::new("console_contains");
    database.sql(
        "SELECT eventcore_append(ARRAY['s' || n], ARRAY[NULL]::bigint[], jsonb_build_array(jsonb_build_object('stream', 's' || n, 'type', 'T', 'payload', n)))
           FROM generate_series(1, 60) n",
    );
    let console = database.console().await;
    let page = console.page("/streams?contains=42").await;
    assert!(
        page.contains("href=\"/streams/s42\"") && !page.contains("href=\"/streams/s41\""),
        "{page}"
    );
    let page = console.page("/streams").await;
    assert_eq!(page.matches("href=\"/streams/s").count(), 50);
    let next = page
        .split("rel=\"next\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let page = console.page(&next.replace("&amp;", "&")).await;
    assert_eq!(page.matches("href=\"/streams/s").count(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_shows_what_the_database_said_and_asks_it_nothing() {
    let database = operation("console_overview");
    database.sql("SELECT eventcore_create_subscription('mails')");
    let console = database.console().await;
    let page = async {
        loop {
            let page = console.page("/").await;
            if page.contains("Safe position") && page.contains("/subscriptions/mails") {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let page = tokio::time::timeout(Duration::from_secs(60), page)
        .await
        .unwrap();
    assert!(page.contains("class=\"spark\""), "{page}");
    assert!(page.contains("0 statements"), "{page}");
}
