//! Default privileges that exist before CREATE EXTENSION, as on hosted platforms, give no access.

use crate::support::{Client, append, database, event, failure, session_as, value};
use serde_json::json;

/// Everything that default privileges can grant: to a stranger, to PUBLIC, and to a role of
/// eventcore from another database.
const DEFAULTS: &str = "
    ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO {role};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {role};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {role};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO {role};
    ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO {role};
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO {role};";

/// What members of the extension grant to PUBLIC and to roles other than their owner and the roles
/// of eventcore.
const GRANTED: &str = "
    WITH member AS (
        SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'eventcore'
    ), granted AS (
        SELECT m.*, 0 AS part, p.proowner AS owner, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
          FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
        UNION ALL
        SELECT m.*, 0, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner))
          FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
        UNION ALL
        SELECT m.*, a.attnum, c.relowner, a.attacl FROM pg_class c
          JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid JOIN pg_attribute a ON a.attrelid = c.oid
        UNION ALL
        SELECT m.*, 0, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
          FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
        UNION ALL
        SELECT m.*, 0, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
          FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
          -- From PostgreSQL 17 on, the types of tables and of arrays are members too.
          JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
    )
    SELECT coalesce(string_agg(pg_describe_object(g.classid, g.objid, g.part) || ': ' || a.privilege_type || ' to '
                               || coalesce(r.rolname, 'PUBLIC'), '; '), '')
      FROM granted g CROSS JOIN aclexplode(g.acl) a LEFT JOIN pg_roles r ON r.oid = a.grantee ";

const TO_OTHERS: &str = "WHERE a.grantee <> g.owner AND (r.rolname IS NULL OR r.rolname NOT IN ('eventcore_reader', 'eventcore_writer',
    'eventcore_subscriber', 'eventcore_executor', 'eventcore_projector', 'eventcore_monitor'))";

async fn created_with_defaults(name: &str, role: &str) -> Client {
    let (_, client) = database(name).await;
    client
        .batch_execute("DROP EXTENSION eventcore")
        .await
        .unwrap();
    for to in [role, "PUBLIC", "eventcore_reader"] {
        let defaults = DEFAULTS.replace("{role}", to);
        client.batch_execute(&defaults).await.unwrap();
    }
    client
        .batch_execute("CREATE EXTENSION eventcore")
        .await
        .unwrap();
    client
}

#[tokio::test]
async fn default_privileges_grant_nothing_of_the_extension() {
    let (_, admin) = database("doors_defaults_admin").await;
    admin
        .batch_execute("CREATE ROLE doors_web LOGIN")
        .await
        .unwrap();
    let client = created_with_defaults("doors_defaults", "doors_web").await;
    assert_eq!(
        value::<String>(&client, &format!("{GRANTED}{TO_OTHERS}")).await,
        ""
    );

    // A reader has the same rights as without default privileges.
    let to_readers = format!(
        "{GRANTED} WHERE r.rolname = 'eventcore_reader' AND (g.classid = 'pg_class'::regclass AND a.privilege_type <> 'SELECT'
             OR g.classid = 'pg_proc'::regclass AND g.objid::regproc::text ~ 'eventcore_(append|execute|poll|nack)')"
    );
    assert_eq!(value::<String>(&client, &to_readers).await, "");

    append(&client, &[("web", Some(0))], json!([event("web", 1)]))
        .await
        .unwrap();
    let web = session_as("doors_defaults", "doors_web").await;
    for call in [
        "SELECT eventcore_append('{web}', '{NULL}', '[{\"stream\":\"web\",\"type\":\"A\",\"payload\":1}]')",
        "SELECT * FROM eventcore_read_all()",
        "SELECT * FROM eventcore.events",
        "SELECT nextval('eventcore.position_blocks')",
        "SELECT eventcore_create_subscription('web')",
        "CREATE FUNCTION pg_temp.trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER trap BEFORE INSERT ON eventcore.leases FOR EACH ROW EXECUTE FUNCTION pg_temp.trap()",
    ] {
        assert_eq!(failure(web.batch_execute(call).await).code, "42501", "{call}");
    }
}

/// `pg_dump` writes GRANTs for what differs from the privileges at creation, and nothing for what
/// does not.
#[tokio::test]
async fn what_was_granted_at_creation_is_what_a_dump_takes_for_granted() {
    let (_, admin) = database("doors_initial_admin").await;
    admin
        .batch_execute("CREATE ROLE doors_initial LOGIN")
        .await
        .unwrap();
    let client = created_with_defaults("doors_initial", "doors_initial").await;
    let different = "
        SELECT coalesce(string_agg(pg_describe_object(d.classid, d.objid, 0), '; '), '')
          FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'eventcore'
          LEFT JOIN pg_init_privs i ON i.classoid = d.classid AND i.objoid = d.objid AND i.objsubid = 0
          LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
          LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
          LEFT JOIN pg_namespace n ON d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
          LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
           AND coalesce(c.relacl, p.proacl, n.nspacl, t.typacl) IS DISTINCT FROM i.initprivs";
    assert_eq!(value::<String>(&client, different).await, "");
}

#[tokio::test]
async fn what_is_granted_later_is_listed_with_the_statement_that_takes_it_back() {
    let (_, client) = database("doors_later").await;
    let others = "SELECT count(*) FROM eventcore.granted_privileges WHERE NOT as_created";
    assert_eq!(value::<i64>(&client, others).await, 0);
    client
        .batch_execute(
            "CREATE ROLE \"doors Later\";
             GRANT TRIGGER, UPDATE (payload) ON eventcore.events TO \"doors Later\";
             GRANT SELECT ON eventcore.commands TO \"doors Later\" WITH GRANT OPTION;
             GRANT USAGE ON SCHEMA eventcore TO PUBLIC;
             GRANT USAGE ON SEQUENCE eventcore.position_blocks TO eventcore_reader;
             GRANT USAGE ON TYPE eventcore.executed TO PUBLIC;
             GRANT EXECUTE ON FUNCTION eventcore_safe_position() TO PUBLIC;
             GRANT EXECUTE ON PROCEDURE eventcore_wait(bigint, interval, bigint) TO eventcore_writer",
        )
        .await
        .unwrap();
    assert_eq!(value::<i64>(&client, others).await, 8);
    let statements =
        "SELECT string_agg(revoke, '; ') FROM eventcore.granted_privileges WHERE NOT as_created";
    let statements: String = value(&client, statements).await;
    client.batch_execute(&statements).await.unwrap();
    assert_eq!(value::<i64>(&client, others).await, 0, "{statements}");
}
