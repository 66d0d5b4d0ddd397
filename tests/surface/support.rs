//! Shared by the tests: databases, sessions, appends, and parsed errors.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eventcore_harness::{Server, ServerOptions, shared};
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, NoTls, Row};
use uuid::Uuid;

pub(crate) use tokio_postgres::Client;

/// The text of each file of `sql` that the present version installs, whatever the folder.
pub(crate) fn sql_files() -> Vec<String> {
    fn collect(folder: &Path, texts: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("releases") {
                continue;
            }
            if path.is_dir() {
                collect(&path, texts);
            } else if path.extension().is_some_and(|kind| kind == "sql") {
                texts.push(fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut texts = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sql");
    collect(Path::new(folder), &mut texts);
    texts
}

/// The database of the tests that need only streams of their own.
pub(crate) async fn session() -> Client {
    static URL: OnceLock<String> = OnceLock::new();
    connect(URL.get_or_init(|| shared().create_database("surface").unwrap())).await
}

/// A database of the test's own, and a session in it.
pub(crate) async fn database(name: &str) -> (String, Client) {
    let url = shared().create_database(name).unwrap();
    let client = connect(&url).await;
    (url, client)
}

/// A session.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Returns when at least this many sessions of this database wait for a lock.
pub(crate) async fn until_waiting(client: &Client, sessions: i64) {
    // Not pg_stat_activity: within a transaction it always shows the sessions as of the first
    // query. A session that waits for a row waits for a transaction, which belongs to no database.
    let waiting = "SELECT count(DISTINCT w.pid) FROM pg_locks w JOIN pg_locks h USING (pid)
                    WHERE NOT w.granted
                      AND h.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let poll = async {
        while value::<i64>(client, waiting).await < sessions {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), poll)
        .await
        .expect("too few sessions wait for a lock");
}

/// A session as a role, in a database of its own.
pub(crate) async fn session_as(database: &str, role: &str) -> Client {
    let client = connect(&shared().url(database)).await;
    client
        .batch_execute(&format!("SET SESSION AUTHORIZATION {role}"))
        .await
        .unwrap();
    client
}

/// A server for the tests that want a notifier in each of their databases, for which the default
/// number of background workers is too small. It ends with the process.
pub(crate) fn server_with_workers() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let options = ServerOptions::new().set("max_worker_processes", "64");
        Server::start(options).unwrap()
    })
}

/// The major version of a server's PostgreSQL.
pub(crate) fn major(server: &Server) -> u32 {
    let number = "SELECT current_setting('server_version_num')::integer / 10000";
    let number = server.psql("postgres", number).unwrap();
    number.trim().parse().unwrap()
}

/// Whether a server's PostgreSQL is built with the collations of ICU. Builds from PyPI are not.
pub(crate) fn has_icu(server: &Server) -> bool {
    let collations =
        "SELECT count(*) > 0 FROM pg_collation WHERE collprovider = 'i' AND collname LIKE '%-icu'";
    server.psql("postgres", collations).unwrap().trim() == "t"
}

/// How a call failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: String,
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(error) = error.as_db_error() else {
            panic!("not the server's error: {error:?}")
        };
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(ToOwned::to_owned),
            hint: error.hint().unwrap_or_default().to_owned(),
        }
    }
}

impl Failure {
    /// DETAIL, which has to be JSON, `P13`.
    pub(crate) fn json(&self) -> Value {
        let detail = self.detail.as_deref().unwrap_or_default();
        serde_json::from_str(detail).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// An error of eventcore is complete: a code, a message, a JSON object and a hint, `P13`.
    #[track_caller]
    pub(crate) fn assert_ours(&self, code: &str) -> Value {
        assert_eq!(self.code, code, "{self:?}");
        assert!(
            !self.message.is_empty() && !self.hint.is_empty(),
            "{self:?}"
        );
        let detail = self.json();
        assert!(detail.is_object(), "{self:?}");
        detail
    }
}

/// The failure of a statement; the test fails if the statement succeeds.
#[track_caller]
pub(crate) fn failure<T: std::fmt::Debug>(result: Result<T, tokio_postgres::Error>) -> Failure {
    result.expect_err("it works where it should fail").into()
}

/// The two ways of calling `eventcore_append`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Arrays,
    Compact,
}

pub(crate) const FORMS: [Form; 3] = [Form::Json, Form::Arrays, Form::Compact];

/// What an append returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Appended {
    pub(crate) positions: Option<(i64, i64)>,
    pub(crate) versions: Vec<i64>,
    pub(crate) recorded_at: SystemTime,
    pub(crate) repeated: bool,
}

impl From<Row> for Appended {
    fn from(row: Row) -> Self {
        let first: Option<i64> = row.get("first_position");
        let last: Option<i64> = row.get("last_position");
        assert_eq!(first.is_some(), last.is_some());
        Self {
            positions: first.zip(last),
            versions: row.get("versions"),
            recorded_at: row.get("recorded_at"),
            repeated: row.get("repeated"),
        }
    }
}

impl Appended {
    /// From the list that the compact form returns.
    pub(crate) fn of_compact(values: &[Option<i64>]) -> Self {
        let [
            first,
            last,
            Some(recorded_at),
            Some(repeated),
            versions @ ..,
        ] = values
        else {
            panic!("{values:?}");
        };
        assert_eq!(first.is_some(), last.is_some());
        assert!([0, 1].contains(repeated));
        Self {
            positions: first.zip(*last),
            versions: versions.iter().map(|version| version.unwrap()).collect(),
            recorded_at: UNIX_EPOCH + Duration::from_micros(recorded_at.unsigned_abs()),
            repeated: *repeated == 1,
        }
    }
}

