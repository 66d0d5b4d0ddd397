//! [`Facts`]: what is left after the kills. The events, the read models, the partners' ledger, and
//! what the callers were told.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tokio_postgres::{Client, NoTls};

use super::customers::Placed;
use super::others::Sent;

/// Everything that a check looks at.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) events: Vec<Event>,
    pub(super) ledger: Vec<Record>,
    /// The rows of each table, by their keys.
    pub(super) tables: BTreeMap<&'static str, BTreeMap<String, Value>>,
    pub(super) statistics: Value,
    pub(super) placed: Vec<Placed>,
    pub(super) sent: Sent,
}

/// An event, as the table has it.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// Of the stream: `order`, `product` and so on.
    pub(super) kind: String,
    /// What the stream is about: the rest of its name.
    pub(super) of: String,
    pub(super) version: i64,
    pub(super) name: String,
    pub(super) payload: Value,
    pub(super) recorded_at: String,
}

/// A line of the ledger.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) did: String,
    pub(super) order: String,
    pub(super) amount: u64,
    /// The name of the payment or the tracking number; `None` if it was refused.
    pub(super) name: Option<String>,
}

const EVENTS: &str =
    "SELECT stream_id, version, event_type, payload::text, to_jsonb(recorded_at)#>>'{}'
    FROM eventcore.events ORDER BY position";

/// Orders, and fulfilments that were started, which have not ended.
const OPEN: &str = "SELECT stream_id FROM eventcore.events
     WHERE stream_id LIKE 'order-%' OR stream_id LIKE 'fulfilment-%' GROUP BY 1
    HAVING count(*) FILTER (WHERE event_type IN ('OrderCompleted', 'OrderCancelled',
                                                 'FulfilmentCompleted', 'FulfilmentFailed')) = 0";

const TABLES: [(&str, &str); 3] = [
    (
        "orders",
        "SELECT order_id::text, to_jsonb(t)::text FROM orders t",
    ),
    (
        "customers",
        "SELECT customer_id::text, to_jsonb(t)::text FROM customers t",
    ),
    (
        "inventory",
        "SELECT product_id, to_jsonb(t)::text FROM inventory t",
    ),
];

/// A session with the server.
pub(super) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The streams of what has not ended.
pub(super) async fn open(client: &Client) -> Vec<String> {
    let rows = client.query(OPEN, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The events, in their order.
pub(super) async fn events(client: &Client) -> Vec<Event> {
    let rows = client.query(EVENTS, &[]).await.unwrap();
    let events = rows.iter().map(|row| {
        let stream: String = row.get(0);
        let (kind, of) = stream.split_once(['-', ':']).unwrap_or((&stream, ""));
        Event {
            kind: kind.to_owned(),
            of: of.to_owned(),
            version: row.get(1),
            name: row.get(2),
            payload: json(row.get(3)),
            recorded_at: row.get(4),
        }
    });
    events.collect()
}

/// The rows of the read models.
pub(super) async fn tables(client: &Client) -> BTreeMap<&'static str, BTreeMap<String, Value>> {
    let mut tables = BTreeMap::new();
    for (table, sql) in TABLES {
        let rows = client.query(sql, &[]).await.unwrap();
        let rows = rows.iter().map(|row| (row.get(0), json(row.get(1))));
        tables.insert(table, rows.collect());
    }
    tables
}

/// What the partners have done.
pub(super) fn ledger(path: &Path) -> Vec<Record> {
    let text = std::fs::read_to_string(path).unwrap();
    let records = text.lines().map(json).map(|line| Record {
        did: line["did"].as_str().unwrap().to_owned(),
        order: line["order"].as_str().unwrap().to_owned(),
        amount: line["amount"].as_u64().unwrap(),
        name: line["answer"]["done"].as_str().map(str::to_owned),
    });
    records.collect()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
