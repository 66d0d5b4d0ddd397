//! A call of every function of the extension with sensible arguments, built from the catalog.

use eventcore_harness::shared;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::database;

/// What the calls find: a stream, a subscription with a lease and a parked event, a projection with
/// a parked event, a command, a snapshot.
const FIXTURE: &str = r#"
    CREATE TABLE proj_table (n integer);
    CREATE FUNCTION proj_handler(event eventcore.events) RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
    CREATE FUNCTION proj_reset() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
    CREATE FUNCTION cmd_apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT state';
    CREATE FUNCTION cmd_handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb '[]' $$;
    SELECT eventcore_append('{s-1,s-2}', '{NULL,NULL}',
        '[{"stream":"s-1","type":"Counted","payload":1},{"stream":"s-2","type":"Counted","payload":2}]');
    SELECT eventcore_create_subscription('sub', on_parked => 'stop', lease => '1 hour');
    SELECT eventcore_nack('sub', lease_id, action => 'park', reason => 'no')
      FROM eventcore_poll('sub', 'c', 1);
    SELECT FROM eventcore_poll('sub', 'c', 1);
    SELECT eventcore_create_projection('proj', 'proj_handler', tables => '{proj_table}');
    SELECT eventcore_pause_projection('proj');
    INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason)
    SELECT 'proj', min(position), 1, 'P0001', 'no' FROM eventcore.events;
    SELECT eventcore_register_command('cmd', 'cmd_apply', 'cmd_handle', streams => '{/a}');
    SELECT eventcore_save_snapshot('snap', '{s-1}', '{1}', '1');
    SELECT eventcore_advance_checkpoint('proj', 0, 1);
"#;

/// A database in which the calls find something.
pub(crate) async fn database_for_calls(name: &str) -> Client {
    let (_, client) = database(name).await;
    fill(name);
    client
}

/// Each statement is a transaction of its own, because a poll gets only committed events.
pub(crate) fn fill(database: &str) {
    shared().psql(database, FIXTURE).unwrap();
}

/// An argument that a call passes.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    /// Its type, as `format_type` writes it.
    pub(crate) of: String,
    /// SQL of its value.
    pub(crate) value: String,
}

impl Argument {
    /// Whether it is a text, or a list of texts.
    pub(crate) fn is_text(&self) -> bool {
        self.of == "text" || self.of == "text[]"
    }
}

/// A call of one function.
#[derive(Debug, Clone)]
pub(crate) struct FunctionCall {
    pub(crate) function: String,
    /// The type of its result.
    pub(crate) returns: String,
    pub(crate) arguments: Vec<Argument>,
}

impl FunctionCall {
    /// A query that calls it; `value` gives the SQL of each argument, `from` the source of those
    /// values.
    pub(crate) fn sql(&self, from: &str, value: impl Fn(usize, &Argument) -> String) -> String {
        let arguments: Vec<String> = self
            .arguments
            .iter()
            .enumerate()
            .map(|(n, argument)| value(n, argument))
            .collect();
        format!(
            "SELECT to_json({}({})){from}",
            self.function,
            arguments.join(", ")
        )
    }
}

/// A call of every function of the extension but triggers and procedures, with a value for each argument.
pub(crate) async fn every_function(client: &Client) -> Vec<FunctionCall> {
    let functions = "
        SELECT format('%I.%I', p.pronamespace::regnamespace, p.proname),
               ARRAY(SELECT coalesce(p.proargnames[i], '') FROM generate_series(1, p.pronargs) i),
               ARRAY(SELECT format_type(p.proargtypes[i - 1], NULL) FROM generate_series(1, p.pronargs) i),
               format_type(p.prorettype, NULL)
          FROM pg_proc p
          JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
          JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'eventcore'
         WHERE p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype
         ORDER BY p.oid";
    let rows = client.query(functions, &[]).await.unwrap();
    rows.iter()
        .map(|row| {
            let function: String = row.get(0);
            let names: Vec<String> = row.get(1);
            let types: Vec<String> = row.get(2);
            let arguments = names
                .into_iter()
                .zip(types)
                .map(|(name, of)| Argument {
                    value: value(&function, &name, &of),
                    of,
                })
                .collect();
            FunctionCall {
                function,
                returns: row.get(3),
                arguments,
            }
        })
        .collect()
}

