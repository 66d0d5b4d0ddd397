//! Findings about rows: positions, copies, owners, functions and tables that do not fit together.

use eventcore_harness::{Server, ServerOptions, shared};

use super::{CHECK, Checked};

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

    // Findings that no statement repairs are still reported.
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
    // As far as fail-overs can move it.
    checked.finds(
        "UPDATE eventcore.checkpoints SET position = 4294967296",
        "positions_behind",
    );
    checked.psql("SELECT eventcore_append('{s}', '{1}', '{s}', '{T}', '{1}', NULL)");
}
