//! `append`, `close` and `execute`.

use serde_json::json;

use crate::support::{Database, Ran, until};

#[test]
fn an_event_is_appended_with_what_the_options_say() {
    let database = Database::new("cli_append");
    let appended = database.json(&[
        "append",
        "account-1",
        "Opened",
        "--payload",
        "{\"cents\": 1.10}",
        "--metadata",
        "{\"by\": \"ada\"}",
        "--expect",
        "new",
        "--correlation",
        "11111111-1111-1111-1111-111111111111",
    ]);
    assert_eq!(appended["last_position"], 1);
    assert_eq!(
        appended["streams"],
        json!([{"stream_id": "account-1", "version": 1}])
    );
    assert_eq!(appended["repeated"], false);
    let event = database.ok(&["event", "1", "-o", "jsonl"]);
    assert!(event.contains("{\"cents\": 1.10}"), "{event}");

    let again = database.run(&[
        "append",
        "account-1",
        "Opened",
        "--expect",
        "new",
        "-o",
        "json",
    ]);
    assert_eq!(again.code, 5, "{again:?}");
    let error = again.error();
    assert_eq!(error["sqlstate"], "SE001");
    assert_eq!(error["detail"]["conflicts"][0]["actual"], 1);
    assert!(error["hint"].is_string() && error["exit_code"] == 5);

    let words = database.ok(&["append", "account-1", "Noted", "--expect", "1"]);
    assert_eq!(words, "appended at position 2: account-1 is at version 2\n");
    let missing = database.run(&["append", "account-2", "Noted", "--expect", "exists"]);
    assert_eq!(missing.code, 5, "{missing:?}");
}

#[test]
fn a_payload_comes_from_a_file_or_from_stdin_and_has_to_be_json() {
    let database = Database::new("cli_payload");
    let ran = database.run_with_input(
        &["append", "s", "T", "--payload", "-"],
        "{\"from\": \"stdin\"}",
    );
    assert_eq!(ran.code, 0, "{ran:?}");
    let file = std::env::temp_dir().join(format!("eventcore-cli-{}.json", std::process::id()));
    std::fs::write(&file, "[1, 2]").unwrap();
    database.ok(&[
        "append",
        "s",
        "T",
        "--payload",
        &format!("@{}", file.display()),
    ]);
    std::fs::remove_file(&file).unwrap();
    let events = database.json(&["stream", "events", "s"]);
    assert_eq!(events[0]["payload"], json!({"from": "stdin"}));
    assert_eq!(events[1]["payload"], json!([1, 2]));
    for payload in ["{", "@/no/such/file", "{} {}"] {
        let ran = database.run(&["append", "s", "T", "--payload", payload]);
        assert_eq!(ran.code, 2, "{ran:?}");
    }
    assert_eq!(database.json(&["stream", "show", "s"])["version"], 2);
}

#[test]
fn the_lines_of_a_file_are_one_append_or_none() {
    let database = Database::new("cli_lines");
    let lines = "{\"stream\": \"a\", \"type\": \"T\", \"payload\": 1}\n\n{\"stream\": \"b\", \"type\": \"T\", \"payload\": 2, \"id\": \"33333333-3333-4333-8333-333333333333\"}\n";
    let ran = database.run_with_input(
        &[
            "append", "--from", "-", "--expect", "a=new", "--expect", "c=new",
        ],
        lines,
    );
    assert_eq!(
        ran.ok(),
        "appended at position 2: a is at version 1, c is at version 0, b is at version 1\n"
    );
    let ran = database.run_with_input(&["append", "--from", "-", "--expect", "b=0"], lines);
    assert_eq!(ran.code, 5, "{ran:?}");
    let typo = "{\"stream\": \"a\", \"type\": \"T\", \"payload\": 1}\n{\"stream\": \"a\", \"typ\": \"T\"}\n";
    let ran = database.run_with_input(&["append", "--from", "-"], typo);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("line 2"), "{ran:?}");
    assert_eq!(database.json(&["stream", "show", "a"])["version"], 1);
}

/// A command that adds an amount, and refuses negative ones.
fn counter(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "CREATE FUNCTION count_apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql IMMUTABLE
            AS $$ SELECT to_jsonb(coalesce((state->>'sum')::numeric, 0) + (event.payload->>'by')::numeric) $$;
         CREATE FUNCTION count_handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql
            AS $$ BEGIN
                IF (input->>'by')::numeric < 0 THEN RAISE EXCEPTION 'only upwards' USING ERRCODE = 'CT001'; END IF;
                RETURN jsonb_build_array(jsonb_build_object('stream', input->>'counter', 'type', 'Counted', 'payload', jsonb_build_object('by', input->'by')));
            END $$;
         SELECT eventcore_register_command('count', 'count_apply', 'count_handle', streams => ARRAY['/counter'])",
    );
    database
}

