//! Findings about the definitions of tables, indexes, triggers, policies and functions.

use eventcore_harness::shared;

use super::{CHECK, Checked};
use crate::support::major;

/// What later majors can do to a table: the major, the fault, the finding.
const OF_LATER_MAJORS: [(u32, &str, &str); 4] = [
    (
        17,
        "GRANT MAINTAIN ON eventcore.events TO PUBLIC",
        "privilege",
    ),
    (
        18,
        "ALTER TABLE eventcore.events ADD COLUMN mine bigint GENERATED ALWAYS AS (version + 1) VIRTUAL",
        "column_added",
    ),
    (
        18,
        "ALTER TABLE eventcore.events ADD CONSTRAINT mine NOT NULL metadata NOT VALID",
        "column_null",
    ),
    (
        18,
        "ALTER TABLE eventcore.events DROP CONSTRAINT events_payload_not_null",
        "column_null",
    ),
];

#[test]
fn a_fresh_database_has_no_findings_and_each_fault_of_a_table_is_found_and_repaired() {
    shared().create_database("check_tables").unwrap();
    let checked = Checked {
        server: shared(),
        database: "check_tables",
    };
    assert_eq!(checked.psql(CHECK), "");
    let definitions = || {
        checked.psql(
            "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
              WHERE c.relnamespace = 'eventcore'::regnamespace ORDER BY c.relname;
             SELECT pg_get_triggerdef(t.oid), t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
              WHERE NOT t.tgisinternal AND c.relnamespace = 'eventcore'::regnamespace ORDER BY t.tgname",
        )
    };
    let before = definitions();
    // All of them, so that a new one cannot be forgotten.
    let triggers = "SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
                     WHERE NOT tgisinternal AND relnamespace = 'eventcore'::regnamespace ORDER BY tgname";
    let drops = checked.psql(triggers);
    assert!(drops.lines().count() >= 9, "{drops}");
    for drop in drops.lines() {
        checked.finds(drop, "missing_trigger");
    }
    let indexes = "SELECT CASE WHEN k.oid IS NULL THEN format('DROP INDEX %s', i.indexrelid::regclass)
                               ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', i.indrelid::regclass, k.conname) END
                     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid
                    WHERE c.relnamespace = 'eventcore'::regnamespace ORDER BY c.relname";
    let drops = checked.psql(indexes);
    assert!(drops.lines().count() >= 19, "{drops}");
    for drop in drops.lines() {
        checked.finds(drop, "missing_index");
    }
    assert_eq!(definitions(), before);
    for (provocation, finding) in [
        (
            "ALTER TABLE eventcore.events DISABLE TRIGGER every_event_is_immutable",
            "disabled_trigger",
        ),
        (
            "ALTER TABLE eventcore.events ENABLE REPLICA TRIGGER events_before_insert",
            "disabled_trigger",
        ),
        (
            "ALTER TABLE eventcore.subscriptions ENABLE ALWAYS TRIGGER subscriptions_settle",
            "disabled_trigger",
        ),
        (
            "ALTER TABLE eventcore.projections DISABLE TRIGGER USER",
            "disabled_trigger",
        ),
        (
            "CREATE TRIGGER mine BEFORE INSERT ON eventcore.leases FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "foreign_trigger",
        ),
        (
            "ALTER TABLE eventcore.events ENABLE ROW LEVEL SECURITY",
            "row_security",
        ),
        (
            "ALTER TABLE eventcore.projection_parked DISABLE ROW LEVEL SECURITY",
            "row_security",
        ),
        (
            "ALTER TABLE eventcore.checkpoints FORCE ROW LEVEL SECURITY",
            "row_security",
        ),
        ("ALTER TABLE eventcore.snapshots SET UNLOGGED", "unlogged"),
        (
            "SET allow_system_table_mods = on; UPDATE pg_class SET relpersistence = 'u' WHERE oid = 'eventcore.snapshots'::regclass",
            "unlogged",
        ),
        (
            "CREATE TABLE child () INHERITS (eventcore.streams)",
            "inherits",
        ),
        (
            "CREATE RULE mine AS ON INSERT TO eventcore.parked DO ALSO NOTHING",
            "rule",
        ),
        (
            "ALTER TABLE eventcore.events ADD CONSTRAINT mine CHECK (version < 100)",
            "constraint",
        ),
        (
            "ALTER TABLE eventcore.events ADD COLUMN mine text",
            "column_added",
        ),
        (
            "ALTER TABLE eventcore.events RENAME COLUMN metadata TO mine",
            "column_renamed",
        ),
        (
            "ALTER TABLE eventcore.events ALTER COLUMN event_type TYPE varchar(300)",
            "column_type",
        ),
        (
            "ALTER TABLE eventcore.events ALTER COLUMN event_type TYPE text COLLATE \"POSIX\"",
            "column_collation",
        ),
        (
            "ALTER TABLE eventcore.events ALTER COLUMN payload DROP NOT NULL",
            "column_null",
        ),
        (
            "ALTER TABLE eventcore.events ADD CONSTRAINT mine UNIQUE (event_id)",
            "foreign_index",
        ),
        (
            "CREATE UNIQUE INDEX mine ON eventcore.events (event_id)",
            "foreign_index",
        ),
        (
            "ALTER TABLE eventcore.events DROP CONSTRAINT events_stream_id_version_key,
             ADD CONSTRAINT events_stream_id_version_key UNIQUE (stream_id, version) DEFERRABLE",
            "wrong_index",
        ),
        (
            "DROP POLICY owners ON eventcore.projections",
            "missing_policy",
        ),
        (
            "ALTER POLICY owners ON eventcore.projection_parked USING (true)",
            "missing_policy",
        ),
        (
            "CREATE POLICY mine ON eventcore.projections USING (true)",
            "foreign_policy",
        ),
        (
            "DROP TRIGGER projections_have_owners ON eventcore.projections;
             CREATE TRIGGER projections_have_owners BEFORE INSERT ON eventcore.projections
                 FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
             ALTER TABLE eventcore.projections ENABLE ALWAYS TRIGGER projections_have_owners",
            "wrong_trigger",
        ),
        (
            "SET allow_system_table_mods = on; UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'eventcore.streams_pkey'::regclass",
            "invalid_index",
        ),
    ] {
        checked.finds(provocation, finding);
    }
    let majors = OF_LATER_MAJORS.iter();
    for (_, provocation, finding) in majors.filter(|it| it.0 <= major(shared())) {
        checked.finds(provocation, finding);
    }
    // Findings that no statement repairs.
    for (provocation, finding) in [
        (
            "ALTER TABLE eventcore.events DROP COLUMN causation_id",
            "column_missing|eventcore.events|",
        ),
        (
            "ALTER TABLE eventcore.events ALTER COLUMN version TYPE integer",
            "column_type|eventcore.events|",
        ),
        (
            "CREATE OR REPLACE FUNCTION eventcore.guard_projection() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
            "replaced_function|eventcore.guard_projection()|",
        ),
    ] {
        let found = checked.psql(&format!(
            "\\o /dev/null\nBEGIN; {provocation};\n\\o\n{CHECK};\nROLLBACK"
        ));
        assert_eq!(found, finding, "{provocation}");
    }
    // After the repairs, an append works.
    checked.psql("SELECT eventcore_append('{s}', '{0}', '{s}', '{T}', '{1}', NULL)");
    assert_eq!(checked.psql(CHECK), "");
}
