//! `eventcore_check`: each finding is provoked, and the statement that comes with it repairs it.

use eventcore_harness::{Server, ServerOptions, shared};

const CHECK: &str = "SELECT finding, object, statement FROM eventcore_check(true)";

struct Checked<'a> {
    server: &'a Server,
    database: &'a str,
}

impl Checked<'_> {
    fn psql(&self, sql: &str) -> String {
        self.server.psql(self.database, sql).unwrap()
    }

    /// Provokes a finding and repairs it by its statement.
    #[track_caller]
    fn finds(&self, provocation: &str, finding: &str) {
        let provoked = self.server.psql(
            self.database,
            &format!("\\o /dev/null\n{provocation};\n\\o\n{CHECK}"),
        );
        let found = match provoked {
            Ok(found) => found,
            // Where it is refused, there is nothing to find.
            Err(error) if error.to_string().contains("SE009") => return,
            Err(error) => panic!("{provocation}: {error}"),
        };
        let is_it = |line: &str| line.starts_with(&format!("{finding}|"));
        assert!(found.lines().any(is_it), "{provocation}: {found}");
        let statements = found.lines().filter_map(|line| line.rsplit('|').next());
        let repair = statements
            .map(|one| format!("{one};\n"))
            .collect::<String>();
        let left = self.psql(&format!("\\o /dev/null\n{repair}\\o\n{CHECK}"));
        assert_eq!(left, "", "after {provocation} and {repair}");
    }
}

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
    // All there are, so that a new one cannot be forgotten.
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
    // What no statement repairs.
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
    // And then it works.
    checked.psql("SELECT eventcore_append('{s}', '{0}', '{s}', '{T}', '{1}', NULL)");
    assert_eq!(checked.psql(CHECK), "");
}

#[test]
fn positions_copies_owners_functions_and_tables_that_do_not_go_together_are_found() {
    let server = Server::start(ServerOptions::new().set("max_worker_processes", "20")).unwrap();
    server.create_database("check_rows").unwrap();
    let checked = Checked {
        server: &server,
        database: "check_rows",
    };
    checked.psql(
        "CREATE SCHEMA \"app X\"; CREATE TABLE \"app X\".\"a table\" (position bigint);
         CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO \"app X\".\"a table\" VALUES (e.position)';
         CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
         CREATE ROLE ann LOGIN IN ROLE eventcore_projector; GRANT USAGE ON SCHEMA \"app X\" TO ann; GRANT ALL ON \"app X\".\"a table\" TO ann;
         SELECT eventcore_append('{s}', '{0}', '{s,s}', '{T,T}', '{1,2}', NULL);
         SET ROLE ann;
         SELECT eventcore_create_projection('p', 'see', tables => ARRAY['\"app X\".\"a table\"']);
         RESET ROLE;
         SELECT eventcore_create_subscription('s');
         SELECT eventcore_advance_checkpoint('c', 0, 1);
         SELECT eventcore_register_command('do', 'apply', 'handle', streams => '{/a}');
         CALL eventcore_wait_for_projection('p', timeout => '30 s');
         SELECT eventcore_pause_projection('p')",
    );
    for (provocation, finding) in [
        (
            "SELECT setval('eventcore.position_blocks', 1, false)",
            "positions_behind",
        ),
        ("UPDATE eventcore.subscriptions SET home_id = 1", "copy"),
        ("UPDATE eventcore.checkpoints SET home_id = 1", "copy"),
        ("UPDATE eventcore.projections SET home_id = 1", "copy"),
        ("ALTER ROLE ann RENAME TO \"Ann B\"", "owner_renamed"),
        (
            "DROP TABLE \"app X\".\"a table\"; CREATE TABLE \"app X\".\"a table\" (position bigint); GRANT ALL ON \"app X\".\"a table\" TO \"Ann B\"",
            "table_replaced",
        ),
        (
            "DROP OWNED BY \"Ann B\"; DROP ROLE \"Ann B\"",
            "owner_missing",
        ),
        (
            "INSERT INTO eventcore.deliveries (subscription_id, position, version, stream_id) VALUES (gen_random_uuid(), 1, 1, 's')",
            "orphans",
        ),
    ] {
        checked.finds(provocation, finding);
    }

    for grant in [
        "GRANT EXECUTE ON FUNCTION eventcore_safe_position() TO PUBLIC",
        "CREATE ROLE stranger; GRANT TRIGGER ON eventcore.leases TO stranger",
        "GRANT UPDATE ON eventcore.commands TO eventcore_reader",
        "GRANT USAGE ON SEQUENCE eventcore.position_blocks TO stranger",
        "GRANT CREATE ON SCHEMA eventcore TO stranger WITH GRANT OPTION",
    ] {
        checked.finds(grant, "privilege");
    }

    // What no statement repairs is said all the same.
    let found = |provocation: &str| {
        checked.psql(provocation);
        checked.psql("SELECT finding, object FROM eventcore_check() ORDER BY 1, 2")
    };
    assert_eq!(
        found("ALTER FUNCTION see RENAME TO saw"),
        "function_missing|projection p"
    );
    assert_eq!(
        found("DROP FUNCTION handle"),
        "function_missing|command do\nfunction_missing|projection p"
    );
    checked.psql("SELECT eventcore_drop_projection('p'); SELECT eventcore_drop_command('do')");
    checked.psql(
        "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
         VALUES (9, 7, now(), gen_random_uuid(), 's', 'T', '1')",
    );
    assert_eq!(checked.psql("SELECT * FROM eventcore_check()"), "");
    assert_eq!(
        checked.psql("SELECT finding, object, detail FROM eventcore_check(thorough => true)"),
        "version_gap|stream s|3 events have the versions 1 to 7"
    );
}

