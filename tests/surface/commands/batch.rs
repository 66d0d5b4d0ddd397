//! `apply` for several events in a call, in pages, and `combine` for several states.

use serde_json::{Value, json};

use super::execute;
use super::long::same::Random;
use super::long::{at, chain, fill, folded, kept, last_payload, link, register_with, state_of};
use crate::support::{Client, append, connect, event, failure, stream, value};

/// The most events of a page.
const PAGE: i64 = 100;

/// The pages that `apply` got: their stream, first and last version.
async fn pages(client: &Client) -> Vec<(String, i64, i64)> {
    let sql = "SELECT stream, first, last, events FROM pages ORDER BY number";
    let rows = client.query(sql, &[]).await.unwrap();
    let page = |row: &tokio_postgres::Row| {
        let (first, last) = (row.get::<_, i64>(1), row.get(2));
        assert_eq!(last - first + 1, row.get::<_, i64>(3), "consecutive");
        (row.get(0), first, last)
    };
    rows.iter().map(page).collect()
}

/// Events whose payloads have this many characters.
async fn fill_large(client: &Client, stream: &str, sizes: &[i32]) {
    let sql = "SELECT eventcore_append(ARRAY[$1::text], '{NULL}', array_agg($1::text), array_agg('Filled'::text),
                   array_agg(to_jsonb(text)), NULL)
                 FROM unnest($2::integer[]) size,
                      LATERAL (SELECT string_agg(md5(random()::text), '') AS text FROM generate_series(0, size / 32)) t";
    client.execute(sql, &[&stream, &sizes]).await.unwrap();
}

#[tokio::test]
async fn the_state_is_that_of_the_single_form_for_every_split_into_pages() {
    let (_, client) = chain("batch_split", "").await;
    let seed: u64 = value::<i64>(&client, "SELECT (random() * 1e15)::bigint")
        .await
        .unsigned_abs();
    println!("seed {seed}");
    let mut random = Random(seed);
    let number = |random: &mut Random, end: usize| i64::try_from(random.below(end)).unwrap();
    for round in 0..30 {
        // Both limits of a page, and their neighbours; one stream or two.
        let streams = [format!("a{round}"), format!("b{round}")];
        let streams: Vec<_> = streams.iter().map(String::as_str).collect();
        let streams = &streams[..=random.below(2)];
        for name in streams {
            let count = PAGE * number(&mut random, 4) + number(&mut random, 3) - 1;
            if count > 0 {
                fill(&client, name, count).await;
            }
            let large: Vec<_> = (0..random.below(8))
                .map(|_| i32::try_from(random.below(600_000)).unwrap())
                .collect();
            if !large.is_empty() && random.below(3) == 0 {
                fill_large(&client, name, &large).await;
            }
        }
        let every = [0, 1, 50, 100, 101][random.below(5)];
        let combine = ["", ", combine => 'mix_states'"][random.below(2)];
        let more = format!(", snapshot_every => {every}{combine}");
        register_with(&client, "chain_events", &more).await;
        for _ in 0..3 {
            // Written with the single forms of both functions.
            let expected = state_of_with(&client, streams, !combine.is_empty()).await;
            link(&client, streams).await;
            let seen = last_payload(&client, streams.last().unwrap()).await;
            assert_eq!(seen, expected, "seed {seed}, round {round}, {more}");
            fill(&client, streams[0], number(&mut random, 130) + 1).await;
        }
    }
    let pages = pages(&client).await;
    assert!(
        pages
            .iter()
            .any(|(_, first, last)| last - first + 1 == PAGE)
    );
    assert!(pages.iter().all(|(_, first, last)| last - first < PAGE));
}

/// The state that the single forms give.
async fn state_of_with(client: &Client, streams: &[&str], combines: bool) -> Value {
    if !combines {
        return state_of(client, streams).await;
    }
    client.batch_execute("BEGIN").await.unwrap();
    register_with(client, "chain", ", snapshot_every => 0, combine => 'mix'").await;
    link(client, streams).await;
    let state = last_payload(client, streams.last().unwrap()).await;
    client.batch_execute("ROLLBACK").await.unwrap();
    state
}

