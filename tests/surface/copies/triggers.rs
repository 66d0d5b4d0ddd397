//! Tools that load data disable and enable the triggers of all tables. The triggers of eventcore
//! come back as they were made.

use super::{Original, failure, server};

/// How each trigger on the tables of eventcore is enabled.
const TRIGGERS: &str =
    "SELECT string_agg(tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text, E'\\n' ORDER BY tgname)
      FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
     WHERE NOT tgisinternal AND relnamespace = 'eventcore'::regnamespace";

/// `ALTER TABLE … <what> TRIGGER <which>` for every table of eventcore.
fn each_table(what: &str) -> String {
    format!(
        "SELECT format('ALTER TABLE %s {what}', oid::regclass) FROM pg_class
          WHERE relkind = 'r' AND relnamespace = 'eventcore'::regnamespace \\gexec\n"
    )
}

#[test]
fn triggers_that_were_disabled_and_enabled_are_as_they_were() {
    Original::fill(server(), "loaded");
    let psql = |sql: &str| server().psql("loaded", sql).unwrap();
    let before = psql(TRIGGERS);
    for way in ["TRIGGER ALL", "TRIGGER USER"] {
        psql(&each_table(&format!("DISABLE {way}")));
        assert_ne!(psql(TRIGGERS), before);
        psql(&each_table(&format!("ENABLE {way}")));
        assert_eq!(psql(TRIGGERS), before, "{way}");
    }
    // By name, from a cached plan, together with other commands.
    psql(
        "DO $$ BEGIN
             FOR n IN 1 .. 3 LOOP
                 ALTER TABLE eventcore.events DISABLE TRIGGER events_before_insert, DISABLE TRIGGER ALL;
                 ALTER TABLE eventcore.events ENABLE TRIGGER ALL, SET (fillfactor = 100), ENABLE TRIGGER events_before_insert;
             END LOOP;
             ALTER TABLE IF EXISTS eventcore.subscriptions ENABLE TRIGGER subscriptions_settle;
             ALTER TABLE IF EXISTS not_there ENABLE TRIGGER ALL;
             ALTER TABLE ledger ENABLE TRIGGER ALL;
         END $$",
    );
    assert_eq!(psql(TRIGGERS), before);
    for change in [
        "UPDATE eventcore.events SET payload = '1'",
        "DELETE FROM eventcore.events",
        "TRUNCATE eventcore.events",
    ] {
        let error = failure(
            server(),
            "loaded",
            &format!("SET session_replication_role = replica; {change}"),
        );
        assert!(
            error.contains("SE009") && error.contains("immutable"),
            "{change}: {error}"
        );
    }
    let given = psql("SELECT eventcore_safe_position()").parse().unwrap();
    super::assert_goes_on(server(), "loaded", given);
}

#[test]
fn rows_that_came_while_triggers_were_disabled_keep_their_positions() {
    server().create_database("loaded_rows").unwrap();
    let psql = |sql: &str| server().psql("loaded_rows", sql).unwrap();
    psql("SELECT eventcore_append('{s}', '{0}', '{s}', '{T}', '{1}', NULL)");
    psql(
        "ALTER TABLE eventcore.events DISABLE TRIGGER ALL;
         INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
         SELECT n, n, now(), gen_random_uuid(), 'loaded', 'T', '1' FROM generate_series(2, 3000) n",
    );
    let append =
        "SELECT first_position FROM eventcore_append('{s}', '{1}', '{s}', '{T}', '{1}', NULL)";
    let error = failure(server(), "loaded_rows", append);
    assert!(
        error.contains("SE009") && error.contains("ENABLE TRIGGER ALL"),
        "{error}"
    );
    psql("ALTER TABLE eventcore.events ENABLE TRIGGER ALL");
    assert!(psql(append).parse::<i64>().unwrap() > 3000);
    assert_eq!(
        psql("SELECT count(*) FROM eventcore_read_all(0, NULL)"),
        "3001"
    );
}
