//! `subscriptions`, `parked`, `projections`, `checkpoints`, `inflight` and `stats`.

use serde_json::{Value, json};

use crate::support::{Database, until, words};

/// A subscription with two events parked and one leased.
fn with_parked(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "SELECT eventcore_append(ARRAY['a','b','c'], ARRAY[0,0,0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1},
            {\"stream\":\"b\",\"type\":\"T\",\"payload\":2}, {\"stream\":\"c\",\"type\":\"T\",\"payload\":3}]');
         SELECT eventcore_create_subscription('mails', on_parked => 'stop');
         DO $$ DECLARE polled record;
         BEGIN
            SELECT * INTO polled FROM eventcore_poll('mails', 'worker-1', 10, '0 s') LIMIT 1;
            PERFORM eventcore_nack('mails', polled.lease_id, ARRAY[1, 2]::bigint[], 'park', 'smtp: no such user');
         END $$",
    );
    database
}

#[test]
fn subscriptions_are_created_listed_shown_and_changed() {
    let database = with_parked("cli_subscriptions");
    let created = [
        "subscriptions",
        "create",
        "bills",
        "--prefix",
        "order-",
        "--type",
        "Placed",
        "--from",
        "now",
    ];
    assert_eq!(database.json(&created)["done"], "created");
    assert_eq!(database.json(&created)["done"], "unchanged");

    let listed = database.json(&["subscriptions"]);
    assert_eq!(listed[0]["name"], "bills");
    assert_eq!(listed[0]["stream_prefixes"], json!(["order-"]));
    assert_eq!(
        (&listed[1]["parked"], &listed[1]["streams_stopped"]),
        (&json!(2), &json!(2))
    );
    let table = database.ok(&["subscriptions"]);
    assert_eq!(words(table.lines().nth(2).unwrap())[0], "mails");

    let shown = database.json(&["subscriptions", "show", "mails"]);
    assert_eq!(shown["lease_list"][0]["consumer"], "worker-1");
    assert_eq!(shown["lease_list"][0]["events"], 1);
    assert!(
        database
            .ok(&["subscriptions", "show", "mails"])
            .contains("worker-1 has 1 event from position 3")
    );

    database.ok(&["subscriptions", "pause", "mails"]);
    assert_eq!(
        database.json(&["subscriptions", "show", "mails"])["paused"],
        true
    );
    assert_eq!(
        database.ok(&["subscriptions", "resume", "mails"]),
        "subscription \"mails\" is resumed\n"
    );
    database.ok(&["subscriptions", "reset", "mails", "--to", "1", "--yes"]);
    assert_eq!(
        database.json(&["subscriptions", "show", "mails"])["checkpoint"],
        1
    );
    database.ok(&["subscriptions", "drop", "mails", "--yes"]);
    assert_eq!(database.run(&["subscriptions", "show", "mails"]).code, 4);
    assert_eq!(database.run(&["subscriptions", "pause", "mails"]).code, 4);
}

#[test]
fn what_destroys_is_not_done_without_a_terminal_unless_it_is_told() {
    let database = with_parked("cli_confirm");
    for arguments in [
        &["subscriptions", "drop", "mails"][..],
        &["subscriptions", "reset", "mails", "--to", "0"],
        &["parked", "mails", "discard", "--all"],
        &["parked", "mails", "replay", "--all"],
        &["parked", "mails", "discard", "1"],
        &["projections", "drop", "none"],
        &["projections", "rebuild", "none"],
        &["inflight", "--terminate", "1"],
        &["close", "a", "--reason", "done"],
    ] {
        let ran = database.run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("--yes"), "{ran:?}");
    }
    assert_eq!(
        database.json(&["subscriptions", "show", "mails"])["parked"],
        2
    );
}

#[test]
fn parked_events_are_shown_with_their_reason_and_replayed_by_position() {
    let database = with_parked("cli_parked");
    let parked = database.json(&["parked", "mails"]);
    assert_eq!(parked[0]["position"], 1);
    assert_eq!(parked[0]["reason"], "smtp: no such user");
    assert_eq!(parked[1]["stream_id"], "b");
    assert!(
        database
            .ok(&["parked", "mails", "list"])
            .contains("smtp: no such user")
    );

    let none = database.run(&["parked", "mails", "replay"]);
    assert_eq!(none.code, 2, "{none:?}");
    let other = database.run(&["parked", "mails", "replay", "3"]);
    assert_eq!(other.code, 1, "{other:?}");
    let replayed = database.json(&["parked", "mails", "replay", "1"]);
    assert_eq!(
        (&replayed["events"], &replayed["done"]),
        (&json!(1), &json!("replayed"))
    );
    let discarded = database.ok(&["parked", "mails", "discard", "--all", "--yes"]);
    assert_eq!(discarded, "1 parked event of \"mails\" is discarded\n");
    assert_eq!(database.json(&["parked", "mails"]), json!([]));
    let nothing = database.json(&["parked", "mails", "discard", "--all"]);
    assert_eq!(nothing["events"], 0);
    assert_eq!(database.run(&["parked", "none"]).code, 4);
}

