//! `projections wait` and `projections rebuild --wait`.

use std::process::Command;

use serde_json::json;

use crate::support::{Database, Ran, until};

/// A projection that has handled ten events, and its worker.
fn counted(name: &str) -> Database {
    let database = Database::with_workers(name);
    database.sql(
        "CREATE TABLE counts (stream text PRIMARY KEY, n bigint NOT NULL);
         CREATE FUNCTION count_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
            INSERT INTO counts VALUES (event.stream_id, 1) ON CONFLICT (stream) DO UPDATE SET n = counts.n + 1;
         END $$;
         SELECT eventcore_create_projection('counts', 'count_up', tables => ARRAY['counts'], batch_size => 1)",
    );
    append(&database, 10);
    database
}

fn append(database: &Database, events: u32) {
    database.sql(&format!(
        "SELECT eventcore_append(ARRAY['s'], ARRAY[NULL]::bigint[], jsonb_agg(jsonb_build_object('stream', 's', 'type', 'T', 'payload', n)))
           FROM generate_series(1, {events}) n"
    ));
}

const TOTAL: &str = "SELECT coalesce(sum(n), 0) FROM counts";

#[test]
fn a_wait_ends_when_the_projection_shows_the_position() {
    let database = counted("cli_wait");
    let waited = database.json(&["projections", "wait", "counts", "--timeout", "60s"]);
    assert_eq!(
        waited,
        json!({"projection": "counts", "position": 10, "checkpoint": 10})
    );
    assert_eq!(database.sql(TOTAL), "10");
    let there = database.ok(&["projections", "wait", "counts", "--position", "3"]);
    assert_eq!(there, "projection \"counts\" is at position 10\n");

    // A position that comes later.
    let child = database.start(&["projections", "wait", "counts", "--position", "12"]);
    append(&database, 2);
    assert_eq!(Ran::of(child.wait_with_output().unwrap()).code, 0);
}

#[test]
fn a_wait_that_ends_without_success_is_a_failure() {
    let database = counted("cli_wait_fails");
    database.ok(&["projections", "wait", "counts"]);
    let late = database.run(&[
        "projections",
        "wait",
        "counts",
        "--position",
        "11",
        "--timeout",
        "100ms",
        "-o",
        "json",
    ]);
    assert_eq!(late.code, 1, "{late:?}");
    let message = late.error()["message"].clone();
    assert_eq!(
        message,
        "projection \"counts\" is at position 10 of 11 after 0.1 s"
    );

    database.ok(&["projections", "pause", "counts"]);
    append(&database, 1);
    let paused = database.run(&["projections", "wait", "counts", "--timeout", "1s"]);
    assert_eq!(paused.code, 1, "{paused:?}");
    assert!(paused.err.contains("it is paused"), "{paused:?}");

    database.sql("CREATE OR REPLACE FUNCTION count_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$");
    database.sql("UPDATE eventcore.projections SET retry_limit = 0");
    database.ok(&["projections", "resume", "counts"]);
    let failed = database.run(&[
        "projections",
        "wait",
        "counts",
        "--timeout",
        "60s",
        "-o",
        "json",
    ]);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert_eq!(failed.error()["sqlstate"], "SE009");

    assert_eq!(database.run(&["projections", "wait", "none"]).code, 4);
}

