//! pg_dump and pg_restore, in all their forms.

use super::{Original, attempt, failure, run, server, source};

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
    source().assert_copied(server(), "plain");
}

#[test]
fn a_custom_dump_without_owners_and_privileges() {
    let archive = dump(&["-Fc"]);
    server().create_empty_database("custom").unwrap();
    let arguments = ["--exit-on-error", "--no-owner", "--no-privileges"];
    restore(&archive, "custom", &arguments);
    source().assert_copied(server(), "custom");
}

#[test]
fn a_directory_by_four_jobs() {
    let folder = TempFolder::new("directory");
    let path = folder.0.to_str().unwrap();
    dump(&["-Fd", "-j4", "-f", path]);
    server().create_empty_database("directory").unwrap();
    run(
        server(),
        "pg_restore",
        &["--exit-on-error", "-j4", "-d", "directory", path],
    );
    source().assert_copied(server(), "directory");
}

#[test]
fn data_alone() {
    let archive = dump(&["-Fc"]);
    server().create_empty_database("data").unwrap();
    restore(&archive, "data", &["--exit-on-error", "--schema-only"]);
    restore(&archive, "data", &["--exit-on-error", "--data-only"]);
    source().assert_copied(server(), "data");
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
    // No trigger has seen these rows, so they still belong to the original database.
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

/// If schemas are selected, the extension and its data are left out unless the extension is named.
#[test]
fn a_partial_dump_that_names_the_extension() {
    let without = String::from_utf8(dump(&["-n", "public", "-n", "eventcore"])).unwrap();
    assert!(
        !without.contains("COPY eventcore.events"),
        "it has become possible: say so in the documentation"
    );
    let archive = dump(&["-Fc", "-n", "public", "--extension=eventcore"]);
    server().create_empty_database("partial").unwrap();
    server().psql("partial", "DROP SCHEMA public").unwrap();
    restore(&archive, "partial", &["--exit-on-error"]);
    source().assert_copied(server(), "partial");

    // The check finds what is missing.
    let archive = dump(&["-Fc", "-T", "ledger", "--extension=eventcore"]);
    server().create_empty_database("partial_table").unwrap();
    restore(&archive, "partial_table", &["--exit-on-error"]);
    let check = "SELECT finding, object FROM eventcore_check()";
    assert_eq!(
        server().psql("partial_table", check).unwrap(),
        "table_missing|projection ledger"
    );
}

/// DROP EXTENSION is refused in a database with events. In a single transaction, nothing is changed
/// then.
#[test]
fn a_clean_restore_over_events_in_one_transaction_changes_nothing() {
    let archive = dump(&["-Fc"]);
    let living = Original::fill(server(), "clean");
    let arguments = ["--clean", "--if-exists", "--single-transaction"];
    let (restored, _, errors) = try_restore(&archive, "clean", &arguments);
    assert!(
        !restored
            && errors.contains("cannot drop the tables of eventcore")
            && errors.contains("eventcore.allow_drop"),
        "{errors}"
    );
    living.assert_copied(server(), "clean");
}

#[test]
fn a_clean_restore_where_dropping_is_allowed_replaces_everything() {
    let archive = dump(&["-Fc"]);
    Original::fill(server(), "clean_allowed");
    let allow = "ALTER DATABASE clean_allowed SET eventcore.allow_drop = on";
    server().psql("postgres", allow).unwrap();
    let arguments = ["--clean", "--if-exists", "--single-transaction"];
    restore(&archive, "clean_allowed", &arguments);
    assert_eq!(
        server()
            .psql("clean_allowed", "SELECT * FROM eventcore_check()")
            .unwrap(),
        ""
    );
    source().assert_copied(server(), "clean_allowed");
}

/// Statement by statement, the restore replaces the application's tables, but fails at the tables
/// of eventcore, of which nothing is lost.
#[test]
fn a_clean_restore_over_events_statement_by_statement_loses_nothing_of_ours() {
    Original::fill(server(), "clean_singly");
    let archive = run(server(), "pg_dump", &["-Fc", "-d", "clean_singly"]);
    let psql = |sql: &str| server().psql("clean_singly", sql).unwrap();
    psql(
        "SELECT pay('account-1', 20); CALL eventcore_wait_for_projection('ledger', timeout => '30 s'); SELECT eventcore_pause_projection('ledger')",
    );
    let living = Original::of(server(), "clean_singly");
    let (restored, _, errors) = try_restore(&archive, "clean_singly", &["--clean", "--if-exists"]);
    assert!(
        !restored && errors.contains("cannot drop the tables of eventcore"),
        "{errors}"
    );
    let ours = |contents: &str| -> Vec<String> {
        let lines = contents
            .lines()
            .filter(|line| line.starts_with("eventcore."));
        lines.map(ToOwned::to_owned).collect()
    };
    let now = super::contents(server(), "clean_singly");
    assert_eq!(ours(&living.contents), ours(&now));
    let check = "SELECT finding, object FROM eventcore_check() ORDER BY 1, 2";
    assert!(
        psql(check)
            .lines()
            .any(|line| line == "table_replaced|projection ledger"),
        "{}",
        psql(check)
    );
    // The restore set the sequence back, but no position is given out again.
    let append =
        "SELECT first_position FROM eventcore_append('{s}', '{NULL}', '{s}', '{T}', '{1}', NULL)";
    psql("SELECT eventcore_drop_projection('inline')");
    assert!(psql(append).parse::<i64>().unwrap() > living.given);
    psql(
        "SELECT eventcore_rebuild_projection('ledger'); SELECT eventcore_resume_projection('ledger')",
    );
    assert!(!psql(check).contains("table_replaced"));
}

/// A folder that is removed at the end of the test.
struct TempFolder(std::path::PathBuf);

impl TempFolder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("eventcore-{name}-{}", uuid::Uuid::now_v7())))
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
