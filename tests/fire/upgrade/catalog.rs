//! An updated database has the same objects as a fresh one: definitions, order of columns,
//! collations, privileges, comments, and what a dump contains.

use super::made_up::{OLD, PRESENT, SERVED, UNGUARDED};
use super::{catalog, create, difference, older, update, version, versions};

#[test]
fn an_updated_database_has_the_same_objects_as_a_fresh_one() {
    let server = versions();
    create(server, "catalog_fresh", PRESENT);
    let fresh = catalog(server, "catalog_fresh");
    let older = older();
    assert!(older.len() >= 2, "{older:?}");
    for version in older {
        let database = &format!("catalog_{version}");
        create(server, database, &version);
        if [OLD, SERVED].contains(&version.as_str()) {
            assert!(
                catalog(server, database) != fresh,
                "{version} lacks nothing"
            );
        }
        update(server, database);
        let after = catalog(server, database);
        assert!(after == fresh, "{version}:\n{}", difference(&after, &fresh));
    }
}

#[test]
fn one_step_leads_to_the_objects_of_the_version_between() {
    let server = versions();
    create(server, "catalog_between", SERVED);
    create(server, "catalog_step", OLD);
    let step = format!("ALTER EXTENSION eventcore UPDATE TO '{SERVED}'");
    server.psql("catalog_step", &step).unwrap();
    assert_eq!(version(server, "catalog_step"), SERVED);
    let (fresh, after) = (
        catalog(server, "catalog_between"),
        catalog(server, "catalog_step"),
    );
    assert!(after == fresh, "{}", difference(&after, &fresh));
}

/// The comparison can fail.
#[test]
fn what_an_update_script_forgets_is_a_difference() {
    let server = versions();
    create(server, "catalog_forgets", PRESENT);
    let right = catalog(server, "catalog_forgets");
    for mistake in [
        "GRANT EXECUTE ON FUNCTION eventcore_version() TO PUBLIC",
        "REVOKE SELECT ON eventcore.snapshots FROM eventcore_reader",
        "REVOKE UPDATE (state) ON eventcore.snapshots FROM eventcore_writer",
        "COMMENT ON COLUMN eventcore.events.causation_id IS NULL",
        "COMMENT ON FUNCTION eventcore_version() IS NULL",
        "ALTER TABLE eventcore.snapshots ADD COLUMN more text",
        "ALTER TABLE eventcore.streams ALTER COLUMN reason TYPE text COLLATE \"POSIX\"",
        "ALTER TABLE eventcore.snapshots ALTER COLUMN taken_at DROP NOT NULL",
        "ALTER TABLE eventcore.snapshots ALTER COLUMN taken_at DROP DEFAULT",
        "ALTER TABLE eventcore.projections RESET (fillfactor)",
        "ALTER TABLE eventcore.events DISABLE TRIGGER events_before_insert",
        "ALTER TABLE eventcore.projections DROP CONSTRAINT projections_batch_size_check",
        "DROP POLICY owners ON eventcore.projections",
        "UPDATE pg_extension SET extconfig = extconfig[2:], extcondition = extcondition[2:] WHERE extname = 'eventcore'",
        "ALTER FUNCTION eventcore_version() VOLATILE",
        "ALTER EXTENSION eventcore DROP FUNCTION eventcore_version()",
        "CREATE INDEX ON eventcore.snapshots (taken_at)",
        "CREATE OR REPLACE VIEW eventcore.expected_triggers AS SELECT NULL::text AS table_name, NULL::text AS trigger_name,
             NULL::\"char\" AS enabled, NULL::text AS definition",
    ] {
        let script = format!(
            "BEGIN; SET eventcore.allow_drop = on; SET allow_system_table_mods = on; {mistake};\n{}; ROLLBACK",
            include_str!("catalog.sql")
        );
        let wrong = server.psql("catalog_forgets", &script).unwrap();
        assert!(!difference(&right, &wrong).is_empty(), "{mistake}");
    }
}

/// These scripts are made up, so this is a test of the comparison, too.
#[test]
fn one_more_column_function_and_table_are_the_only_differences() {
    let server = versions();
    create(server, "catalog_present", PRESENT);
    create(server, "catalog_next", PRESENT);
    let step = format!("ALTER EXTENSION eventcore UPDATE TO '{UNGUARDED}'");
    server.psql("catalog_next", &step).unwrap();
    let all = difference(
        &catalog(server, "catalog_present"),
        &catalog(server, "catalog_next"),
    );
    assert!(all.lines().count() >= 5, "{all}");
    for line in all.lines() {
        assert!(line.contains("made_up"), "{line}");
    }
    assert_eq!(version(server, "catalog_next"), UNGUARDED);
}