/// A value for which the function has something to do.
fn value(function: &str, argument: &str, of: &str) -> String {
    let literal = match (argument, of) {
        (_, "eventcore.subscriptions") => {
            return "(SELECT s FROM eventcore.subscriptions s WHERE s.name = 'sub')".to_owned();
        }
        (_, "eventcore.projections") => {
            return "(SELECT p FROM eventcore.projections p WHERE p.name = 'proj')".to_owned();
        }
        (_, "regrole") => return "current_user::regrole".to_owned(),
        ("lease_id", _) => {
            return "(SELECT d.lease_id FROM eventcore.deliveries d WHERE d.lease_id IS NOT NULL LIMIT 1)"
                .to_owned();
        }
        ("expected_versions", _) => return "ARRAY[NULL]::bigint[]".to_owned(),
        ("until" | "now" | "at", _) => return "now()".to_owned(),
        ("streams", "text[]") if function.contains("register_command") => "{/a}",
        ("name" | "wanted" | "command", "text") => named(function),
        ("subscription" | "wanted_subscription", "text") => "sub",
        ("projection", "text") => "proj",
        ("stream", "text") => "s-1",
        ("prefix" | "after", "text") => "s-",
        ("streams" | "event_streams" | "blocked", "text[]") => "{s-1}",
        ("stream_prefixes", "text[]") => "{s-}",
        ("event_types", "text[]") => "{Counted}",
        ("tables", "text[]") => "{public.proj_table}",
        ("pointers", "text[]") => "{/a,/b}",
        ("names", "text[]") => "{a,b}",
        ("checked_streams", _) => "{/b}",
        ("start_from", _) => "now",
        ("on_parked", _) => "stop",
        ("on_error", _) => "park",
        ("action", _) => "park",
        ("mode", _) => "async",
        ("owner", "text") => "postgres",
        ("error_code", _) => "P0001",
        ("handler", _) => "public.proj_handler",
        ("reset", _) => "public.proj_reset",
        ("apply", _) => "public.cmd_apply",
        ("handle", _) => "public.cmd_handle",
        ("payloads", _) => "{1}",
        ("metadata", "text") => "{}",
        ("versions", _) => "{1}",
        ("events", _) => r#"[{"stream":"s-1","type":"Counted","payload":1}]"#,
        ("input", _) => r#"{"a":"s-1"}"#,
        ("initial_state", _) => "{}",
        ("from_position", _) => "1",
        ("replace", _) => "true",
        ("settings", _) => r#"{"search_path=pg_catalog, pg_temp"}"#,
        (_, "text") => "because",
        (_, "boolean") => "false",
        ("wait", _) => "1 ms",
        (_, "interval") => "1 s",
        (_, "bigint" | "integer") => "1",
        _ => return format!("NULL::{of}"),
    };
    format!("'{}'::{of}", literal.replace('\'', "''"))
}

/// What the function finds by its name.
fn named(function: &str) -> &'static str {
    if function.contains("snapshot") {
        "snap"
    } else if function.contains("command") || function.contains("execute") {
        "cmd"
    } else if function.contains("subscription") || function.contains("lock_to_change") {
        "sub"
    } else {
        "proj"
    }
}

/// The result of a call in a transaction that is rolled back: its rows, or its error. It leaves out
/// numbers and ids, which differ from call to call.
pub(crate) async fn outcome(client: &Client, sql: &str) -> String {
    let outcome = match client.simple_query(&format!("BEGIN; {sql}")).await {
        Ok(messages) => {
            let rows = messages.iter().filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL")),
                _ => None,
            });
            format!("{:?}", rows.map(without_ids).collect::<Vec<_>>())
        }
        Err(error) => {
            let error = error
                .as_db_error()
                .unwrap_or_else(|| panic!("{sql}: {error}"));
            format!("{}: {}", error.code().code(), without_ids(error.message()))
        }
    };
    client.batch_execute("ROLLBACK").await.unwrap();
    outcome
}

fn without_ids(text: &str) -> String {
    let parts = text.split('"').map(|part| {
        if part.parse::<Uuid>().is_ok() {
            "id".to_owned()
        } else {
            part.replace(|c: char| c.is_ascii_digit(), "")
        }
    });
    parts.collect::<Vec<_>>().join("\"")
}
