//! The client where the objects of the database are older than it is.

use eventcore::ExpectedVersion::Unchecked;
use eventcore::postgres::ServerCommand;
use eventcore::{
    Append, EventStore, EventType, NewEvent, PostgresEventStore, StoreError, StreamId, execute,
};
use eventcore_harness::shared;
use serde_json::{Value, json};

use crate::support::chain;

const UNKNOWN: ServerCommand<Value> = ServerCommand::new("unknown");

fn one_event() -> Append {
    let stream: StreamId = "s".parse().unwrap();
    let event = NewEvent::new(stream.clone(), EventType::new("T").unwrap(), json!(1));
    Append::new().stream(stream, Unchecked).event(event)
}

async fn append(store: &PostgresEventStore) -> Result<(), StoreError> {
    store.append(&one_event()).await.map(drop)
}

#[tokio::test]
async fn the_client_says_which_statement_helps_and_goes_on_after_it() {
    let url = shared().create_empty_database("older_objects").unwrap();
    let run = |sql: &str| shared().psql("older_objects", sql).unwrap();
    run("CREATE EXTENSION eventcore VERSION '0.1.0'");
    let pooled = PostgresEventStore::builder(&url).unwrap();
    let pooled = pooled.transaction_pooling(true).connect().await.unwrap();
    let prepared = PostgresEventStore::connect(&url).await.unwrap();

    let input = json!({});
    for store in [&prepared, &pooled] {
        for _ in 0..2 {
            let error = append(store).await.unwrap_err();
            assert!(!error.is_retriable() && !error.is_in_doubt(), "{error:?}");
            assert_older(&error);
        }
        let error = execute(store, &UNKNOWN.with(&input)).await.unwrap_err();
        assert!(!error.may_have_written(), "{error:?}");
        assert_older(&error);
    }

    run("ALTER EXTENSION eventcore UPDATE");
    for store in [&prepared, &pooled] {
        append(store).await.unwrap();
        let error = execute(store, &UNKNOWN.with(&input)).await.unwrap_err();
        assert!(error.is_unknown_name(), "{error:?}");
    }

    // An update does not help where the search path does not lead to the functions.
    run("ALTER DATABASE older_objects SET search_path = pg_catalog");
    let text = chain(&PostgresEventStore::connect(&url).await.unwrap_err());
    assert!(
        text.contains("no extension eventcore within its search_path"),
        "{text}"
    );
}

fn assert_older(error: &dyn std::error::Error) {
    let text = chain(error);
    for part in [
        "SE009",
        "has version 0.1.0",
        "run ALTER EXTENSION eventcore UPDATE",
    ] {
        assert!(text.contains(part), "{text}");
    }
}
