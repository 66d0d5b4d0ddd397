//! Restores where the owners of projections do not exist.

use super::{attempt, failure, run, server};

const HANDLERS: &str = "
    CREATE TABLE seen (position bigint PRIMARY KEY, who text DEFAULT current_user);
    GRANT ALL ON seen TO PUBLIC;
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO public.seen (position) VALUES (e.position) ON CONFLICT DO NOTHING';";

/// A database with one projection per role. The roles do not exist afterwards. Returns its dump.
fn dump_with_owners(name: &str, roles: &[&str]) -> String {
    server().create_database(name).unwrap();
    let mut sql = HANDLERS.to_owned();
    for role in roles {
        sql += &format!(
            "CREATE ROLE \"{role}\" LOGIN IN ROLE eventcore_projector; SET ROLE \"{role}\";
             SELECT eventcore_create_projection('of {role}', 'see', start_from => 'now'); RESET ROLE;
             SELECT eventcore_pause_projection('of {role}');"
        );
    }
    sql += "SELECT eventcore_create_projection('ours', 'see');
            SELECT eventcore_append('{s}', '{0}', '{s}', '{T}', '{1}', NULL);
            CALL eventcore_wait_for_projection('ours', timeout => '30 s');";
    server().psql(name, &sql).unwrap();
    String::from_utf8(run(server(), "pg_dump", &["-d", name])).unwrap()
}

fn drop_role(database: &str, role: &str) {
    let sql = format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\"");
    server().psql(database, &sql).unwrap();
}

fn restore(dump: &str, copy: &str) {
    server().create_empty_database(copy).unwrap();
    let arguments = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", copy];
    let (restored, _, errors) = attempt(server(), "psql", &arguments, dump.as_bytes());
    assert!(restored, "{errors}");
}

#[test]
fn a_missing_owner_of_one_projection_keeps_no_other_from_being_restored() {
    let dump = dump_with_owners("owners", &["an owner"]);
    drop_role("owners", "an owner");
    restore(&dump, "owners_copy");
    let psql = |sql: &str| server().psql("owners_copy", sql).unwrap();
    assert_eq!(
        psql(
            "SELECT name, status, owner, last_error FROM eventcore.stat_projections ORDER BY name"
        ),
        "of an owner|paused|an owner|the role \"an owner\" does not exist\nours|paused|postgres|"
    );
    let resume = "SELECT eventcore_resume_projection('of an owner')";
    let error = failure(server(), "owners_copy", resume);
    assert!(
        error.contains("SE009")
            && error.contains("owner_missing")
            && error.contains("eventcore_set_projection_owner"),
        "{error}"
    );
    let give = "SELECT eventcore_set_projection_owner('of an owner', 'nobody')";
    assert!(failure(server(), "owners_copy", give).contains("SE003"));

    // The role is created again, or another role replaces it.
    psql("CREATE ROLE \"an owner\" LOGIN IN ROLE eventcore_projector");
    psql(resume);
    psql(
        "SELECT eventcore_resume_projection('ours'); SELECT eventcore_append('{s}', '{1}', '{s}', '{T}', '{2}', NULL)",
    );
    psql(
        "DELETE FROM seen; SELECT eventcore_pause_projection('ours'); SELECT eventcore_append('{s}', '{2}', '{s}', '{T}', '{3}', NULL)",
    );
    psql("CALL eventcore_wait_for_projection('of an owner', timeout => '30 s')");
    assert_eq!(
        psql("SELECT DISTINCT who FROM seen WHERE position = eventcore_safe_position()"),
        "an owner"
    );
    psql("SELECT eventcore_pause_projection('of an owner')");
    drop_role("owners_copy", "an owner");
    psql("CREATE ROLE heir LOGIN IN ROLE eventcore_projector");
    psql("SELECT eventcore_set_projection_owner('of an owner', 'heir')");
    psql(resume);
    psql("SELECT eventcore_append('{s}', '{3}', '{s}', '{T}', '{4}', NULL)");
    psql("CALL eventcore_wait_for_projection('of an owner', timeout => '30 s')");
    assert_eq!(
        psql("SELECT who FROM seen ORDER BY position DESC LIMIT 1"),
        "heir"
    );
    psql("SELECT eventcore_drop_projection('of an owner')");
    drop_role("owners_copy", "heir");
}

/// In another cluster the OID of a role means another role.
#[test]
fn a_dropped_owner_is_never_replaced_by_the_role_with_its_oid() {
    let _ = dump_with_owners("dropped", &["dropped owner"]);
    let number = server()
        .psql(
            "dropped",
            "SELECT oid FROM pg_roles WHERE rolname = 'dropped owner'",
        )
        .unwrap();
    drop_role("dropped", "dropped owner");
    let dump = String::from_utf8(run(server(), "pg_dump", &["-d", "dropped"])).unwrap();
    // In another cluster this could be the OID of a superuser.
    let field = format!("\t{number}\t");
    assert!(dump.contains(&field), "{number} in {dump}");
    let dump = dump.replace(&field, "\t10\t");
    restore(&dump, "dropped_copy");
    let psql = |sql: &str| server().psql("dropped_copy", sql).unwrap();
    assert_eq!(
        psql(
            "SELECT owner, status FROM eventcore.stat_projections WHERE name = 'of dropped owner'"
        ),
        "dropped owner|paused"
    );
    let error = failure(
        server(),
        "dropped_copy",
        "SELECT eventcore_resume_projection('of dropped owner')",
    );
    assert!(error.contains("owner_missing"), "{error}");

    // The same with disabled triggers.
    server()
        .psql("dropped_copy", "DELETE FROM eventcore.projections")
        .unwrap();
    let rows = dump.split_once("COPY eventcore.projections ").unwrap().1;
    let rows = rows.split_once("\\.\n").unwrap().0;
    let load = format!(
        "ALTER TABLE eventcore.projections DISABLE TRIGGER ALL;\nCOPY eventcore.projections {rows}\\.\n
         ALTER TABLE eventcore.projections ENABLE TRIGGER ALL;"
    );
    psql(&load);
    let status =
        "SELECT owner, status FROM eventcore.stat_projections WHERE name = 'of dropped owner'";
    assert_eq!(psql(status), "dropped owner|copy");
    let adopted =
        psql("SELECT detail FROM eventcore_adopt_copies() WHERE name = 'of dropped owner'");
    assert_eq!(
        adopted,
        "it is paused: its owner, the role \"dropped owner\", does not exist"
    );
}

#[test]
fn a_renamed_owner_is_dumped_under_its_new_name() {
    let _ = dump_with_owners("renamed", &["old name"]);
    let psql = |sql: &str| server().psql("renamed", sql).unwrap();
    psql("ALTER ROLE \"old name\" RENAME TO \"new name\"");
    assert_eq!(
        psql("SELECT owner FROM eventcore.stat_projections WHERE name = 'of old name'"),
        "new name"
    );
    psql("SELECT eventcore_resume_projection('of old name')");
    psql("SELECT eventcore_append('{s}', '{1}', '{s}', '{T}', '{2}', NULL)");
    psql("CALL eventcore_wait_for_projection('of old name', timeout => '30 s')");
    let dump = String::from_utf8(run(server(), "pg_dump", &["-d", "renamed"])).unwrap();
    restore(&dump, "renamed_copy");
    let owner = "SELECT p.owner = r.oid FROM eventcore.projections p, pg_roles r WHERE p.name = 'of old name' AND r.rolname = 'new name'";
    assert_eq!(server().psql("renamed_copy", owner).unwrap(), "t");
    psql("SELECT eventcore_drop_projection('of old name')");
}