#[test]
fn a_command_is_executed_once_for_a_key_and_tried_without_writing() {
    let database = counter("cli_execute");
    let input = "{\"counter\": \"c\", \"by\": 2}";
    let tried = database.json(&["execute", "count", input, "--dry-run"]);
    assert_eq!(tried["is_dry_run"], true);
    assert_eq!(tried["events"][0]["payload"], json!({"by": 2}));
    assert_eq!(database.run(&["stream", "show", "c"]).code, 4);

    let executed = database.json(&["execute", "count", input, "--key", "k"]);
    assert_eq!(
        (&executed["repeated"], &executed["is_dry_run"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(
        executed["streams"],
        json!([{"stream_id": "c", "version": 1}])
    );
    assert_eq!(
        database.json(&["execute", "count", input, "--key", "k"])["repeated"],
        true
    );
    let table = database.ok(&["execute", "count", input]);
    assert!(
        table.contains("Counted") && table.contains("executed, at position"),
        "{table}"
    );
    assert_eq!(database.json(&["stream", "show", "c"])["version"], 2);
    // Nothing is left open: no reader waits.
    assert_eq!(database.json(&["inflight"]), json!([]));
}

#[test]
fn a_rejected_command_and_an_unknown_one_are_told_apart() {
    let database = counter("cli_rejected");
    for dry in [&[][..], &["--dry-run"]] {
        let arguments = [
            "execute",
            "count",
            "{\"counter\": \"c\", \"by\": -1}",
            "-o",
            "json",
        ];
        let ran = database.run(&[&arguments, dry].concat());
        assert_eq!(ran.code, 6, "{ran:?}");
        let error = ran.error();
        assert_eq!(error["sqlstate"], "SE006");
        assert_eq!(error["detail"]["sqlstate"], "CT001");
        assert_eq!(error["detail"]["message"], "only upwards");
    }
    let ran = database.run(&["execute", "none"]);
    assert_eq!(ran.code, 4, "{ran:?}");
}

#[test]
fn commands_are_listed_and_shown_with_their_source() {
    let database = counter("cli_commands");
    let listed = database.json(&["commands"]);
    assert_eq!(listed[0]["name"], "count");
    assert_eq!(listed[0]["streams"], json!(["/counter"]));
    let shown = database.json(&["commands", "show", "count"]);
    assert_eq!(shown["functions"].as_array().unwrap().len(), 2);
    let text = database.ok(&["commands", "show", "count"]);
    assert!(text.contains("only upwards"), "{text}");
    assert_eq!(database.run(&["commands", "show", "none"]).code, 4);
}

#[test]
fn the_state_of_a_stream_is_shown_at_any_version() {
    let database = counter("cli_commands_state");
    for n in [1, 2, 5] {
        database.ok(&[
            "execute",
            "count",
            &format!("{{\"counter\": \"c\", \"by\": {n}}}"),
        ]);
    }
    let state = |arguments: &[&str]| {
        database.json(&[&["commands", "state", "count", "c"], arguments].concat())
    };
    let (last, first, none) = (state(&[]), state(&["--at", "1"]), state(&["--at", "0"]));
    assert_eq!((&last["version"], &last["events"]), (&json!(3), &json!(3)));
    assert_eq!((&last["state"], &first["state"]), (&json!(5), &json!(1)));
    assert_eq!(first["version"], 1);
    assert_eq!(none["version"], 0);
    let text = database.ok(&["commands", "state", "count", "c"]);
    assert!(text.contains("version  3"), "{text}");
    for arguments in [["none", "c"], ["count", "none"]] {
        let ran = database.run(&[&["commands", "state"], &arguments[..]].concat());
        assert_eq!(ran.code, 4, "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_closed_stream_takes_no_more_events() {
    let database = Database::new("cli_close");
    database.ok(&["append", "order-1", "Placed"]);
    let close = ["close", "order-1", "--reason", "cancelled by Ada", "--yes"];
    let closed = database.json(&close);
    assert_eq!(closed["was_open"], true);
    assert_eq!(
        (&closed["state"], &closed["version"], &closed["reason"]),
        (&json!("closed"), &json!(1), &json!("cancelled by Ada"))
    );
    let append = database.run(&["append", "order-1", "Paid", "-o", "json"]);
    assert_eq!(append.code, 1, "{append:?}");
    assert_eq!(append.error()["sqlstate"], "SE005");
    let shown = database.json(&["stream", "show", "order-1"]);
    assert_eq!(shown["reason"], "cancelled by Ada");

    // The first reason counts.
    let again = database.ok(&["close", "order-1", "--reason", "other", "--yes"]);
    assert_eq!(
        again,
        "stream \"order-1\" was closed already: cancelled by Ada\n"
    );
    let none = database.run(&["close", "order-2", "--reason", "typo", "--yes"]);
    assert_eq!(none.code, 4, "{none:?}");
    let without_reason = database.run(&["close", "order-1", "--yes"]);
    assert_eq!(without_reason.code, 2, "{without_reason:?}");
}

/// A closing waits for an append that is under way, and is closed at the version after it.
#[test]
fn a_stream_is_closed_after_the_append_that_is_under_way() {
    let database = Database::new("cli_close_waits");
    database.ok(&["append", "a", "T"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let client = runtime.block_on(async {
        let connected = tokio_postgres::connect(&database.url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        let append = "BEGIN; SELECT eventcore_append(ARRAY['a'], ARRAY[1]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":2}]')";
        client.batch_execute(append).await.unwrap();
        client
    });
    let child = database.start(&["close", "a", "--reason", "done", "--yes", "-o", "json"]);
    until("the closing that waits", || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        database.sql(waiting).trim() == "1"
    });
    runtime.block_on(client.batch_execute("COMMIT")).unwrap();
    let closed = Ran::of(child.wait_with_output().unwrap()).ok();
    let closed: serde_json::Value = serde_json::from_str(&closed).unwrap();
    assert_eq!(
        (&closed["was_open"], &closed["version"]),
        (&json!(true), &json!(2))
    );
}
