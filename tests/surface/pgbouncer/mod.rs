//! Behind PgBouncer in transaction mode: many clients share fewer sessions, and two transactions of
//! a client may run in different sessions. So eventcore keeps nothing in a session, and waiters are
//! still woken, `P11`.

mod waiting;

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use eventcore_harness::PgBouncer;
use serde_json::{Value, json};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, SimpleQueryMessage};
use uuid::Uuid;

use crate::support::{Client, Failure, connect, event, failure, server_with_workers};

const PATIENCE: Duration = Duration::from_secs(30);

/// A database behind a pooler, and a session in it past the pooler.
struct Pooled {
    pooler: PgBouncer,
    url: String,
    direct: Client,
}

async fn pooled(database: &str, connections: u32) -> Pooled {
    let server = server_with_workers();
    let direct = connect(&server.create_database(database).unwrap()).await;
    let pooler = server.pgbouncer(connections).unwrap();
    Pooled {
        url: pooler.url(database),
        pooler,
        direct,
    }
}

impl Pooled {
    async fn client(&self) -> Client {
        connect(&self.url).await
    }
}

fn rows(messages: &[SimpleQueryMessage]) -> impl Iterator<Item = &tokio_postgres::SimpleQueryRow> {
    messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}

/// Runs a statement without a name: behind this pooler, a named one would be in another session.
async fn query(
    client: &Client,
    sql: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, Error> {
    in_time(sql, client.query_typed(sql, parameters)).await
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| panic!("hangs: {what}"))
}

/// An append of one event; the process that served it, and its position.
async fn append(
    client: &Client,
    stream: &str,
    expected: Option<i64>,
    event: Value,
) -> Result<(i32, i64), Error> {
    let rows = query(
        client,
        "SELECT pg_backend_pid(), last_position FROM eventcore_append($1, $2, $3)",
        &[
            (&vec![stream], Type::TEXT_ARRAY),
            (&vec![expected], Type::INT8_ARRAY),
            (&json!([event]), Type::JSONB),
        ],
    )
    .await?;
    Ok((rows[0].get(0), rows[0].get(1)))
}

/// One event of the stream `s`; its position.
async fn write(client: &Client) -> i64 {
    append(client, "s", None, event("s", 1)).await.unwrap().1
}

const POLL: &str = "SELECT pg_backend_pid() AS pid, lease_id, position
                      FROM eventcore_poll('all', 'me', 10, wait => $1::text::interval)";

async fn poll(client: &Client, wait: &str) -> Vec<Row> {
    query(client, POLL, &[(&wait, Type::TEXT)]).await.unwrap()
}

async fn subscribe(client: &Client) {
    let sql = "SELECT eventcore_create_subscription('all')";
    query(client, sql, &[]).await.unwrap();
}

#[tokio::test]
async fn clients_append_and_read_over_fewer_connections_than_they_are() {
    let pooled = pooled("pgbouncer_append", 3).await;
    let mut tasks = Vec::new();
    for number in 0..12 {
        let client = pooled.client().await;
        tasks.push(tokio::spawn(async move {
            let stream = format!("s{number}");
            let mut pids = HashSet::new();
            for version in 0..20 {
                let event = event(&stream, version);
                let done = append(&client, &stream, Some(version), event).await;
                pids.insert(done.unwrap().0);
            }
            let sql = "SELECT version, payload FROM eventcore_read_stream($1)";
            let read = query(&client, sql, &[(&stream, Type::TEXT)]).await.unwrap();
            let read: Vec<(i64, Value)> = read.iter().map(|row| (row.get(0), row.get(1))).collect();
            let written: Vec<_> = (0..20).map(|n| (n + 1, json!({"n": n}))).collect();
            assert_eq!(read, written);
            pids
        }));
    }
    let mut pids = HashSet::new();
    for task in tasks {
        pids.extend(task.await.unwrap());
    }
    assert!((2..=3).contains(&pids.len()), "served by {pids:?}");
    let sql = "SELECT count(*) FROM eventcore_read_all(0, NULL)";
    let all = query(&pooled.client().await, sql, &[]).await.unwrap();
    assert_eq!(all[0].get::<_, i64>(0), 12 * 20);
}

#[tokio::test]
async fn errors_are_the_same_as_without_a_pooler() {
    let pooled = pooled("pgbouncer_errors", 1).await;
    let client = pooled.client().await;
    write(&client).await;
    let conflict =
        async |client: &Client| failure(append(client, "s", Some(7), event("s", 1)).await);
    let malformed = async |client: &Client| failure(append(client, "s", None, json!({})).await);
    let unknown =
        async |client: &Client| failure(client.query_typed(POLL, &[(&"0", Type::TEXT)]).await);
    let same = |through: Failure, direct: Failure, code| {
        let detail = through.assert_ours(code);
        assert_eq!(format!("{through:?}"), format!("{direct:?}"));
        detail
    };
    let detail = same(
        conflict(&client).await,
        conflict(&pooled.direct).await,
        "SE001",
    );
    assert_eq!(
        detail,
        json!({"conflicts": [{"stream": "s", "expected": 7, "actual": 1}]})
    );
    same(
        malformed(&client).await,
        malformed(&pooled.direct).await,
        "SE003",
    );
    same(
        unknown(&client).await,
        unknown(&pooled.direct).await,
        "SE007",
    );
    write(&client).await;
}

/// Keeps one of the server's two connections busy, so that everything else runs on the other one.
async fn keep_busy(pooled: &Pooled, pid: i32) -> Client {
    let mut others = Vec::new();
    loop {
        let client = pooled.client().await;
        client.batch_execute("BEGIN").await.unwrap();
        let own = query(&client, "SELECT pg_backend_pid()", &[])
            .await
            .unwrap();
        if own[0].get::<_, i32>(0) == pid {
            return client;
        }
        others.push(client);
        assert!(others.len() < 2, "the connection of {pid} is gone");
    }
}

#[tokio::test]
async fn a_lease_belongs_to_no_session() {
    let pooled = pooled("pgbouncer_lease", 2).await;
    let client = pooled.client().await;
    subscribe(&client).await;
    for (n, sql) in [
        "SELECT pg_backend_pid(), eventcore_ack('all', $1)",
        "SELECT pg_backend_pid(), eventcore_extend_lease('all', $1)",
        "SELECT pg_backend_pid(), outcome FROM eventcore_nack('all', $1, action => 'skip')",
        "SELECT pg_backend_pid(), outcome FROM eventcore_nack('all', $1, action => 'park')",
    ]
    .into_iter()
    .enumerate()
    {
        let stream = format!("s{n}");
        append(&client, &stream, None, event(&stream, 1))
            .await
            .unwrap();
        let polled = poll(&client, "5 s").await;
        let (pid, lease): (i32, Uuid) = (polled[0].get("pid"), polled[0].get("lease_id"));
        let _busy = keep_busy(&pooled, pid).await;
        let done = query(&client, sql, &[(&lease, Type::UUID)]).await.unwrap();
        assert_eq!(done.len(), 1);
        assert_ne!(done[0].get::<_, i32>(0), pid, "{sql}");
    }
}
