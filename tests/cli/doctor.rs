//! `doctor`: a new database has nothing wrong, each situation is found, and what is safe is fixed.

use std::path::Path;

use serde_json::Value;

use crate::support::{Database, Ran, program, until};

fn ids(diagnosis: &Value) -> Vec<String> {
    let findings = diagnosis["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["id"].as_str().unwrap().to_owned())
        .collect()
}

fn diagnosis(database: &Database) -> Value {
    database.json(&["doctor", "--fail-on", "never"])
}

#[track_caller]
fn finding(database: &Database, id: &str) -> Value {
    let diagnosis = diagnosis(database);
    let mut findings = diagnosis["findings"].as_array().unwrap().iter();
    let found = findings.find(|finding| finding["id"] == id);
    found
        .unwrap_or_else(|| panic!("no {id}: {diagnosis}"))
        .clone()
}

#[test]
fn a_new_database_has_no_error_and_every_check_can_be_made() {
    let database = Database::new("cli_doctor_new");
    let diagnosis = diagnosis(&database);
    assert_eq!(
        diagnosis["skipped"],
        Value::Array(Vec::new()),
        "{diagnosis}"
    );
    let usual = [
        "one_copy",
        "idle_timeout",
        "few_workers",
        "unsafe_setting",
        "search_path",
    ];
    for finding in diagnosis["findings"].as_array().unwrap() {
        let id = finding["id"].as_str().unwrap();
        assert!(usual.contains(&id), "{finding}");
    }
}

#[test]
fn each_situation_is_found_with_the_statement_that_ends_it() {
    let database = Database::new("cli_doctor_found");
    database.sql(
        "SELECT eventcore_append(ARRAY['a','b'], ARRAY[0,0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1},{\"stream\":\"b\",\"type\":\"T\",\"payload\":2}]');
         SELECT eventcore_create_subscription('stopped', on_parked => 'stop');
         SELECT eventcore_create_subscription('paused'); SELECT eventcore_pause_subscription('paused');
         SELECT eventcore_create_subscription('gone', lease => '1 ms');
         DO $$ DECLARE polled record;
         BEGIN
            SELECT * INTO polled FROM eventcore_poll('stopped', 'w', 10, '0 s') LIMIT 1;
            PERFORM eventcore_nack('stopped', polled.lease_id, ARRAY[1]::bigint[], 'park', 'no');
            PERFORM eventcore_poll('gone', 'dead', 10, '0 s');
         END $$;
         UPDATE eventcore.leases SET leased_until = now() - interval '1 hour' WHERE consumer = 'dead';
         CREATE FUNCTION nothing(event eventcore.events) RETURNS void LANGUAGE sql AS '';
         SELECT eventcore_create_projection('still', 'nothing'); SELECT eventcore_pause_projection('still');
         GRANT SELECT ON eventcore.events TO PUBLIC;
         ALTER TABLE eventcore.events DISABLE TRIGGER events_are_immutable;
         INSERT INTO eventcore.command_states VALUES (1, 1, now(), 1, gen_random_uuid(), 10, 'gone', 's', '{}')",
    );
    for (id, object, severity, statement) in [
        (
            "streams_stopped",
            "stopped",
            "error",
            "eventcore_replay_parked",
        ),
        (
            "subscription_parked",
            "stopped",
            "warning",
            "eventcore_replay_parked",
        ),
        (
            "subscription_paused",
            "paused",
            "note",
            "eventcore_resume_subscription",
        ),
        ("expired_leases", "gone", "warning", ""),
        (
            "projection_paused",
            "still",
            "note",
            "eventcore_resume_projection",
        ),
        (
            "public_privilege",
            "table eventcore.events",
            "warning",
            "REVOKE SELECT",
        ),
        ("disabled_trigger", "eventcore.events", "error", "ENABLE"),
        ("states_without_command", "gone", "note", "DELETE"),
    ] {
        let finding = finding(&database, id);
        assert_eq!(finding["object"], object, "{finding}");
        assert_eq!(finding["severity"], severity, "{finding}");
        let said = finding["statement"].as_str().unwrap_or_default();
        assert!(said.contains(statement), "{finding}");
    }
    let ran = database.run(&["doctor"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.contains("error    streams_stopped  stopped"),
        "{ran:?}"
    );
    // The worst first, and what goes wrong now before advice.
    assert!(ran.out.starts_with("error "), "{ran:?}");
    let diagnosis = diagnosis(&database);
    let order = diagnosis["findings"].as_array().unwrap().iter();
    let order = order.map(|finding| {
        let level = match finding["severity"].as_str().unwrap() {
            "error" => 0,
            "warning" => 1,
            _ => 2,
        };
        (finding["is_advice"].as_bool().unwrap(), level)
    });
    assert!(order.is_sorted(), "{diagnosis}");
    let (now, advice) = ran.out.split_once("Advice, of which").unwrap();
    assert!(now.contains("expired_leases") && now.contains("subscription_paused"));
    assert!(advice.contains("idle_timeout") && advice.contains("public_privilege"));
}

#[test]
fn every_finding_of_eventcore_check_is_in_the_list() {
    let listed = Ran::of(program().args(["doctor", "--list"]).output().unwrap()).ok();
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/reference/maintenance.md"
    );
    let page = std::fs::read_to_string(page).unwrap();
    let table = page.split("| Finding | Meaning |").nth(1).unwrap();
    let table = table.split("\n\n").next().unwrap();
    // The doctor asks for no thorough look, and has its own checks of privileges.
    let not_asked = ["privilege", "version_gap", "malformed"];
    let mut found = 0;
    for row in table.lines().skip(2) {
        let names = row.split('|').nth(1).unwrap().split(',');
        for name in names.map(|name| name.trim().trim_matches('`')) {
            let is_listed = listed
                .lines()
                .any(|line| line.split(' ').next() == Some(name));
            assert_eq!(is_listed, !not_asked.contains(&name), "{name}");
            found += 1;
        }
    }
    assert!(found > 30, "{found}");
}

#[test]
fn repairing_what_is_well_is_done_and_an_unknown_check_is_wrong_usage() {
    let database = Database::new("cli_doctor_well");
    let well = database.run(&["doctor", "--repair", "not_preloaded"]);
    assert_eq!(well.code, 0, "{well:?}");
    assert!(well.out.contains("nothing to repair"), "{well:?}");
    let unknown = database.run(&["doctor", "--repair", "no_such_check"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(unknown.err.contains("doctor --list"), "{unknown:?}");
}

#[test]
fn a_worker_that_fails_is_named_with_what_waits_for_it_and_the_statement() {
    let database = Database::with_workers("cli_doctor_worker");
    database.sql(
        "CREATE ROLE doctor_worker LOGIN IN ROLE eventcore_projector;
         CREATE FUNCTION nothing(event eventcore.events) RETURNS void LANGUAGE sql AS '';
         SET ROLE doctor_worker; SELECT eventcore_create_projection('totals', 'nothing'); RESET ROLE;
         SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]')",
    );
    database.ok(&["projections", "wait", "totals", "--timeout", "120s"]);
    database.sql(
        "REVOKE eventcore_projector FROM doctor_worker;
         SELECT eventcore_append(ARRAY['a'], ARRAY[1]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]')",
    );
    until("the failure", || {
        ids(&diagnosis(&database)).contains(&"worker_fails".to_owned())
    });
    let failing = finding(&database, "worker_fails");
    assert_eq!(failing["object"], "projections of doctor_worker");
    let message = failing["message"].as_str().unwrap();
    for value in [
        "the worker that runs projections of doctor_worker has failed",
        "permission denied",
        "(42501)",
        "totals (at most 1 events)",
    ] {
        assert!(message.contains(value), "no {value}: {message}");
    }
    assert_eq!(
        failing["statement"],
        "GRANT eventcore_projector TO doctor_worker"
    );
    database.ok(&[
        "doctor",
        "--repair",
        "worker_fails",
        "--yes",
        "--fail-on",
        "never",
    ]);
    database.ok(&["projections", "wait", "totals", "--timeout", "120s"]);
}

#[test]
fn what_does_no_harm_is_fixed_and_nothing_else() {
    let database = Database::new("cli_doctor_fix");
    database.sql(
        "SELECT eventcore_create_subscription('mails'); SELECT eventcore_pause_subscription('mails');
         SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]');
         INSERT INTO eventcore.command_states VALUES (1, 1, now(), 1, gen_random_uuid(), 10, 'gone', 's', '{}');
         ALTER TABLE eventcore.events DISABLE TRIGGER events_are_immutable",
    );
    let ran = database.run(&["doctor", "--fix", "-o", "json"]);
    assert!(ran.err.contains("fixed disabled_trigger"), "{ran:?}");
    let left = ids(&diagnosis(&database));
    assert!(!left.contains(&"disabled_trigger".to_owned()), "{left:?}");
    assert!(
        !left.contains(&"states_without_command".to_owned()),
        "{left:?}"
    );
    assert!(left.contains(&"subscription_paused".to_owned()), "{left:?}");
}

#[test]
fn a_transaction_that_holds_readers_back_is_named() {
    let database = Database::new("cli_doctor_held");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _client = runtime.block_on(async {
        let connected = tokio_postgres::connect(&database.url, tokio_postgres::NoTls);
        let (client, connection) = connected.await.unwrap();
        tokio::spawn(connection);
        let append = "SET application_name = 'forgetful'; BEGIN; SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":2}]')";
        client.batch_execute(append).await.unwrap();
        client
    });
    let of_age = |seconds: i32| {
        until("readers are held back", || {
            let age = format!("SELECT age_seconds > {seconds} FROM eventcore.stat_inflight");
            database.sql(&age) == "t"
        });
        finding(&database, "safe_position_held")
    };
    let early = of_age(1);
    assert_eq!(early["severity"], "note", "{early}");
    assert!(
        early["message"]
            .as_str()
            .unwrap()
            .contains("not yet a problem"),
        "{early}"
    );
    assert_eq!(early["statement"], Value::Null);
    let held = of_age(10);
    assert_eq!(held["severity"], "error");
    assert!(
        held["message"].as_str().unwrap().contains("forgetful"),
        "{held}"
    );
    assert!(
        held["statement"]
            .as_str()
            .unwrap()
            .starts_with("SELECT pg_terminate_backend(")
    );
    assert_eq!(held["is_safe"], false);
}

