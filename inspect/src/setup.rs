//! Setting up a database: what the server lacks, and the statements that bring in what the database
//! lacks. A database that lacks nothing gets no statement.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::row::{FromRow, from_row};
use crate::session::Session;
use crate::text::safe;

/// The oldest PostgreSQL that is supported, as `server_version_num`.
const OLDEST: i32 = 150_000;

/// The roles of an application that reads, appends and subscribes.
const OF_APPLICATION: [&str; 3] = [
    "eventcore_reader",
    "eventcore_writer",
    "eventcore_subscriber",
];

/// The role that sees figures and no events.
const OF_MONITOR: [&str; 1] = ["eventcore_monitor"];

/// What a database should have.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The schema of the functions; `None`: the first of `search_path` that exists.
    pub schema: Option<String>,
    /// Login roles of applications.
    pub applications: Vec<String>,
    /// Login roles that monitor.
    pub monitors: Vec<String>,
}

/// A statement, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Statement {
    /// What it is for.
    pub purpose: String,
    /// The statement, without a semicolon.
    pub sql: String,
}

/// What no statement in this database can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Obstacle {
    /// What is missing.
    pub message: String,
    /// What to do: statements and commands, in this order.
    pub steps: Vec<String>,
}

/// What is there, and what has to be done.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct Plan {
    /// The version of PostgreSQL.
    pub server_version: String,
    /// The database.
    pub database: String,
    /// Whether the server has loaded the library.
    pub is_preloaded: bool,
    /// The version of the extension's objects; `None`: the database has none.
    pub extension_version: Option<String>,
    /// What has to be done before the statements can be run.
    pub obstacles: Vec<Obstacle>,
    /// The statements to run.
    pub statements: Vec<Statement>,
}

from_row! {
    /// What the server and the database are.
    #[derive(Debug)]
    struct Found {
        server_version: String,
        server_version_num: i32,
        cluster_name: String,
        is_standby: bool,
        encoding: String,
        database: String,
        role: String,
        is_superuser: bool,
        /// `None`: the role may not see them.
        libraries: Option<String>,
        is_preloaded: bool,
        available: Option<String>,
        installed: Option<String>,
        public_schema: Option<String>,
    }
}

/// The library defines its settings when the server starts, and in no other session.
const FOUND: &str = "\
SELECT split_part(current_setting('server_version'), ' ', 1) AS server_version,
       current_setting('server_version_num')::integer AS server_version_num,
       current_setting('cluster_name') AS cluster_name,
       pg_is_in_recovery() AS is_standby,
       getdatabaseencoding()::text AS encoding,
       current_database()::text AS database,
       current_user::text AS role,
       (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) AS is_superuser,
       (SELECT s.setting FROM pg_settings s WHERE s.name = 'shared_preload_libraries') AS libraries,
       EXISTS (SELECT FROM pg_settings s WHERE s.name = 'eventcore.max_databases') AS is_preloaded,
       (SELECT a.default_version FROM pg_available_extensions a WHERE a.name = 'eventcore') AS available,
       e.extversion AS installed,
       (SELECT n.nspname::text FROM pg_namespace n WHERE n.oid = e.extnamespace) AS public_schema
  FROM (SELECT) one LEFT JOIN pg_extension e ON e.extname = 'eventcore'";

const IN_FILES: &str = "\
SELECT f.setting FROM pg_file_settings f WHERE f.name = 'shared_preload_libraries'
 ORDER BY f.seqno DESC LIMIT 1";

const ROLE: &str = "\
SELECT quote_ident($1), EXISTS (SELECT FROM pg_roles r WHERE r.rolname = $1),
       (SELECT coalesce(string_agg(w.role, ', ' ORDER BY w.number), '') FROM unnest($2::text[]) WITH ORDINALITY w (role, number)
         WHERE NOT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
                            WHERE g.rolname = w.role AND u.rolname = $1))";

const SCHEMA: &str = "\
SELECT quote_ident($1), n.oid IS NOT NULL,
       coalesce((SELECT bool_and(has_schema_privilege(r.oid, n.oid, 'USAGE')) FROM pg_roles r WHERE r.rolname = 'eventcore_reader'), false)
  FROM (SELECT) one LEFT JOIN pg_namespace n ON n.nspname = $1";

