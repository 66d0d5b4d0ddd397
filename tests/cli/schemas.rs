//! What the program prints with `-o json` is what its schemas say.

use jsonschema::Validator;
use serde_json::Value;

use crate::support::{Database, program};

fn schema(name: &str) -> Validator {
    let file = format!("{}/../cli/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap()
}

#[track_caller]
fn assert_valid(name: &str, document: &Value) {
    let schema = schema(name);
    let errors: Vec<String> = schema
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{document:#}");
}

/// A database in which each list has a row.
fn full(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "SELECT eventcore_append(ARRAY['a','b'], ARRAY[0,0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1,\"metadata\":{}},
            {\"stream\":\"b\",\"type\":\"T\",\"payload\":2}]', '11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222');
         INSERT INTO eventcore.streams (stream_id, state, reason) VALUES ('b', 'closed', 'done');
         SELECT eventcore_create_subscription('mails', ARRAY['a','b'], ARRAY['T']);
         DO $$ DECLARE polled record;
         BEGIN
            SELECT * INTO polled FROM eventcore_poll('mails', 'worker-1', 10, '0 s') LIMIT 1;
            PERFORM eventcore_nack('mails', polled.lease_id, ARRAY[1]::bigint[], 'park', 'no');
         END $$;
         SELECT eventcore_advance_checkpoint('reports', 0, 2);
         CREATE FUNCTION nothing(event eventcore.events) RETURNS void LANGUAGE sql AS '';
         SELECT eventcore_create_projection('totals', 'nothing'); SELECT eventcore_pause_projection('totals');
         INSERT INTO eventcore.projection_parked (position, attempts, projection, sqlstate, reason) VALUES (1, 3, 'totals', 'P0001', 'no');
         CREATE FUNCTION c_apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT state';
         CREATE FUNCTION c_handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql
            AS $$ SELECT jsonb_build_array(jsonb_build_object('stream', input->>'s', 'type', 'T', 'payload', 1)) $$;
         SELECT eventcore_register_command('c', 'c_apply', 'c_handle', streams => ARRAY['/s'], required_fields => '{\"/s\": \"string\"}')",
    );
    database
}

#[test]
fn every_document_is_as_its_schema_says() {
    let database = full("cli_schemas");
    for (name, arguments) in [
        ("streams", &["streams"][..]),
        ("stream-show", &["stream", "show", "b"]),
        ("stream-events", &["stream", "events", "a"]),
        ("event", &["event", "1"]),
        ("trace", &["trace", "11111111-1111-1111-1111-111111111111"]),
        ("search", &["search"]),
        ("append", &["append", "new", "T"]),
        ("execute", &["execute", "c", "{\"s\": \"x\"}", "--dry-run"]),
        ("execute", &["execute", "c", "{\"s\": \"x\"}"]),
        ("close", &["close", "a", "--reason", "no", "--yes"]),
        ("commands", &["commands"]),
        ("commands-show", &["commands", "show", "c"]),
        ("commands-state", &["commands", "state", "c", "a"]),
        ("setup", &["setup", "--dry-run"]),
        ("checkpoints", &["checkpoints"]),
        ("stats", &["stats"]),
        ("inflight", &["inflight"]),
        ("doctor", &["doctor", "--fail-on", "never"]),
        ("doctor-list", &["doctor", "--list"]),
        ("subscriptions", &["subscriptions"]),
        ("subscriptions-show", &["subscriptions", "show", "mails"]),
        ("subscriptions-change", &["subscriptions", "pause", "mails"]),
        ("parked", &["parked", "mails"]),
        ("parked-change", &["parked", "mails", "replay", "1"]),
        ("projections", &["projections"]),
        ("projections-show", &["projections", "show", "totals"]),
        ("parked-projection", &["parked", "--projection", "totals"]),
        (
            "projections-change",
            &["projections", "drop", "totals", "--yes"],
        ),
    ] {
        let document = database.json(arguments);
        assert_valid(name, &document);
        let is_empty = document.as_array().is_some_and(Vec::is_empty);
        assert!(!is_empty || name == "inflight", "{name} proves nothing");
    }
    let tail = database.ok(&["tail", "-o", "jsonl"]);
    assert!(tail.lines().count() > 2);
    for line in tail.lines() {
        assert_valid("event", &serde_json::from_str(line).unwrap());
    }
    for arguments in [
        &["append", "a", "T", "--expect", "9", "-o", "json"][..],
        &["stream", "show", "none", "-o", "json"],
        &["execute", "none", "-o", "json"],
        &["parked", "mails", "replay", "-o", "json"],
    ] {
        assert_valid("error", &database.run(arguments).error());
    }
}

/// The test above can fail.
#[test]
fn a_document_with_another_type_or_without_a_field_is_found() {
    let database = full("cli_schemas_fail");
    let mut event = database.json(&["event", "1"]);
    assert!(schema("event").is_valid(&event));
    event["position"] = "1".into();
    assert!(!schema("event").is_valid(&event));
    event["position"] = 1.into();
    event.as_object_mut().unwrap().remove("metadata");
    assert!(!schema("event").is_valid(&event));
    event["metadata"] = Value::Null;
    event["recorded_at"] = "yesterday".into();
    assert!(!schema("event").is_valid(&event));
}

#[test]
fn the_program_prints_its_schemas() {
    let printed = program().args(["schema", "event"]).output().unwrap();
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(printed["title"], "Event");
    assert_eq!(
        program()
            .args(["schema", "none"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}
