//! A role that may CREATE in the schema of the public functions cannot place operators or functions
//! there that the install script, a view, a CHECK or a function body would use instead of
//! PostgreSQL's.

use eventcore_harness::shared;

use crate::support::sql_files;

/// Operators for pairs of types, and functions with the names that `sql` calls, each for types for
/// which PostgreSQL has none. Each reports when it is called.
const TRAPS: &str = r#"
    DO $traps$
    DECLARE
        types CONSTANT regtype[] := '{text,name,"char",oid,regclass,regproc,regtype,regrole,regnamespace,smallint,integer,bigint,numeric,
            boolean,timestamptz,interval,uuid,jsonb,text[],name[],oid[],bigint[],bit,xid,double precision}';
        few CONSTANT regtype[] := '{text,name,oid,regclass,integer,bigint,text[],oid[],regrole}';
        l regtype;
        r regtype;
        one text;
        names CONSTANT text[] := string_to_array(current_setting('hijack.names'), ',');
        body CONSTANT text := 'BEGIN RAISE EXCEPTION ''hijacked'' USING ERRCODE = ''ZZ666''; END';
    BEGIN
        FOREACH l IN ARRAY types LOOP
            FOREACH r IN ARRAY types LOOP
                EXECUTE format('CREATE FUNCTION trap(l %s, r %s) RETURNS boolean LANGUAGE plpgsql AS %L', l, r, body);
                EXECUTE format('CREATE FUNCTION trap_text(l %s, r %s) RETURNS text LANGUAGE plpgsql AS %L', l, r, body);
                FOREACH one IN ARRAY '{=,<>,<,>,<=,>=,~,!~,~~,!~~,@>,&&}'::text[] LOOP
                    EXECUTE format('CREATE OPERATOR %s (FUNCTION = trap, LEFTARG = %s, RIGHTARG = %s)', one, l, r);
                END LOOP;
                EXECUTE format('CREATE OPERATOR || (FUNCTION = trap_text, LEFTARG = %s, RIGHTARG = %s)', l, r);
            END LOOP;
        END LOOP;
        FOREACH one IN ARRAY names LOOP
            FOREACH l IN ARRAY types LOOP
                EXECUTE format('CREATE FUNCTION %I(%s) RETURNS text LANGUAGE plpgsql AS %L', one, l, body);
            END LOOP;
            FOREACH l IN ARRAY few LOOP
                FOREACH r IN ARRAY few LOOP
                    EXECUTE format('CREATE FUNCTION %I(%s, %s) RETURNS text LANGUAGE plpgsql AS %L', one, l, r, body);
                END LOOP;
            END LOOP;
        END LOOP;
    END
    $traps$"#;

/// What each object of the extension depends on in this schema without belonging to the extension.
/// Parts of objects count too, such as a rule, a CHECK or a default.
fn foreign(schema: &str) -> String {
    format!(
        "SET search_path = pg_catalog;
         WITH RECURSIVE ours AS (
             SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
              WHERE e.extname = 'eventcore' AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
              UNION
             SELECT d.classid, d.objid FROM ours o JOIN pg_depend d ON d.refclassid = o.classid AND d.refobjid = o.objid
              WHERE d.deptype IN ('a', 'i')
         ), used AS (
             SELECT d.refclassid, d.refobjid FROM ours o JOIN pg_depend d ON d.classid = o.classid AND d.objid = o.objid
              WHERE d.deptype IN ('n', 'a')
             EXCEPT SELECT classid, objid FROM ours
         )
         SELECT i.type, i.identity FROM used u CROSS JOIN LATERAL pg_identify_object(u.refclassid, u.refobjid, 0) i
          WHERE i.schema = '{schema}'"
    )
}

/// The names of functions that `sql` calls without a schema.
fn called_names() -> String {
    let mut names = std::collections::BTreeSet::new();
    for text in sql_files() {
        for (at, _) in text.match_indices('(') {
            let before = &text[..at];
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let name = &before[before.trim_end_matches(is_name).len()..];
            if name.len() > 1 && !name.starts_with("eventcore") {
                names.insert(name.to_owned());
            }
        }
    }
    assert!(names.contains("cardinality") && names.contains("format"));
    Vec::from_iter(names).join(",")
}