/// Looks at the server and the database. Changes nothing.
///
/// # Errors
///
/// The connection is lost.
pub async fn plan(session: &Session, wanted: &Wanted) -> Result<Plan, Error> {
    let client = session.client();
    let found = Found::from_row(&client.query_one(FOUND, &[]).await?)?;
    let mut statements = Vec::new();
    extension(session, &found, wanted, &mut statements).await?;
    for (role, of) in login_roles(wanted) {
        login_role(session, role, &of, &mut statements).await?;
    }
    Ok(Plan {
        obstacles: obstacles(session, &found, !statements.is_empty()).await?,
        server_version: found.server_version,
        database: found.database,
        is_preloaded: found.is_preloaded,
        extension_version: found.installed,
        statements,
    })
}

/// Runs a statement of a plan.
///
/// # Errors
///
/// The statement fails, for example because the role may not (42501).
pub async fn run(session: &Session, statement: &Statement) -> Result<(), Error> {
    // Its names are quoted.
    session.run_batch(&statement.sql).await
}

async fn extension(
    session: &Session,
    found: &Found,
    wanted: &Wanted,
    statements: &mut Vec<Statement>,
) -> Result<(), Error> {
    let mut push = |purpose: &str, sql: String| {
        statements.push(Statement {
            purpose: purpose.to_owned(),
            sql,
        });
    };
    let schema = found.public_schema.as_ref().or(wanted.schema.as_ref());
    let mut schema_name = None;
    let mut is_usable = true;
    if let Some(schema) = schema {
        let row = session.client().query_one(SCHEMA, &[schema]).await?;
        let (name, exists): (String, bool) = (written(schema, row.try_get(0)?), row.try_get(1)?);
        is_usable = schema == "public" || (found.installed.is_some() && row.try_get(2)?);
        if !exists {
            push(
                "the schema of the functions",
                format!("CREATE SCHEMA {name}"),
            );
        }
        schema_name = Some(name);
    }
    match (&found.installed, &found.available) {
        (None, _) => push(
            "the extension",
            match &schema_name {
                Some(name) => format!("CREATE EXTENSION eventcore SCHEMA {name}"),
                None => "CREATE EXTENSION eventcore".to_owned(),
            },
        ),
        (Some(installed), Some(available)) if installed != available => push(
            "the objects of this version of the extension",
            "ALTER EXTENSION eventcore UPDATE".to_owned(),
        ),
        _ => {}
    }
    if let Some(name) = schema_name
        && !is_usable
    {
        push(
            "the way of the extension's roles into its schema",
            format!(
                "GRANT USAGE ON SCHEMA {name} TO eventcore_reader, eventcore_writer, eventcore_subscriber, \
                 eventcore_executor, eventcore_projector, eventcore_monitor"
            ),
        );
    }
    Ok(())
}