#[test]
fn a_projection_without_an_owner_goes_to_the_owner_of_its_functions_or_is_dropped() {
    shared().create_database("check_owner").unwrap();
    let psql = |sql: &str| shared().psql("check_owner", sql).unwrap();
    psql(
        "CREATE ROLE check_gone LOGIN IN ROLE eventcore_projector; CREATE ROLE check_author LOGIN IN ROLE eventcore_projector;
         CREATE ROLE check_nologin IN ROLE eventcore_reader;
         GRANT CREATE ON SCHEMA public TO check_author, check_nologin;
         SET ROLE check_author;
         CREATE FUNCTION own(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
         CREATE FUNCTION own_reset() RETURNS void LANGUAGE sql AS 'SELECT';
         RESET ROLE; SET ROLE check_nologin;
         CREATE FUNCTION nologin(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
         RESET ROLE;
         CREATE FUNCTION reset() RETURNS void LANGUAGE sql AS 'SELECT';
         SET ROLE check_gone;
         SELECT eventcore_create_projection('own', 'own', reset => 'own_reset');
         SELECT eventcore_create_projection('mixed', 'own', reset => 'reset');
         SELECT eventcore_create_projection('none', 'nologin');
         RESET ROLE;
         DROP OWNED BY check_gone; DROP ROLE check_gone",
    );
    let found = psql(
        "SELECT object, statement FROM eventcore_check() WHERE finding = 'owner_missing' ORDER BY 1",
    );
    assert_eq!(
        found,
        "projection mixed|SELECT public.eventcore_drop_projection('mixed')\n\
         projection none|SELECT public.eventcore_drop_projection('none')\n\
         projection own|SELECT public.eventcore_set_projection_owner('own', 'check_author')"
    );
    for statement in found.lines().filter_map(|line| line.rsplit('|').next()) {
        psql(statement);
    }
    assert_eq!(
        psql("SELECT name, status, owner_name FROM eventcore.projections"),
        "own|paused|check_author"
    );
    assert_eq!(psql(CHECK), "");
    psql("SELECT eventcore_resume_projection('own')");
    psql("SELECT eventcore_set_projection_owner('own', 'check_author')");
    assert_eq!(psql("SELECT status FROM eventcore.projections"), "paused");
}

#[test]
fn a_malformed_name_of_a_function_is_one_finding_and_ends_no_check() {
    shared().create_database("check_malformed").unwrap();
    let psql = |sql: &str| shared().psql("check_malformed", sql).unwrap();
    psql(
        "INSERT INTO eventcore.projections (name, checkpoint, owner, batch_size, retry_limit, takes_array, mode, on_error, handler, tables)
         VALUES ('bad', 0, 'postgres'::regrole, 1, 1, false, 'async', 'stop', '((((', '{((((}'),
                ('worse', 0, 'postgres'::regrole, 1, 1, false, 'async', 'stop', 'a.b.c.d(integer)', '{a.b.c.d}'),
                ('long', 0, 'postgres'::regrole, 1, 1, false, 'async', 'stop', 'f(nothing[)', NULL);
         INSERT INTO eventcore.commands (name, max_attempts, snapshot_every, apply, handle, initial_state) VALUES ('c', 1, 0, '\"', ')(', '1')",
    );
    assert_eq!(
        psql("SELECT finding, object FROM eventcore_check() ORDER BY 1, 2"),
        "function_missing|command c\nfunction_missing|command c\nfunction_missing|projection bad\nfunction_missing|projection long\n\
         function_missing|projection worse\ntable_missing|projection bad\ntable_missing|projection worse"
    );
}

#[test]
fn a_checkpoint_far_ahead_of_all_events_is_implausible_and_is_set_back() {
    shared().create_database("check_ahead").unwrap();
    let checked = Checked {
        server: shared(),
        database: "check_ahead",
    };
    checked.psql(
        "CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT';
         SELECT eventcore_append('{s}', '{0}', '{s}', '{T}', '{1}', NULL);
         SELECT eventcore_create_subscription('s'); SELECT eventcore_advance_checkpoint('c', 0, 1);
         SELECT eventcore_create_projection('p', 'see'); SELECT eventcore_pause_projection('p')",
    );
    for provocation in [
        "UPDATE eventcore.subscriptions SET read_position = 4611686018427387904",
        "UPDATE eventcore.checkpoints SET position = 281474976710658",
        "UPDATE eventcore.projections SET checkpoint = 4611686018427387904",
        "UPDATE eventcore.projections SET singly_until = 4611686018427387904",
    ] {
        checked.finds(provocation, "implausible_position");
    }
    // As far as fail-overs bring it.
    checked.finds(
        "UPDATE eventcore.checkpoints SET position = 4294967296",
        "positions_behind",
    );
    checked.psql("SELECT eventcore_append('{s}', '{1}', '{s}', '{T}', '{1}', NULL)");
}

#[test]
fn a_library_of_another_version_and_one_that_is_not_loaded_are_found() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    server.create_empty_database("check_library").unwrap();
    let psql = |server: &Server, sql: &str| server.psql("check_library", sql).unwrap();
    psql(&server, "CREATE EXTENSION eventcore");
    assert_eq!(psql(&server, CHECK), "");
    psql(
        &server,
        "SET allow_system_table_mods = on; UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'eventcore'",
    );
    assert_eq!(
        psql(&server, CHECK),
        "version|eventcore|ALTER EXTENSION eventcore UPDATE"
    );
    psql(
        &server,
        "ALTER SYSTEM SET shared_preload_libraries = 'auto_explain'",
    );
    server.restart().unwrap();
    let found = psql(&server, CHECK);
    assert_eq!(
        found,
        "not_preloaded|shared_preload_libraries|ALTER SYSTEM SET shared_preload_libraries = 'auto_explain', 'eventcore'"
    );
    psql(&server, found.rsplit('|').next().unwrap());
    server.restart().unwrap();
    assert!(psql(&server, CHECK).starts_with("version|"));
}