fn diagnosis_of(database: &Database, role: &str) -> Value {
    let mut command = program();
    command.args(["--url", &database.url_of(role), "doctor", "-o", "json"]);
    command.args(["--fail-on", "never"]);
    let ran = Ran::of(command.output().unwrap());
    serde_json::from_str(&ran.ok()).unwrap()
}

#[test]
fn a_reader_is_told_what_it_may_not_look_at() {
    let database = Database::new("cli_doctor_reader");
    database.sql("CREATE ROLE cli_doctor_reader LOGIN IN ROLE eventcore_reader");
    let diagnosis = diagnosis_of(&database, "cli_doctor_reader");
    let skipped = diagnosis["skipped"].as_array().unwrap().iter();
    let mut skipped: Vec<&str> = skipped
        .map(|skipped| skipped["id"].as_str().unwrap())
        .collect();
    skipped.sort_unstable();
    assert_eq!(
        skipped,
        [
            "expired_leases",
            "extension",
            "old_executions",
            "states_without_command"
        ]
    );
}

#[test]
fn a_role_that_only_monitors_may_look_at_everything() {
    let database = Database::new("cli_doctor_monitor");
    database.sql(
        "CREATE ROLE cli_doctor_monitor LOGIN IN ROLE eventcore_monitor;
         SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]');
         ALTER TABLE eventcore.events DISABLE TRIGGER events_are_immutable;
         INSERT INTO eventcore.command_states VALUES (1, 1, now(), 1, gen_random_uuid(), 10, 'gone', 's', '{}')",
    );
    let diagnosis = diagnosis_of(&database, "cli_doctor_monitor");
    assert_eq!(
        diagnosis["skipped"],
        Value::Array(Vec::new()),
        "{diagnosis}"
    );
    let found = ids(&diagnosis);
    for id in ["disabled_trigger", "states_without_command"] {
        assert!(found.iter().any(|found| found == id), "{id}: {found:?}");
    }
}

#[test]
fn each_check_names_a_page_and_a_heading_of_the_manual_that_exist() {
    let ran = Ran::of(
        program()
            .args(["doctor", "--list", "-o", "json"])
            .output()
            .unwrap(),
    );
    let checks: Value = serde_json::from_str(&ran.ok()).unwrap();
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for check in checks.as_array().unwrap() {
        let see = check["see"].as_str().unwrap();
        let (page, heading) = see.split_once('#').unwrap_or((see, ""));
        let text = std::fs::read_to_string(manual.join(page))
            .unwrap_or_else(|error| panic!("{see}: {error}"));
        let anchor = |line: &str| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
            kept.collect::<String>().replace(' ', "-")
        };
        let mut headings = text.lines().filter(|line| line.starts_with('#'));
        assert!(
            heading.is_empty() || headings.any(|line| anchor(line) == heading),
            "{see}"
        );
    }
}
