//! pg_dump and pg_restore, in all their forms.

use super::{attempt, failure, run, server, source};

/// An archive of the source, made once for each set of arguments.
fn dump(arguments: &[&str]) -> Vec<u8> {
    let all = [&["-d", &source().name], arguments].concat();
    run(server(), "pg_dump", &all)
}

/// Restores an archive into this database.
#[track_caller]
fn restore(archive: &[u8], copy: &str, arguments: &[&str]) {
    let (restored, _, errors) = try_restore(archive, copy, arguments);
    assert!(restored, "{errors}");
}

fn try_restore(archive: &[u8], copy: &str, arguments: &[&str]) -> (bool, Vec<u8>, String) {
    let all = [&["-d", copy], arguments].concat();
    attempt(server(), "pg_restore", &all, archive)
}

#[test]
fn a_plain_dump() {
    let script = dump(&[]);
    server().create_empty_database("plain").unwrap();
    let arguments = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "plain"];
    let (restored, _, errors) = attempt(server(), "psql", &arguments, &script);
    assert!(restored, "{errors}");
    source().assert_holds_the_same(server(), "plain");
}

#[test]
fn a_custom_dump_without_owners_and_privileges() {
    let archive = dump(&["-Fc"]);
    server().create_empty_database("custom").unwrap();
    let arguments = ["--exit-on-error", "--no-owner", "--no-privileges"];
    restore(&archive, "custom", &arguments);
    source().assert_holds_the_same(server(), "custom");
}

#[test]
fn data_alone_with_triggers_disabled() {
    let archive = dump(&["-Fc"]);
    server().create_empty_database("data_disabled").unwrap();
    restore(
        &archive,
        "data_disabled",
        &["--exit-on-error", "--schema-only"],
    );
    let arguments = ["--exit-on-error", "--data-only", "--disable-triggers"];
    restore(&archive, "data_disabled", &arguments);
    // No trigger has seen these rows: they still belong to the database that was dumped.
    let error = failure(server(), "data_disabled", "SELECT consume('all')");
    assert!(
        error.contains("SE009") && error.contains("eventcore_adopt_copies"),
        "{error}"
    );
    let running = "SELECT DISTINCT status FROM eventcore.stat_projections";
    assert_eq!(server().psql("data_disabled", running).unwrap(), "copy");
    let adopt = "SELECT count(*) FROM eventcore_adopt_copies()";
    assert_eq!(server().psql("data_disabled", adopt).unwrap(), "6");
    source().assert_copied(server(), "data_disabled");
}