/// A projection whose handler fails on the event with the payload 2.
fn with_projection(name: &str) -> Database {
    let database = Database::with_workers(name);
    database.sql(
        "CREATE TABLE totals (n bigint);
         CREATE FUNCTION add_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
            IF event.payload = '2' THEN RAISE EXCEPTION 'two is too much'; END IF;
            INSERT INTO public.totals VALUES (event.payload::bigint);
         END $$;
         SELECT eventcore_create_projection('totals', 'add_up', on_error => 'park', retry_limit => 0, tables => ARRAY['totals']);
         SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1},
            {\"stream\":\"a\",\"type\":\"T\",\"payload\":2}, {\"stream\":\"a\",\"type\":\"T\",\"payload\":3}]')",
    );
    database
}

#[test]
fn projections_are_listed_shown_and_changed_and_their_parked_events_too() {
    let database = with_projection("cli_projections");
    until("the projection", || {
        let shown = database.json(&["projections", "show", "totals"]);
        shown["lag_events"] == 0 && shown["parked"] == 1
    });
    let listed = database.json(&["projections"]);
    assert_eq!(listed[0]["name"], "totals");
    assert_eq!(listed[0]["retry_at"], Value::Null);
    assert!(
        database
            .ok(&["projections", "show", "totals"])
            .contains("two is too much")
    );
    let parked = database.json(&["parked", "--projection", "totals"]);
    assert_eq!(
        (&parked[0]["position"], &parked[0]["sqlstate"]),
        (&json!(2), &json!("P0001"))
    );
    assert!(
        database
            .ok(&["parked", "totals", "--projection"])
            .contains("two is too much")
    );

    database.ok(&["projections", "pause", "totals"]);
    assert_eq!(
        database.json(&["projections", "show", "totals"])["status"],
        "paused"
    );
    database.sql("CREATE OR REPLACE FUNCTION add_up(event eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO public.totals VALUES (event.payload::bigint)'");
    database.ok(&["projections", "resume", "totals"]);
    let replayed = database.json(&["parked", "--projection", "totals", "replay", "2"]);
    assert_eq!(replayed["events"], 1);
    until("the replay", || {
        database.sql("SELECT sum(n) FROM totals").trim() == "6"
    });
    database.ok(&["projections", "rebuild", "totals", "--yes"]);
    until("the rebuild", || {
        database.json(&["projections", "show", "totals"])["lag_events"] == 0
            && database.sql("SELECT sum(n) FROM totals").trim() == "6"
    });
    database.ok(&["projections", "drop", "totals", "--yes"]);
    assert_eq!(database.run(&["projections", "show", "totals"]).code, 4);
}

#[test]
fn checkpoints_of_clients_are_listed_with_their_lag() {
    let database = with_parked("cli_checkpoints");
    database.sql("SELECT eventcore_advance_checkpoint('reports', 0, 2)");
    let listed = database.json(&["checkpoints"]);
    assert_eq!(listed[0]["projection"], "reports");
    assert_eq!(
        (&listed[0]["position"], &listed[0]["lag_events"]),
        (&json!(2), &json!(1))
    );
    assert!(database.ok(&["checkpoints"]).contains("reports"));
}

#[test]
fn a_transaction_that_holds_readers_back_is_shown_and_ended() {
    let database = Database::new("cli_inflight");
    database.sql("SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]')");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(async {
        let connected = tokio_postgres::connect(&database.url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        let append = "BEGIN; SELECT eventcore_append(ARRAY['a'], ARRAY[1]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":2}]')";
        client.batch_execute(append).await.unwrap();
        client
    });
    let held = database.json(&["inflight"]);
    assert_eq!(held[0]["holds_safe_position"], true);
    assert_eq!(held[0]["state"], "idle in transaction");
    let pid = held[0]["pid"].as_i64().unwrap().to_string();
    let table = database.ok(&["inflight"]);
    assert_eq!(
        words(table.lines().nth(1).unwrap())[..2],
        [pid.as_str(), "yes"]
    );
    let stats = database.json(&["stats"]);
    assert_eq!(stats["in_flight"], 1);

    let other = database.run(&["inflight", "--terminate", "1", "--yes"]);
    assert_eq!(other.code, 4, "{other:?}");
    database.ok(&["inflight", "--terminate", &pid, "--yes"]);
    until("the end", || database.json(&["inflight"]) == json!([]));
    assert_eq!(database.json(&["stream", "show", "a"])["version"], 1);
    drop(client);
}