/// `("stream", expected)` of an append.
pub(crate) type Declared<'a> = (&'a str, Option<i64>);

/// An append, in the JSON form.
pub(crate) async fn append(
    client: &impl GenericClient,
    declared: &[Declared<'_>],
    events: Value,
) -> Result<Appended, Failure> {
    append_as(Form::Json, client, declared, events).await
}

/// An append in one of the forms; `events` as in the JSON form.
pub(crate) async fn append_as(
    form: Form,
    client: &impl GenericClient,
    declared: &[Declared<'_>],
    events: Value,
) -> Result<Appended, Failure> {
    let (streams, expected): (Vec<&str>, Vec<Option<i64>>) = declared.iter().copied().unzip();
    let row = match form {
        Form::Json => {
            let arguments: [&(dyn ToSql + Sync); 3] = [&streams, &expected, &events];
            client
                .query_one(
                    "SELECT * FROM eventcore_append($1, $2, $3::jsonb)",
                    &arguments,
                )
                .await?
        }
        Form::Arrays => {
            let columns = Columns::of(&events);
            client
                .query_one(
                    "SELECT * FROM eventcore_append($1, $2, $3, $4, $5, $6, $7)",
                    &[
                        &streams,
                        &expected,
                        &columns.streams,
                        &columns.types,
                        &columns.payloads,
                        &columns.metadata,
                        &columns.ids,
                    ],
                )
                .await?
        }
        Form::Compact => {
            let columns = Columns::of(&events);
            let text = |document: &Value| document.to_string();
            let payloads: Vec<_> = columns.payloads.iter().map(text).collect();
            let metadata: Vec<_> = columns
                .metadata
                .iter()
                .map(|metadata| metadata.as_ref().map(text))
                .collect();
            let row = client
                .query_one(
                    "SELECT eventcore_append_compact($1, $2, $3, $4, $5, $6, $7)",
                    &[
                        &streams,
                        &expected,
                        &columns.streams,
                        &columns.types,
                        &payloads,
                        &metadata,
                        &columns.ids,
                    ],
                )
                .await?;
            return Ok(Appended::of_compact(&row.get::<_, Vec<_>>(0)));
        }
    };
    Ok(row.into())
}

/// The arguments of the forms with arrays.
struct Columns {
    streams: Vec<String>,
    types: Vec<String>,
    payloads: Vec<Value>,
    metadata: Vec<Option<Value>>,
    ids: Vec<Option<Uuid>>,
}

impl Columns {
    fn of(events: &Value) -> Self {
        let events = events.as_array().unwrap();
        let text = |key: &str| {
            events
                .iter()
                .map(|e| e[key].as_str().unwrap().into())
                .collect()
        };
        Self {
            streams: text("stream"),
            types: text("type"),
            payloads: events
                .iter()
                .map(|event| event["payload"].clone())
                .collect(),
            metadata: events
                .iter()
                .map(|event| {
                    event
                        .get("metadata")
                        .filter(|value| !value.is_null())
                        .cloned()
                })
                .collect(),
            ids: events
                .iter()
                .map(|event| {
                    event
                        .get("id")
                        .map(|id| id.as_str().unwrap().parse().unwrap())
                })
                .collect(),
        }
    }
}

/// An error of the client with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut source) = (error.to_string(), error.source());
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// An event as the server returns it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) position: i64,
    pub(crate) stream: String,
    pub(crate) version: i64,
    pub(crate) id: Uuid,
    pub(crate) event_type: String,
    pub(crate) payload: Value,
    pub(crate) metadata: Option<Value>,
    pub(crate) correlation_id: Option<Uuid>,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) recorded_at: SystemTime,
}

/// Runs a read and parses its rows.
pub(crate) async fn read(
    client: &impl GenericClient,
    sql: &str,
    arguments: &[&(dyn ToSql + Sync)],
) -> Vec<Stored> {
    let rows = client.query(sql, arguments).await.unwrap();
    rows.iter()
        .map(|row| Stored {
            position: row.get("position"),
            stream: row.get("stream_id"),
            version: row.get("version"),
            id: row.get("event_id"),
            event_type: row.get("event_type"),
            payload: row.get("payload"),
            metadata: row.get("metadata"),
            correlation_id: row.get("correlation_id"),
            causation_id: row.get("causation_id"),
            recorded_at: row.get("recorded_at"),
        })
        .collect()
}

/// All events of a stream.
pub(crate) async fn stream(client: &impl GenericClient, stream: &str) -> Vec<Stored> {
    read(
        client,
        "SELECT * FROM eventcore_read_stream($1)",
        &[&stream],
    )
    .await
}

/// The one value of the one row.
pub(crate) async fn value<T>(client: &impl GenericClient, sql: &str) -> T
where
    T: for<'a> tokio_postgres::types::FromSql<'a>,
{
    client
        .query_one(sql, &[])
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .get(0)
}

/// A plain event of a stream.
pub(crate) fn event(stream: &str, number: i64) -> Value {
    serde_json::json!({"stream": stream, "type": "Counted", "payload": {"n": number}})
}

/// A plain event with an id.
pub(crate) fn event_with_id(stream: &str, number: i64, id: Uuid) -> Value {
    serde_json::json!({
        "stream": stream, "type": "Counted", "payload": {"n": number}, "id": id.to_string(),
    })
}