#[test]
fn no_operator_or_function_of_another_role_is_taken_for_one_of_postgresql_by_create_extension() {
    let server = shared();
    server.create_empty_database("doors_hijack").unwrap();
    let psql = |sql: &str| server.psql("doors_hijack", sql).unwrap();
    psql(&format!(
        "CREATE ROLE hijacker LOGIN; ALTER DATABASE doors_hijack OWNER TO hijacker; GRANT ALL ON SCHEMA public TO hijacker;
         SET hijack.names = '{}';
         SELECT string_agg(DISTINCT n, ',') FROM unnest(string_to_array(current_setting('hijack.names'), ',')) n
           JOIN pg_proc p ON p.proname = n AND p.pronamespace = 'pg_catalog'::regnamespace \\gset
         SET hijack.names = :'string_agg';
         SET SESSION AUTHORIZATION hijacker;
         {TRAPS}",
        called_names()
    ));
    // The traps do report calls.
    for trapped in [
        "SELECT 1::oid = 'pg_class'::regclass",
        "SELECT cardinality('{}'::text[])",
        "SELECT quote_ident('a'::name)",
    ] {
        let caught = server.psql("doors_hijack", trapped).unwrap_err();
        assert!(
            caught.to_string().contains("hijacked"),
            "{trapped}: {caught}"
        );
    }

    psql("CREATE EXTENSION eventcore");
    assert_eq!(psql(&foreign("public")), "");
    let views = psql(
        "SET search_path = pg_catalog; SELECT format('SELECT * FROM eventcore.%I', c.relname) FROM pg_class c
          WHERE c.relnamespace = 'eventcore'::regnamespace AND c.relkind IN ('v', 'r')",
    );
    assert!(views.lines().count() > 10, "{views}");
    for view in views.lines() {
        psql(view);
    }
    psql(
        "SELECT * FROM eventcore_append('{a}', '{0}', '{a}', '{T}', '{1}', NULL);
         SELECT eventcore_create_subscription('s');
         SELECT eventcore_nack('s', lease_id) FROM eventcore_poll('s', 'c');
         SELECT eventcore_ack('s', lease_id) FROM eventcore_poll('s', 'c');
         SELECT eventcore_advance_checkpoint('c', 0, 1);
         SELECT eventcore_save_snapshot('n', '{a}', '{1}', '1');
         CREATE TABLE seen (p bigint);
         CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO seen VALUES (e.position)';
         SELECT eventcore_create_projection('p', 'see', tables => '{seen}');
         SELECT eventcore_create_projection('i', 'see', mode => 'inline', start_from => 'now');
         SELECT * FROM eventcore_append('{a}', '{1}', '{a}', '{T}', '{1}', NULL);
         SELECT eventcore_pause_projection('p');
         CREATE FUNCTION apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT $1';
         CREATE FUNCTION handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
         SELECT eventcore_register_command('do', 'apply', 'handle', streams => '{/a}');
         SELECT * FROM eventcore_execute('do', '{\"a\": \"a\"}');
         SELECT * FROM eventcore_check(true);
         SELECT * FROM eventcore_adopt_copies();
         SELECT eventcore_drop_projection('p'); SELECT eventcore_drop_projection('i');
         SELECT * FROM eventcore.stat_subscriptions",
    );
}

#[test]
fn the_extension_is_installed_in_a_schema_with_a_space_and_stays_there() {
    let server = shared();
    server.create_empty_database("doors_space").unwrap();
    let psql = |sql: &str| server.psql("doors_space", sql);
    psql("CREATE SCHEMA \"My App\"; CREATE EXTENSION eventcore SCHEMA \"My App\"").unwrap();
    let elsewhere = "SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.proname ~ '^eventcore_' AND p.pronamespace <> '\"My App\"'::regnamespace";
    assert_eq!(psql(elsewhere).unwrap(), "");
    psql("SELECT * FROM \"My App\".eventcore_append('{a}', '{0}', '{a}', '{T}', '{1}', NULL)")
        .unwrap();
    assert_eq!(
        psql("SELECT * FROM \"My App\".eventcore_check(true)").unwrap(),
        ""
    );
    let moved = psql("ALTER EXTENSION eventcore SET SCHEMA public").unwrap_err();
    assert!(
        moved.to_string().contains("does not support SET SCHEMA"),
        "{moved}"
    );
    psql("ALTER SCHEMA \"My App\" RENAME TO elsewhere").unwrap();
    assert_eq!(
        psql("SELECT elsewhere.eventcore_safe_position()").unwrap(),
        "1"
    );
    server.create_empty_database("doors_path").unwrap();
    let path = "CREATE SCHEMA a; SET search_path = a; CREATE EXTENSION eventcore; SHOW search_path; SELECT a.eventcore_safe_position() IS NULL";
    assert_eq!(server.psql("doors_path", path).unwrap(), "a\nf");
}