#[test]
fn a_rebuild_is_waited_for_with_and_without_a_shadow() {
    for (name, options) in [
        ("cli_rebuild_wait", &["--yes"][..]),
        ("cli_shadow_wait", &["--shadow"]),
    ] {
        let database = counted(name);
        database.ok(&["projections", "wait", "counts"]);
        database.sql("CREATE OR REPLACE FUNCTION count_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
             BEGIN
                INSERT INTO counts VALUES (event.stream_id, 2) ON CONFLICT (stream) DO UPDATE SET n = counts.n + 2;
             END $$");
        let rebuild = [&["projections", "rebuild", "counts", "--wait"], options].concat();
        let rebuilt = database.json(&rebuild);
        assert_eq!(rebuilt, json!({"projection": "counts", "done": "rebuilt"}));
        assert_eq!(database.sql(TOTAL), "20", "{name}");
        let all = database.json(&["projections"]);
        assert_eq!(all.as_array().unwrap().len(), 1);
        assert_eq!(all[0]["rebuilt_at"].is_string(), options == ["--shadow"]);
    }
}

#[test]
fn a_rebuild_that_is_dropped_is_not_told_as_done() {
    let database = counted("cli_rebuild_dropped");
    database.ok(&["projections", "wait", "counts"]);
    // It tries the first event again and again.
    database.sql("CREATE OR REPLACE FUNCTION count_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$");
    let child = database.start(&["projections", "rebuild", "counts", "--shadow", "--wait"]);
    until("the rebuild", || {
        database
            .run(&["projections", "show", "counts/rebuild"])
            .code
            == 0
    });
    database.sql("SELECT eventcore_drop_projection('counts/rebuild')");
    let dropped = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(dropped.code, 1, "{dropped:?}");
    assert!(dropped.err.contains("was dropped"), "{dropped:?}");
}

/// A handler that fails again and again, so that a rebuild does not end.
const BROKEN: &str = "CREATE OR REPLACE FUNCTION count_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$";

/// A rebuild that is watched, and what happens in one transaction while it is.
fn watched(name: &str, options: &[&str], seen: &str, meanwhile: &str) -> (Database, Ran) {
    let database = counted(name);
    database.ok(&["projections", "wait", "counts"]);
    database.sql(BROKEN);
    database.sql("UPDATE eventcore.projections SET retry_limit = 1000000");
    let rebuild = [&["projections", "rebuild", "counts", "--wait"], options].concat();
    let child = database.start(&rebuild);
    until("the rebuild", || database.sql(seen) == "t");
    database.sql(&format!("BEGIN; {meanwhile}; COMMIT"));
    (database, Ran::of(child.wait_with_output().unwrap()))
}

const SHADOW_SEEN: &str = "SELECT EXISTS (SELECT FROM eventcore.projections WHERE rebuilds = 'counts')
    AND EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query ^@ 'CALL' AND state = 'active')";

#[test]
fn a_rebuild_that_is_dropped_while_its_projection_changes_is_not_told_as_done() {
    let (_, dropped) = watched(
        "cli_rebuild_dropped_and_changed",
        &["--shadow"],
        SHADOW_SEEN,
        "SELECT eventcore_drop_projection('counts/rebuild');
         UPDATE eventcore.projections SET batch_size = 2 WHERE name = 'counts'",
    );
    assert_eq!(dropped.code, 1, "{dropped:?}");
    assert!(dropped.err.contains("was dropped"), "{dropped:?}");
}

