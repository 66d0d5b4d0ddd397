//! P14 and P15: after a fail-over, another server continues.

mod confirmed;
mod early_workers;
mod histories;
mod known_position;
mod lags;
mod own_projections;
mod recovery;
mod restored;
mod standby_wakes;

use eventcore_harness::{Server, ServerOptions};
use serde_json::{Value, json};
use tokio_postgres::{Error, GenericClient};
use uuid::Uuid;

use crate::support::*;

/// What `pg_rewind` needs in addition.
fn options() -> ServerOptions {
    crate::support::options()
        .set("wal_log_hints", "on")
        .set("wal_keep_size", "256MB")
}

/// A primary with a database and this many events in it.
async fn primary(events: i64) -> (Server, Session) {
    let primary = Server::start(options()).unwrap();
    let url = primary.create_database("store").unwrap();
    let session = connect(&url).await;
    append_many(&session, "s", events).await;
    (primary, session)
}

/// Appends events to a stream in one append.
async fn append_many(session: &Session, stream: &str, count: i64) -> Done {
    let mut append = Append::new().check(stream, None);
    for _ in 0..count {
        append = append.event(stream);
    }
    append.send(&**session).await.unwrap()
}

/// The DETAIL of an error for a reader that comes from another history.
fn diverged<T: std::fmt::Debug>(result: Result<T, Error>) -> Value {
    let error = result.expect_err("it comes from another history");
    assert_eq!(sqlstate(&error), "SE011", "{error:?}");
    let raised = error.as_db_error().unwrap();
    assert!(raised.hint().is_some(), "{raised:?}");
    serde_json::from_str(raised.detail().unwrap()).unwrap()
}

/// A read that names the last event that was read.
async fn read_after(
    session: &impl GenericClient,
    after: i64,
    event: Uuid,
) -> Result<Vec<Seen>, Error> {
    let query = format!(
        "SELECT position, stream_id, version, event_id FROM eventcore_read_all({after}, after_event => '{event}')"
    );
    let rows = session.query_typed(&query, &[]).await?;
    Ok(rows.into_iter().map(Seen::from).collect())
}

async fn number(session: &impl GenericClient, query: &str) -> i64 {
    session.query_typed_one(query, &[]).await.unwrap().get(0)
}

/// The positions of the events that a poll gets and acknowledges.
async fn poll(session: &Session, subscription: &str) -> Vec<i64> {
    let query = format!(
        "WITH polled AS MATERIALIZED (
             SELECT lease_id, array_agg(position ORDER BY position) AS positions
               FROM eventcore_poll('{subscription}', 'c', 10000) GROUP BY lease_id
         ), done AS MATERIALIZED (
             SELECT eventcore_ack('{subscription}', lease_id) FROM polled)
         SELECT positions, (SELECT count(*) FROM done) FROM polled"
    );
    let rows = session.query_typed(&query, &[]).await.unwrap();
    rows.iter()
        .flat_map(|row| row.get::<_, Vec<i64>>(0))
        .collect()
}

/// The rows of `eventcore.history`, from the first history on.
async fn histories(session: &impl GenericClient) -> Vec<(String, i64, i64, i64)> {
    let query = "SELECT cause, agreed_position, reserved_position, first_position
                   FROM eventcore.history ORDER BY first_position";
    let rows = session.query_typed(query, &[]).await.unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect()
}

const SPAN: i64 = 1 << 32;

/// The DETAIL of SE011.
fn detail(after: i64, agreed: i64, first: i64) -> Value {
    json!({"after": after, "agreed": agreed, "first": first})
}