#[tokio::test]
async fn a_page_has_up_to_100_consecutive_events_of_one_stream_and_about_a_megabyte() {
    let (_, client) = chain("batch_pages", "").await;
    register_with(&client, "chain_events", "").await;
    fill(&client, "a", 250).await;
    fill(&client, "b", 2).await;
    fill_large(&client, "c", &[600_000; 5]).await;
    assert_eq!(folded(&client, &["a", "none", "b", "c"]).await, 257);
    let page = |stream: &str, first, last| (stream.to_owned(), first, last);
    let expected = [
        page("a", 1, 100),
        page("a", 101, 200),
        page("a", 201, 250),
        page("b", 1, 2),
        page("c", 1, 2),
        page("c", 3, 4),
        page("c", 5, 5),
    ];
    assert_eq!(pages(&client).await, expected);
    // It goes on from the saved state.
    assert_eq!(kept(&client).await, [at("a", 250)]);
    assert_eq!(folded(&client, &["a"]).await, 0);
    fill(&client, "a", 149).await;
    assert_eq!(folded(&client, &["a"]).await, 150);
    let expected = [page("a", 251, 350), page("a", 351, 400)];
    assert_eq!(pages(&client).await[7..], expected);
    assert_eq!(kept(&client).await, [at("a", 400)]);
}