#[test]
fn a_rebuild_that_another_one_replaces_is_told_as_dropped() {
    let (database, dropped) = watched(
        "cli_rebuild_another",
        &["--shadow"],
        SHADOW_SEEN,
        "SELECT eventcore_drop_projection('counts/rebuild');
         SELECT eventcore_rebuild_projection('counts', true)",
    );
    assert_eq!(dropped.code, 1, "{dropped:?}");
    assert!(dropped.err.contains("was dropped"), "{dropped:?}");
    assert_eq!(database.json(&["projections"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_rebuild_that_ended_before_another_one_took_its_place_is_not_told_as_done() {
    // As after one that was dropped, and another one that was completed since.
    let (_, ended) = watched(
        "cli_rebuild_superseded",
        &["--shadow"],
        SHADOW_SEEN,
        "SELECT eventcore_drop_projection('counts/rebuild');
         UPDATE eventcore.projections SET last_rebuild = 'eventcore_rebuild_00000000' WHERE name = 'counts'",
    );
    assert_eq!(ended.code, 1, "{ended:?}");
    let words = "has ended, and another one has taken the place of the projection since";
    assert!(ended.err.contains(words), "{ended:?}");
}

#[test]
fn a_rebuild_that_fails_is_told_with_its_error() {
    for (name, options) in [
        ("cli_rebuild_fails", &["--yes"][..]),
        ("cli_shadow_fails", &["--shadow"]),
    ] {
        let database = counted(name);
        database.ok(&["projections", "wait", "counts"]);
        database.sql(BROKEN);
        database.sql("UPDATE eventcore.projections SET retry_limit = 0");
        let rebuild = ["projections", "rebuild", "counts", "--wait", "-o", "json"];
        let failed = database.run(&[&rebuild, options].concat());
        assert_eq!(failed.code, 1, "{failed:?}");
        let error = failed.error();
        assert_eq!(error["sqlstate"], "SE009", "{error}");
        assert!(error.to_string().contains("broken"), "{error}");
    }
}

/// The objects of 0.1.0 do not record how a rebuild has ended.
#[test]
fn with_older_objects_a_rebuild_that_would_be_waited_for_does_not_begin() {
    let database = Database::older("cli_rebuild_older");
    // The rebuild that begins in the end must not be done before it is seen.
    database.sql(BROKEN);
    database.sql(
        "CREATE TABLE counts (n int);
         SELECT eventcore_create_projection('counts', 'count_up', tables => ARRAY['counts']);
         UPDATE eventcore.projections SET retry_limit = 1000000;
         SELECT eventcore_append('{s}', '{NULL}', '{s}', '{Counted}', '{1}', NULL)",
    );
    let rebuild = ["projections", "rebuild", "counts", "--shadow", "--wait"];
    let refused = database.run(&[&rebuild[..], &["-o", "json"]].concat());
    assert_eq!(refused.code, 1, "{refused:?}");
    let hint = refused.error()["hint"].to_string();
    assert!(
        hint.contains("Run ALTER EXTENSION eventcore UPDATE."),
        "{hint}"
    );
    let rebuilds = "SELECT count(*) FROM eventcore.projections WHERE rebuilds IS NOT NULL";
    assert_eq!(database.sql(rebuilds), "0");
    database.ok(&rebuild[..4]);
    assert_eq!(database.sql(rebuilds), "1");
}

#[test]
fn a_rebuild_whose_projection_is_dropped_and_created_again_is_not_told_as_done() {
    for (name, options, seen) in [
        ("cli_shadow_created_again", "--shadow", SHADOW_SEEN),
        (
            "cli_rebuild_created_again",
            "--yes",
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                             WHERE datname = current_database() AND query ^@ 'CALL' AND state = 'active')",
        ),
    ] {
        let (_, dropped) = watched(
            name,
            &[options],
            seen,
            "SELECT eventcore_drop_projection('counts');
             SELECT eventcore_create_projection('counts', 'count_up', tables => ARRAY['counts'], start_from => 'now')",
        );
        assert_eq!(dropped.code, 1, "{name}: {dropped:?}");
        assert!(dropped.err.contains("was dropped"), "{name}: {dropped:?}");
    }
}

#[test]
fn ctrl_c_ends_the_wait_and_the_rebuild_goes_on() {
    let database = counted("cli_rebuild_interrupted");
    database.ok(&["projections", "wait", "counts"]);
    database.sql(
        "CREATE TABLE go_on (n int);
         CREATE OR REPLACE FUNCTION count_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
            WHILE NOT EXISTS (SELECT FROM public.go_on) LOOP PERFORM pg_sleep(0.02); END LOOP;
            INSERT INTO counts VALUES (event.stream_id, 2) ON CONFLICT (stream) DO UPDATE SET n = counts.n + 2;
         END $$",
    );
    let child = database.start(&["projections", "rebuild", "counts", "--wait", "--yes"]);
    until("the wait", || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ^@ 'CALL' AND state = 'active'";
        database.sql(waiting) == "1"
    });
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let ended = Ran::of(child.wait_with_output().unwrap());
    assert_eq!(ended.code, 130, "{ended:?}");
    database.sql("INSERT INTO go_on VALUES (1)");
    database.ok(&["projections", "wait", "counts", "--timeout", "60s"]);
    assert_eq!(database.sql(TOTAL), "20");
}