#[test]
fn the_figures_of_this_moment_are_those_of_the_views() {
    let database = with_parked("cli_stats");
    let stats = database.json(&["stats"]);
    assert_eq!(stats["database"], "cli_stats");
    assert_eq!(
        (&stats["appends"], &stats["events"]),
        (&json!(1), &json!(3))
    );
    assert_eq!(
        (&stats["safe_position"], &stats["last_position"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(
        stats["extension_version"].as_str().unwrap(),
        database
            .sql("SELECT extversion FROM pg_extension WHERE extname = 'eventcore'")
            .trim()
    );
    assert!(database.ok(&["stats"]).contains("safe position      3"));
}

/// The events of a consumer that died are not those of one that works, and a lag of nothing is not that
/// nothing waits.
#[test]
fn a_dead_consumer_and_held_readers_are_told_beside_the_figures() {
    let database = with_parked("cli_told");
    let row = |table: &str| {
        let line = table.lines().find(|line| line.starts_with("mails"));
        words(line.unwrap())
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let before = database.run(&["subscriptions"]);
    assert!(before.out.contains("POSITIONS BEHIND"), "{before:?}");
    assert!(before.out.contains("CONSUMERS  EXPIRED"), "{before:?}");
    // LEASED, CONSUMERS, EXPIRED, RETRYING, PARKED, STOPPED
    let places = 5..11;
    let of_living = ["1", "1", "0", "0", "2", "2"];
    assert_eq!(row(&before.out)[places.clone()], of_living, "{before:?}");
    assert!(before.err.is_empty(), "{before:?}");
    database.sql("UPDATE eventcore.leases SET leased_until = now() - interval '1 hour'");
    let after = database.run(&["subscriptions"]);
    let of_dead = ["1", "1", "1", "0", "2", "2"];
    assert_eq!(row(&after.out)[places], of_dead, "{after:?}");
    assert!(
        after
            .err
            .contains("subscription \"mails\": 1 lease expired"),
        "{after:?}"
    );
    let shown = database.run(&["subscriptions", "show", "mails"]);
    assert!(shown.out.contains("at most 1 event,"), "{shown:?}");
    assert!(shown.err.contains("1 lease expired"), "{shown:?}");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _client = runtime.block_on(async {
        let connected = tokio_postgres::connect(&database.url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        let append = "SET application_name = 'invoice run'; BEGIN; SELECT eventcore_append(ARRAY['z'], ARRAY[0]::bigint[], '[{\"stream\":\"z\",\"type\":\"T\",\"payload\":2}]')";
        client.batch_execute(append).await.unwrap();
        client
    });
    until("readers are held back", || {
        database.sql("SELECT age_seconds > 1 FROM eventcore.stat_inflight") == "t"
    });
    for command in ["subscriptions", "projections", "checkpoints", "stats"] {
        let ran = database.run(&[command]);
        assert!(
            ran.err.contains("readers have been held back for")
                && ran.err.contains("(invoice run, idle in transaction)")
                && ran.err.contains("`eventcore inflight`"),
            "{command}: {ran:?}"
        );
        let quiet = database.run(&[command, "-q"]);
        assert!(quiet.err.is_empty(), "{quiet:?}");
        let json = database.run(&[command, "-o", "json"]);
        assert!(json.err.is_empty(), "{json:?}");
    }
    let top = database.ok(&["top", "--once", "--interval", "0.1", "--width", "150"]);
    assert!(top.contains("EXPIRED"), "{top}");
    assert!(top.contains("readers have been held back for"), "{top}");
}

#[test]
fn an_event_that_no_consumer_has_is_set_aside_with_a_reason() {
    let database = with_parked("cli_park");
    let held = database.run(&["parked", "mails", "park", "3"]);
    assert_eq!(held.code, 1, "{held:?}");
    assert!(held.err.contains("worker-1"), "{held:?}");
    database.sql("UPDATE eventcore.leases SET leased_until = now() - interval '1 hour'");
    let parked = database.json(&["parked", "mails", "park", "3", "--reason", "ask Ada"]);
    assert_eq!(
        (&parked["events"], &parked["done"]),
        (&json!(1), &json!("parked"))
    );
    let listed = database.json(&["parked", "mails"]);
    assert_eq!(listed[2]["reason"], "ask Ada");
    let again = database.ok(&["parked", "mails", "park", "3"]);
    assert_eq!(again, "the events of \"mails\" are parked already\n");
    for wrong in [
        &["parked", "mails", "park"][..],
        &["parked", "mails", "replay", "3", "--reason", "x"],
        &["parked", "mails", "park", "3", "--projection"],
        &["parked", "mails", "park", "--all"],
    ] {
        assert_eq!(database.run(wrong).code, 2, "{wrong:?}");
    }
}

#[test]
fn a_projection_that_fails_again_when_it_is_resumed_is_told() {
    let database = Database::with_workers("cli_resume");
    database.sql(
        "CREATE FUNCTION refuse(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'two is too much'; END $$;
         SELECT eventcore_create_projection('totals', 'refuse', retry_limit => 0);
         SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]')",
    );
    until("the failure", || {
        database.json(&["projections", "show", "totals"])["status"] == "failed"
    });
    let again = database.run(&["projections", "resume", "totals"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(
        again
            .err
            .contains("failed again on the event at position 1: two is too much (P0001)"),
        "{again:?}"
    );
    database.sql(
        "CREATE OR REPLACE FUNCTION refuse(event eventcore.events) RETURNS void LANGUAGE sql AS ''",
    );
    assert_eq!(
        database.ok(&["projections", "resume", "totals"]),
        "projection \"totals\" is resumed\n"
    );
    assert_eq!(
        database.json(&["projections", "show", "totals"])["lag_events"],
        0
    );
}