#[tokio::test]
async fn what_is_wrong_with_a_page_is_told_with_its_versions_and_positions() {
    let (_, client) = chain("batch_wrong", "").await;
    client
        .batch_execute(
            "CREATE FUNCTION bad(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS $$
             BEGIN
                 IF event.payload = '130' THEN RETURN NULL; END IF;
                 RETURN to_jsonb(event.version / (170 - event.version));
             END $$;
             CREATE FUNCTION bad_events(state jsonb, events eventcore.events[]) RETURNS jsonb LANGUAGE plpgsql AS $$
             BEGIN
                 FOR place IN 1 .. cardinality(events) LOOP
                     state := bad(state, events[place]);
                     IF state IS NULL THEN RETURN NULL; END IF;
                 END LOOP;
                 RETURN state;
             END $$",
        )
        .await
        .unwrap();
    fill(&client, "first", 7).await;
    fill(&client, "s", 120).await;
    for (apply, versions) in [("bad", (130, 130)), ("bad_events", (101, 200))] {
        // The payload counts within an append, the version within the stream.
        client.batch_execute("BEGIN").await.unwrap();
        fill(&client, "s", 9).await;
        let null = json!([{"stream": "s", "type": "Null", "payload": 130}]);
        append(&client, &[("s", None)], null).await.unwrap();
        fill(&client, "s", 100).await;
        register_with(&client, apply, "").await;
        let (first, last) = versions;
        let positions = format!(
            "SELECT array_agg(position ORDER BY position) FROM eventcore.events
              WHERE stream_id = 's' AND version IN ({first}, {last})"
        );
        let positions: Vec<i64> = value(&client, &positions).await;
        let input = json!({"streams": "s", "checked": []});
        let failed = execute(&client, "chain", input).await.unwrap_err();
        let detail = failed.assert_ours("SE003");
        assert_eq!(detail["argument"], "result of apply", "{detail}");
        assert_eq!(detail["stream"], "s", "{detail}");
        assert_eq!(
            detail["versions"],
            json!([versions.0, versions.1]),
            "{detail}"
        );
        let (first, last) = (positions[0], positions[positions.len() - 1]);
        assert_eq!(detail["positions"], json!([first, last]), "{detail}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    // An error of apply is raised as it is, and its context names the page.
    fill(&client, "s", 60).await;
    let places = "SELECT array_agg(position ORDER BY version) FROM eventcore.events
                   WHERE stream_id = 's' AND version IN (101, 170, 180)";
    let places: Vec<i64> = value(&client, places).await;
    let one = format!("version 170 of stream \"s\" (position {})", places[1]);
    let several = format!(
        "versions 101 to 180 of stream \"s\" (positions {} to {})",
        places[0], places[2]
    );
    for (apply, events) in [("bad", one), ("bad_events", several)] {
        register_with(&client, apply, "").await;
        let call = r#"SELECT eventcore_execute('chain', '{"streams": "s", "checked": []}')"#;
        let failed = client.batch_execute(call).await.unwrap_err();
        let failed = failed.as_db_error().unwrap();
        assert_eq!(failed.code().code(), "22012");
        let context = failed.where_().unwrap();
        let expected = format!("apply of command \"chain\" for {events}");
        assert!(context.contains("PL/pgSQL function bad"), "{context}");
        assert!(context.ends_with(&expected), "{context}");
    }
    // Only errors of apply.
    let reject =
        r#"SELECT eventcore_execute('chain', '{"streams": "first", "checked": [], "reject": 1}')"#;
    let rejected = client.batch_execute(reject).await.unwrap_err();
    let context = rejected.as_db_error().unwrap().where_().unwrap_or_default();
    assert!(!context.contains("apply of command"), "{context}");
}

#[tokio::test]
async fn what_a_function_takes_decides_in_which_form_it_is_called() {
    let (_, client) = chain("batch_forms", "").await;
    let functions = "
        CREATE FUNCTION of_jsonbs(state jsonb, events jsonb[]) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
        CREATE FUNCTION of_events(events eventcore.events[]) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
        CREATE FUNCTION of_three(jsonb, eventcore.events[], text) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
        CREATE FUNCTION to_text(jsonb, eventcore.events[]) RETURNS text LANGUAGE sql AS 'SELECT $1::text';
        CREATE FUNCTION to_many(jsonb, eventcore.events[]) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT $1';
        CREATE FUNCTION many(jsonb[]) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT $1[1]';
        CREATE FUNCTION texts(text[]) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';";
    client.batch_execute(functions).await.unwrap();
    for (apply, combine, wrong) in [
        ("of_jsonbs", "mix", "apply"),
        ("of_events", "mix", "apply"),
        ("of_three", "mix", "apply"),
        ("to_text", "mix", "apply"),
        ("to_many", "mix", "apply"),
        ("mix_states", "mix", "apply"),
        ("chain_events", "many", "combine"),
        ("chain_events", "texts", "combine"),
        ("chain_events", "chain_events", "combine"),
    ] {
        let sql = format!(
            "SELECT eventcore_register_command('n', '{apply}', 'link', streams => '{{/a}}', combine => '{combine}')"
        );
        let detail = failure(client.batch_execute(&sql).await).assert_ours("SE003");
        assert_eq!(detail["argument"], wrong, "{apply}, {combine}");
    }
    fill(&client, "a", 3).await;
    let state = state_of(&client, &["a"]).await;
    for (apply, combine) in [
        ("chain", "mix"),
        ("chain_events", "mix_states"),
        ("chain", "mix_states"),
    ] {
        register_with(&client, apply, &format!(", combine => '{combine}'")).await;
        let sql = "SELECT apply || ' ' || combine FROM eventcore.commands WHERE name = 'chain'";
        let events = if apply == "chain" { "" } else { "[]" };
        let states = if combine == "mix" {
            "pg_catalog.jsonb,pg_catalog.jsonb"
        } else {
            "pg_catalog.jsonb[]"
        };
        let expected = format!(
            "public.{apply}(pg_catalog.jsonb,eventcore.events{events}) public.{combine}({states})"
        );
        assert_eq!(value::<String>(&client, sql).await, expected);
        client.batch_execute("BEGIN").await.unwrap();
        link(&client, &["a"]).await;
        assert_eq!(last_payload(&client, "a").await, state, "{apply}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    // A role that may write the table of commands cannot have a function called with other types.
    for (part, function) in [
        (
            "apply",
            "public.of_jsonbs(pg_catalog.jsonb,pg_catalog.jsonb[])",
        ),
        (
            "apply",
            "public.to_many(pg_catalog.jsonb,eventcore.events[])",
        ),
        ("combine", "public.texts(pg_catalog.text[])"),
        ("combine", "public.many(pg_catalog.jsonb[])"),
        (
            "handle",
            "public.chain_events(pg_catalog.jsonb,eventcore.events[])",
        ),
    ] {
        let sql = format!(
            "BEGIN; UPDATE eventcore.commands SET {part} = '{function}' WHERE name = 'chain'"
        );
        client.batch_execute(&sql).await.unwrap();
        let input = json!({"streams": "a", "checked": []});
        let refused = execute(&client, "chain", input).await.unwrap_err();
        assert_eq!(refused.assert_ours("SE007")["function"], function);
        client.batch_execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn combine_gets_the_states_of_all_streams_at_once_and_then_those_that_are_found() {
    let (_, client) = chain("batch_combine", "").await;
    client
        .batch_execute(
            "CREATE TABLE calls_of_combine (number serial, states integer);
             CREATE FUNCTION counted(states jsonb[]) RETURNS jsonb LANGUAGE plpgsql AS $$
             BEGIN
                 INSERT INTO public.calls_of_combine (states) VALUES (cardinality(states));
                 RETURN mix_states(states);
             END $$;
             CREATE FUNCTION related(jsonb, input jsonb) RETURNS text[] LANGUAGE sql AS
                 $$ SELECT ARRAY(SELECT jsonb_array_elements_text(input->'related')) $$;
             CREATE FUNCTION nothing(jsonb[]) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
             CREATE FUNCTION large(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS
                 $$ SELECT to_jsonb(repeat(event.stream_id, 400000)) $$",
        )
        .await
        .unwrap();
    for stream in ["a", "b", "c", "d", "e", "f"] {
        fill(&client, stream, 3).await;
    }
    let counts = "WITH gone AS (DELETE FROM calls_of_combine RETURNING number, states)
                  SELECT coalesce(array_agg(states ORDER BY number), '{}') FROM gone";
    let input =
        json!({"streams": ["a", "b", "c"], "checked": "d", "related": ["e", "f"], "to": ["a"]});
    for (combine, calls) in [("mix", vec![]), ("counted", vec![4, 3])] {
        let more =
            format!(", related_streams => 'related', combine => '{combine}', snapshot_every => 2");
        register_with(&client, "chain_events", &more).await;
        execute(&client, "chain", input.clone()).await.unwrap();
        assert_eq!(value::<Vec<i32>>(&client, counts).await, calls);
        assert_eq!(kept(&client).await.len(), 6);
    }
    let one = json!({"streams": ["a"], "checked": [], "related": [], "to": []});
    execute(&client, "chain", one).await.unwrap();
    assert_eq!(value::<Vec<i32>>(&client, counts).await, [0; 0]);
    // States of 400 kB: a megabyte of them is combined before more are folded.
    register_with(
        &client,
        "large",
        ", related_streams => 'related', combine => 'counted'",
    )
    .await;
    execute(&client, "chain", input.clone()).await.unwrap();
    assert_eq!(value::<Vec<i32>>(&client, counts).await, [4, 3]);
    let wide =
        json!({"streams": ["a", "b", "c", "d", "e", "f"], "checked": [], "related": [], "to": []});
    execute(&client, "chain", wide.clone()).await.unwrap();
    assert_eq!(value::<Vec<i32>>(&client, counts).await, [4, 3]);
    register_with(
        &client,
        "chain_events",
        ", related_streams => 'related', combine => 'nothing'",
    )
    .await;
    let refused = execute(&client, "chain", wide).await.unwrap_err();
    assert_eq!(
        refused.assert_ours("SE003")["argument"],
        "result of combine"
    );
    assert!(
        refused.message.contains("the states of \"b\" to \"f\""),
        "{refused:?}"
    );
}

/// P16.
#[tokio::test]
async fn a_long_fold_ends_when_it_is_cancelled_and_leaves_no_lock() {
    let (url, client) = chain("batch_cancel", "").await;
    for _ in 0..5 {
        fill(&client, "s", 10_000).await;
    }
    for apply in ["chain_events", "chain"] {
        register_with(&client, apply, "").await;
        client
            .batch_execute("SET statement_timeout = '100 ms'")
            .await
            .unwrap();
        let input = json!({"streams": "s", "checked": [], "to": ["s"]});
        let cancelled = execute(&client, "chain", input).await.unwrap_err();
        assert_eq!(cancelled.code, "57014", "{cancelled:?}");
        client
            .batch_execute("RESET statement_timeout")
            .await
            .unwrap();
        let other = connect(&url).await;
        other
            .batch_execute("SET lock_timeout = '5 s'")
            .await
            .unwrap();
        append(&other, &[("s", None)], json!([event("s", 1)]))
            .await
            .unwrap();
        assert_eq!(kept(&client).await, []);
    }
    assert_eq!(stream(&client, "s").await.len(), 50_002);
    assert_eq!(folded(&client, &["s"]).await, 50_002);
}

/// Looks at each page, before `apply` has used it.
#[tokio::test]
async fn the_first_fold_of_100_000_events_needs_no_more_memory_than_that_of_2_000() {
    let (_, client) = chain("batch_memory", "").await;
    client
        .batch_execute(
            "CREATE TABLE memory (number serial PRIMARY KEY, contexts bigint, resident bigint);
             CREATE FUNCTION look(state jsonb, events eventcore.events[]) RETURNS jsonb LANGUAGE plpgsql AS $$
             BEGIN
                 INSERT INTO public.memory (contexts, resident)
                     SELECT sum(total_bytes),
                            substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\\s+(\\d+)')::bigint * 1024
                       FROM pg_backend_memory_contexts;
                 RETURN to_jsonb(coalesce(state::bigint, 0) + cardinality(events));
             END $$",
        )
        .await
        .unwrap();
    client
        .batch_execute(
            "SELECT eventcore_register_command('look', 'look', 'link', streams => '{/streams}', initial_state => '0')",
        )
        .await
        .unwrap();
    for _ in 0..10 {
        fill(&client, "s", 10_000).await;
    }
    let input = json!({"streams": "s", "to": ["s"]});
    execute(&client, "look", input).await.unwrap();
    assert_eq!(last_payload(&client, "s").await, 100_000);
    let pages: i64 = value(&client, "SELECT count(*) FROM memory").await;
    assert_eq!(pages, 1_000);
    for of in ["contexts", "resident"] {
        let most = format!(
            "SELECT array_agg(most ORDER BY late) FROM (
                 SELECT number > first + 20 AS late, max({of}) AS most
                   FROM memory, (SELECT min(number) AS first FROM memory) m GROUP BY 1) m"
        );
        let most: Vec<i64> = value(&client, &most).await;
        assert!(most[1] - most[0] < 1 << 20, "{of}: {most:?}");
    }
}