/// Each role once, with all that it becomes a member of.
fn login_roles(wanted: &Wanted) -> Vec<(&str, Vec<&'static str>)> {
    let applications = wanted
        .applications
        .iter()
        .map(|role| (role, &OF_APPLICATION[..]));
    let monitors = wanted.monitors.iter().map(|role| (role, &OF_MONITOR[..]));
    let mut roles: Vec<(&str, Vec<&'static str>)> = Vec::new();
    for (role, of) in applications.chain(monitors) {
        match roles.iter_mut().find(|(known, _)| known == role) {
            Some((_, all)) => all.extend(of),
            None => roles.push((role, of.to_vec())),
        }
    }
    roles
}

async fn login_role(
    session: &Session,
    role: &str,
    of: &[&str],
    statements: &mut Vec<Statement>,
) -> Result<(), Error> {
    let row = session.client().query_one(ROLE, &[&role, &of]).await?;
    let (exists, missing): (bool, String) = (row.try_get(1)?, row.try_get(2)?);
    let name = written(role, row.try_get(0)?);
    if !exists {
        statements.push(Statement {
            purpose: format!("the role {role}, which has no password yet"),
            sql: format!("CREATE ROLE {name} LOGIN"),
        });
    }
    if !missing.is_empty() {
        statements.push(Statement {
            purpose: format!("what {role} may do"),
            sql: format!("GRANT {missing} TO {name}"),
        });
    }
    Ok(())
}

/// A name in a statement that can be shown and copied: what is not seen, or what a terminal would obey,
/// is written as an escape of SQL.
fn written(name: &str, quoted: String) -> String {
    if safe(&quoted) == quoted {
        return quoted;
    }
    let mut written = String::from("U&\"");
    for letter in name.chars() {
        let mut bytes = [0; 4];
        match letter {
            '"' => written.push_str("\"\""),
            '\\' => written.push_str("\\\\"),
            _ if safe(letter.encode_utf8(&mut bytes)).starts_with('\\') => {
                written.push_str(&format!("\\+{:06x}", u32::from(letter)));
            }
            _ => written.push(letter),
        }
    }
    written.push('"');
    written
}

async fn obstacles(
    session: &Session,
    found: &Found,
    has_statements: bool,
) -> Result<Vec<Obstacle>, Error> {
    let mut obstacles = Vec::new();
    let mut add = |message: String, steps: &[String]| {
        obstacles.push(Obstacle {
            message,
            steps: steps.to_vec(),
        });
    };
    let major = found.server_version_num / 10_000;
    if found.server_version_num < OLDEST {
        let message = format!(
            "the server is PostgreSQL {}; eventcore needs 15 or later",
            found.server_version
        );
        add(message, &[]);
        return Ok(obstacles);
    }
    if found.is_standby {
        let message = "the server is a standby, which takes over what its primary has";
        add(
            message.to_owned(),
            &["eventcore setup -h PRIMARY".to_owned()],
        );
        return Ok(obstacles);
    }
    if found.encoding != "UTF8" {
        let message = format!("the database is encoded in {}, not in UTF8", found.encoding);
        let create = "CREATE DATABASE events TEMPLATE template0 ENCODING 'UTF8'";
        add(message, &[create.to_owned()]);
    }
    if found.available.is_none() {
        let message = format!("the server has no files of eventcore for PostgreSQL {major}");
        add(
            message,
            &[format!("apt install postgresql-{major}-eventcore")],
        );
    }
    if !found.is_preloaded {
        let (message, steps) = preload(session, found, major).await?;
        add(message, &steps);
    }
    if has_statements && !found.is_superuser && found.installed.is_none() {
        let message = format!("the role {} is no superuser", found.role);
        add(message, &["eventcore setup -U postgres".to_owned()]);
    }
    Ok(obstacles)
}

/// What loads the library.
async fn preload(
    session: &Session,
    found: &Found,
    major: i32,
) -> Result<(String, Vec<String>), Error> {
    // Who may not see the files sets what is set now.
    let in_files: Option<String> = match found.is_superuser {
        true => {
            let row = session.client().query_opt(IN_FILES, &[]).await?;
            row.map(|row| row.try_get(0)).transpose()?
        }
        false => None,
    };
    let Some(listed) = in_files.as_deref().or(found.libraries.as_deref()) else {
        // The statement would drop the libraries that this role does not see.
        let message = format!(
            "the server does not load the library eventcore, and the role {} may not see which it loads",
            found.role
        );
        return Ok((message, vec!["eventcore setup -U postgres".to_owned()]));
    };
    let names: Vec<&str> = listed
        .split(',')
        .map(|name| name.trim().trim_matches('"'))
        .filter(|name| !name.is_empty())
        .collect();
    let restart = match found.cluster_name.split_once('/') {
        // Debian names its clusters so.
        Some((version, cluster)) if version == major.to_string() => {
            format!("pg_ctlcluster {version} {cluster} restart")
        }
        _ => "pg_ctl restart".to_owned(),
    };
    if names.contains(&"eventcore") {
        let message =
            "the server has not loaded the library yet, which is listed in its configuration";
        return Ok((message.to_owned(), vec![restart]));
    }
    let names: Vec<String> = names
        .iter()
        .copied()
        .chain(["eventcore"])
        .map(|name| format!("'{}'", name.replace('\'', "''")))
        .collect();
    let set = format!(
        "ALTER SYSTEM SET shared_preload_libraries = {}",
        names.join(", ")
    );
    let message = "the server does not load the library eventcore";
    Ok((message.to_owned(), vec![set, restart]))
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn a_name_that_cannot_be_shown_is_written_with_escapes_of_sql() {
        assert_eq!(written("a b", "\"a b\"".to_owned()), "\"a b\"");
        let name = "a\\\"\u{1b}\n\u{202e}é\u{e0001}";
        let shown = written(name, format!("\"{}\"", name.replace('"', "\"\"")));
        assert_eq!(shown, r#"U&"a\\""\+00001b\+00000a\+00202eé\+0e0001""#);
    }
}
