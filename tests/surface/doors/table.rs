//! The table of privileges: every object of the extension and every role. It must agree with the
//! catalog, with `docs/privileges.md`, and with what happens when a role tries.
//!
//! A new object changes the table, so this test fails until its privileges have been decided and
//! written down. `EVENTCORE_WRITE_PRIVILEGES=1` writes the file.

use std::fmt::Write as _;
use std::path::Path;

use tokio_postgres::error::SqlState;

use crate::support::{Client, append, database, event, session_as};
use serde_json::json;

const ROLES: [&str; 6] = [
    "reader",
    "writer",
    "subscriber",
    "executor",
    "projector",
    "monitor",
];

/// For each object: its kind, its name, how it is called or used, and what each role may do with
/// it. The last two roles are strangers.
const TABLE: &str = "
    WITH role AS (
        SELECT r, n FROM unnest($1::text[]) WITH ORDINALITY AS t (r, n)
    ), member AS (
        SELECT d.classid, d.objid, (pg_identify_object(d.classid, d.objid, 0)).*
          FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'eventcore'
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
           AND (d.classid IN ('pg_proc'::regclass, 'pg_class'::regclass, 'pg_namespace'::regclass)
                -- From PostgreSQL 17 on, the types of tables and of arrays are members too.
                OR d.objid IN (SELECT t.oid FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'))
    ), relation AS (
        SELECT m.*, r.r, r.n, p.p, p.place,
               CASE WHEN m.type = 'sequence' THEN has_sequence_privilege(r.r, m.objid, p.p) ELSE has_table_privilege(r.r, m.objid, p.p) END AS whole,
               CASE WHEN m.type <> 'sequence' AND p.p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') THEN
                   (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
                     WHERE a.attrelid = m.objid AND a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(r.r, m.objid, a.attnum, p.p)) END AS parts
          FROM member m CROSS JOIN role r
         CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER,USAGE}'::text[]) WITH ORDINALITY AS p (p, place)
         WHERE m.classid = 'pg_class'::regclass
           AND CASE WHEN m.type = 'sequence' THEN p.p IN ('SELECT', 'UPDATE', 'USAGE') ELSE p.p <> 'USAGE' END
    ), cell AS (
        SELECT m.type, m.identity, m.objid, r.n,
               CASE WHEN has_function_privilege(r.r, m.objid, 'EXECUTE') THEN 'EXECUTE' ELSE '' END AS may
          FROM member m CROSS JOIN role r WHERE m.classid = 'pg_proc'::regclass
        UNION ALL
        SELECT m.type, m.identity, m.objid, r.n, concat_ws(', ',
               CASE WHEN has_schema_privilege(r.r, m.objid, 'USAGE') THEN 'USAGE' END,
               CASE WHEN has_schema_privilege(r.r, m.objid, 'CREATE') THEN 'CREATE' END)
          FROM member m CROSS JOIN role r WHERE m.classid = 'pg_namespace'::regclass
        UNION ALL
        SELECT m.type, m.identity, m.objid, r.n, CASE WHEN has_type_privilege(r.r, m.objid, 'USAGE') THEN 'USAGE' ELSE '' END
          FROM member m CROSS JOIN role r WHERE m.classid = 'pg_type'::regclass
        UNION ALL
        SELECT type, identity, objid, n, coalesce(string_agg(CASE WHEN whole THEN p WHEN parts IS NOT NULL THEN format('%s (%s)', p, parts) END, ', ' ORDER BY place), '')
          FROM relation GROUP BY type, identity, objid, n
    )
    SELECT type, identity, array_agg(may ORDER BY n) AS may,
           CASE WHEN type IN ('function', 'procedure') THEN
               (SELECT format('%s %s(%s)', CASE type WHEN 'procedure' THEN 'CALL' ELSE 'SELECT' END, p.oid::regproc,
                       (SELECT string_agg(format(CASE type WHEN 'procedure' THEN 'NULL::%s' ELSE '(SELECT NULL::%s)' END, format_type(a.t, NULL)), ', ' ORDER BY a.n) FROM unnest(p.proargtypes) WITH ORDINALITY a (t, n)))
                  FROM pg_proc p WHERE p.oid = objid) END AS call
      FROM cell GROUP BY type, identity, objid
     ORDER BY array_position('{schema,table,view,sequence,type,composite type,function,procedure}', type), identity COLLATE \"C\"";

/// An object, and what each role may do with it.
struct Line {
    kind: String,
    name: String,
    may: Vec<String>,
    call: Option<String>,
}

async fn lines(client: &Client, roles: &[String]) -> Vec<Line> {
    let rows = client.query(TABLE, &[&roles]).await.unwrap();
    let line = |row: &tokio_postgres::Row| Line {
        kind: row.get("type"),
        name: row.get("identity"),
        may: row.get("may"),
        call: row.get("call"),
    };
    rows.iter().map(line).collect()
}

fn as_markdown(lines: &[Line]) -> String {
    let mut text = "# Who may do what\n\n\
        Every object of the extension. The owner may do everything, `PUBLIC` and all other roles nothing. A subscriber and a projector are readers too.\n\
        Generated from the catalog, and tested by trying it.\n"
        .to_owned();
    let mut kind = "";
    for line in lines {
        if kind != line.kind {
            kind = &line.kind;
            write!(
                text,
                "\n| {kind} | {} |\n|---|---|---|---|---|---|\n",
                ROLES.join(" | ")
            )
            .unwrap();
        }
        writeln!(
            text,
            "| `{}` | {} |",
            line.name,
            line.may[..ROLES.len()].join(" | ")
        )
        .unwrap();
    }
    text
}

/// The attempt, and whether the table says that it works. Any failure other than a lack of
/// privileges counts as working.
fn trials(line: &Line, role: usize) -> Vec<(String, bool)> {
    let (name, may) = (&line.name, line.may[role].as_str());
    let whole = |privilege: &str| may.split(", ").any(|one| one == privilege);
    let any = |privilege: &str| whole(privilege) || may.contains(&format!("{privilege} ("));
    match line.kind.as_str() {
        "function" | "procedure" => vec![(line.call.clone().unwrap(), whole("EXECUTE"))],
        "view" => vec![(format!("SELECT FROM {name}"), any("SELECT"))],
        "sequence" => vec![
            (
                format!("SELECT nextval('{name}')"),
                whole("USAGE") || whole("UPDATE"),
            ),
            (format!("SELECT setval('{name}', 1)"), whole("UPDATE")),
            (format!("SELECT FROM {name}"), whole("SELECT")),
        ],
        "schema" => vec![(
            format!("CREATE TABLE {name}.tried (n int)"),
            whole("CREATE"),
        )],
        "table" => {
            let column = may.split_once("UPDATE (").map_or_else(
                || "ctid".to_owned(),
                |(_, columns)| columns.split([',', ')']).next().unwrap().to_owned(),
            );
            let lock = whole("UPDATE") || whole("DELETE") || whole("TRUNCATE");
            let mut trials = vec![
                (format!("SELECT FROM {name}"), any("SELECT")),
                (format!("INSERT INTO {name} DEFAULT VALUES"), any("INSERT")),
                (format!("DELETE FROM {name} WHERE false"), whole("DELETE")),
                (format!("TRUNCATE {name}"), whole("TRUNCATE")),
                (format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"), lock),
                (
                    format!("SELECT FROM {name} FOR UPDATE"),
                    any("UPDATE") && any("SELECT"),
                ),
                // Only the owner may do this, whatever was granted.
                (
                    format!(
                        "CREATE TRIGGER tried BEFORE INSERT ON {name} FOR EACH ROW EXECUTE FUNCTION table_trap()"
                    ),
                    false,
                ),
                (format!("ALTER TABLE {name} SET (fillfactor = 90)"), false),
            ];
            if column != "ctid" {
                trials.push((
                    format!("UPDATE {name} SET {column} = NULL WHERE false"),
                    any("UPDATE"),
                ));
            }
            trials
        }
        _ => Vec::new(),
    }
}

/// `None` if everything is as it should be.
async fn try_it(session: &Client, name: &str, statement: &str, allowed: bool) -> Option<String> {
    session.batch_execute("BEGIN").await.unwrap();
    let outcome = session.batch_execute(statement).await;
    session.batch_execute("ROLLBACK").await.unwrap();
    let error = outcome.as_ref().err().and_then(|error| error.as_db_error());
    assert_eq!(
        outcome.is_err(),
        error.is_some(),
        "{statement}: {outcome:?}"
    );
    let Some(error) = error.filter(|error| error.code() == &SqlState::INSUFFICIENT_PRIVILEGE)
    else {
        return (!allowed).then(|| format!("{statement}: {outcome:?}"));
    };
    // A role that may call a function may also call what the function calls. Ownership of a
    // projection and the right to inline projections are refused for other reasons.
    let of_itself =
        error.message().contains(" for projection ") || name.starts_with("eventcore.lock_events");
    (allowed && !of_itself).then(|| format!("{name}: {statement}: {}", error.message()))
}

#[tokio::test]
async fn every_role_may_do_to_every_object_what_the_table_says() {
    let (_, client) = database("doors_table").await;
    let mut roles: Vec<String> = ROLES.iter().map(|role| format!("table_{role}")).collect();
    for role in ROLES {
        let create = format!("CREATE ROLE table_{role} LOGIN IN ROLE eventcore_{role}");
        client.batch_execute(&create).await.unwrap();
    }
    // A stranger, and a stranger to whom default privileges would have granted everything.
    client
        .batch_execute(
            "CREATE ROLE table_stranger LOGIN; CREATE ROLE table_web LOGIN;
             DROP EXTENSION eventcore;
             ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO table_web; ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO table_web;
             ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO table_web; ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO table_web;
             ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO table_web;
             CREATE EXTENSION eventcore;
             CREATE FUNCTION table_trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        )
        .await
        .unwrap();
    roles.extend(["table_stranger".to_owned(), "table_web".to_owned()]);
    append(&client, &[("t", Some(0))], json!([event("t", 1)]))
        .await
        .unwrap();

    let lines = lines(&client, &roles).await;
    assert!(lines.len() > 100, "{}", lines.len());
    let mut wrong = Vec::new();
    for (number, role) in roles.iter().enumerate() {
        let session = session_as("doors_table", role).await;
        session
            .batch_execute("SET statement_timeout = '2 s'; SET lock_timeout = '2 s'")
            .await
            .unwrap();
        for line in &lines {
            if number >= ROLES.len() && !line.may[number].is_empty() {
                wrong.push(format!("{role} may {} {}", line.may[number], line.name));
            }
            for (statement, allowed) in trials(line, number) {
                let found = try_it(&session, &line.name, &statement, allowed).await;
                wrong.extend(found.map(|found| format!("{role}: {found}")));
            }
        }
    }

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/privileges.md");
    let now = as_markdown(&lines);
    if std::env::var_os("EVENTCORE_WRITE_PRIVILEGES").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let decided = std::fs::read_to_string(&path).unwrap_or_default();
    let differs: Vec<_> = now
        .lines()
        .filter(|line| !decided.lines().any(|other| other == *line))
        .chain(
            decided
                .lines()
                .filter(|line| !now.lines().any(|other| other == *line)),
        )
        .collect();
    assert!(
        differs.is_empty(),
        "docs/privileges.md does not say so: {differs:#?}"
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}
