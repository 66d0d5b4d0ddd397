//! Commands in the database, registered and executed by the Rust client.

mod repeated;

use eventcore::postgres::{CommandDefinition, FieldType, ServerCommand};
use eventcore::{
    CausationId, CorrelationId, ErrorCode, ExecuteOptions, Metadata, Position, PostgresEventStore,
    Rejection, RetryPolicy, StreamId, execute, execute_with,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{bank, command, deposit};
use crate::support::{Client, read, server_with_workers, stream, until_waiting, value};

#[derive(Debug, Clone, Serialize)]
struct Transfer {
    from: StreamId,
    to: StreamId,
    cents: u64,
}

const TRANSFER: ServerCommand<Transfer> = ServerCommand::new("transfer");

/// A command whose input is JSON that the test chooses.
const COMMAND: ServerCommand<Value> = ServerCommand::new("command");

fn transfer(cents: u64) -> Transfer {
    Transfer {
        from: id("a"),
        to: id("b"),
        cents,
    }
}

fn id(stream: &str) -> StreamId {
    StreamId::new(stream).unwrap()
}

/// A store on a database with the command `transfer` and 100 cents in `a`.
async fn store(name: &str) -> (PostgresEventStore, Client) {
    let (url, client) = bank(name).await;
    (PostgresEventStore::connect(&url).await.unwrap(), client)
}

async fn executions(client: &Client) -> i64 {
    value(client, "SELECT count(*) FROM eventcore.executions").await
}

#[tokio::test]
async fn a_command_is_executed_with_its_input_and_tells_what_it_did() {
    let (store, client) = store("client_execute").await;
    let input = transfer(30);
    let done = execute(&store, &TRANSFER.with(&input)).await.unwrap();
    assert!(done.wrote() && !done.repeated);
    let positions = (Position::new(2), Position::new(3));
    assert_eq!(done.positions, Some(positions));
    assert_eq!(
        (done.first_position(), done.last_position()),
        (Some(positions.0), Some(positions.1))
    );
    assert_eq!(done.versions, [(id("a"), 2.into()), (id("b"), 1.into())]);
    assert_eq!(done.version_of(&id("a")), Some(2.into()));
    assert_eq!((done.attempts, done.server_attempts), (1, 1));
    let event = stream(&client, "b").await.remove(0);
    assert_eq!(event.recorded_at, done.recorded_at);
    assert_eq!(event.correlation_id, Some(done.correlation_id.as_uuid()));
    assert_eq!(event.causation_id, Some(done.causation_id.as_uuid()));
    assert_eq!(done.correlation_id.as_uuid(), done.causation_id.as_uuid());

    let done = store.execute_command(&TRANSFER, &input).await.unwrap();
    assert_eq!(done.version_of(&id("b")), Some(2.into()));
}

#[tokio::test]
async fn ids_and_metadata_go_with_the_events_and_a_deadline_ends_it() {
    let (store, client) = store("client_options").await;
    let (correlation, causation) = (CorrelationId::new(), CausationId::new());
    let metadata: Metadata = [("actor".to_owned(), json!("ada"))].into_iter().collect();
    let options = ExecuteOptions::new()
        .correlation_id(correlation)
        .causation_id(causation)
        .metadata(&metadata)
        .unwrap();
    let input = transfer(1);
    execute_with(&store, &TRANSFER.with(&input), &options)
        .await
        .unwrap();
    for event in read(&client, "SELECT * FROM eventcore_read_all(1)", &[]).await {
        assert_eq!(event.correlation_id, Some(correlation.as_uuid()));
        assert_eq!(event.causation_id, Some(causation.as_uuid()));
        assert_eq!(event.metadata, Some(json!({"actor": "ada"})));
    }

    let past = options.deadline(std::time::Instant::now());
    let late = execute_with(&store, &TRANSFER.with(&input), &past).await;
    assert!(late.unwrap_err().is_deadline());
    assert_eq!(stream(&client, "a").await.len(), 2);
}

#[tokio::test]
async fn a_rejection_is_a_business_rule_with_all_that_the_handler_said() {
    let (store, client) = store("client_reject").await;
    let input = transfer(101);
    let error = execute(&store, &TRANSFER.with(&input)).await.unwrap_err();
    assert!(error.is_business_rule() && !error.is_retriable());
    assert_eq!(error.code(), Some(ErrorCode::CommandRejected));
    assert_eq!(error.attempts(), 1);
    assert_eq!(
        error.to_string(),
        "the command was rejected: only 100 cents left"
    );
    let rejection = error.rejection::<Rejection>().unwrap();
    assert_eq!(
        (rejection.command.as_str(), rejection.sqlstate.as_str()),
        ("transfer", "BA001")
    );
    assert_eq!(rejection.detail.as_deref(), Some("a detail"));
    assert_eq!(rejection.hint.as_deref(), Some("transfer less"));
    assert_eq!(stream(&client, "a").await.len(), 1);
    assert_eq!(executions(&client).await, 0);
}

#[tokio::test]
async fn predicates_classify_other_errors() {
    let (store, client) = store("client_errors").await;
    let unknown = ServerCommand::<Value>::new("nothing");
    let error = store
        .execute_command(&unknown, &json!({}))
        .await
        .unwrap_err();
    assert!(
        error.is_unknown_name() && !error.is_business_rule(),
        "{error:?}"
    );

    let body = r#"RETURN '[{"stream": "other", "type": "A", "payload": 1}]';"#;
    command(&client, "command", body, "").await;
    let input = json!({"streams": "a"});
    let elsewhere = store.execute_command(&COMMAND, &input).await.unwrap_err();
    assert!(elsewhere.is_undeclared_stream(), "{elsewhere:?}");
    assert_eq!(elsewhere.store().unwrap().stream().unwrap(), "other");
    for input in [json!({}), json!({"streams": "a\u{0}"})] {
        let error = store.execute_command(&COMMAND, &input).await.unwrap_err();
        assert!(error.is_malformed(), "{error:?}");
    }
    let keyed = COMMAND.with(&Value::Null).idempotency_key("");
    let error = execute(&store, &keyed).await.unwrap_err();
    assert!(error.is_malformed(), "{error:?}");

    client
        .batch_execute("DROP FUNCTION handle_command")
        .await
        .unwrap();
    let gone = store.execute_command(&COMMAND, &input).await.unwrap_err();
    let text = gone.store().unwrap().to_string();
    assert!(
        gone.is_unknown_name() && text.contains("public.handle_command"),
        "{text}"
    );
}

/// This error is not mistaken for a missing extension.
#[tokio::test]
async fn a_missing_function_that_apply_calls_is_reported_as_it_is() {
    let (store, client) = store("client_undefined").await;
    client
        .batch_execute(
            "CREATE FUNCTION broken(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE plpgsql AS
                 $$ BEGIN RETURN nowhere(state); END $$;
             SELECT eventcore_register_command('command', 'broken', 'transfer', streams => '{/streams}')",
        )
        .await
        .unwrap();
    let input = json!({"streams": "a"});
    let error = store.execute_command(&COMMAND, &input).await.unwrap_err();
    assert_eq!(error.code(), None, "{error:?}");

    let url = eventcore_harness::shared()
        .create_empty_database("client_no_extension")
        .unwrap();
    let builder = PostgresEventStore::builder(&url).unwrap();
    let without = builder.build().unwrap();
    let error = without.execute_command(&COMMAND, &input).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::Unavailable), "{error:?}");
}

#[tokio::test]
async fn a_command_is_registered_listed_replaced_and_dropped() {
    let (store, client) = store("client_register").await;
    client
        .batch_execute(
            "CREATE FUNCTION named(jsonb) RETURNS text[] LANGUAGE sql AS $$ SELECT ARRAY[$1->>'from', $1->>'to'] $$;
             CREATE FUNCTION related(jsonb, jsonb) RETURNS text[] LANGUAGE sql AS $$ SELECT ARRAY['more'] $$",
        )
        .await
        .unwrap();
    let full = CommandDefinition::new("full")
        .apply("public.apply")
        .handle("transfer")
        .streams(["/from"])
        .checked_streams(["/to"])
        .related_streams("related")
        .initial_state(json!({"a": 5}))
        .required_field("/cents", FieldType::Number)
        .required_field("/from", FieldType::Any)
        .max_attempts(3)
        .combine("pg_catalog.jsonb_concat")
        .snapshot_every(7);
    store.register_command(&full).await.unwrap();
    let again = store.register_command(&full).await.unwrap_err();
    assert!(again.is_malformed() && again.argument() == Some("name"));
    let by_function = CommandDefinition::new("by_function")
        .apply("apply")
        .handle("transfer")
        .streams_function("named");
    store.register_command(&by_function).await.unwrap();

    let listed = store.commands().await.unwrap();
    let names: Vec<_> = listed
        .iter()
        .map(|one| one.definition.name.as_str())
        .collect();
    assert_eq!(names, ["by_function", "full", "transfer"]);
    let mut expected = full.clone();
    expected.handle = "public.transfer".to_owned();
    expected.related_streams = Some("public.related".to_owned());
    assert_eq!(listed[1].definition, expected);
    let changed: std::time::SystemTime = value(
        &client,
        "SELECT changed_at FROM eventcore.commands WHERE name = 'full'",
    )
    .await;
    assert_eq!(listed[1].changed_at, changed);
    // A listed definition can be registered again.
    for one in listed {
        let again = one.definition.clone().replace(true);
        store.register_command(&again).await.unwrap();
    }
    let again = store.commands().await.unwrap();
    assert_eq!(again[1].definition, expected);

    let by_function = ServerCommand::<Transfer>::new("by_function");
    let done = store.execute_command(&by_function, &transfer(1)).await;
    assert_eq!(done.unwrap().versions.len(), 2);
    assert!(store.discard_command_states("full").await.unwrap());
    assert!(store.drop_command("full").await.unwrap());
    assert!(!store.discard_command_states("full").await.unwrap());
    assert!(!store.drop_command("full").await.unwrap());
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_named() {
    let (store, _) = store("client_register_bad").await;
    let good = CommandDefinition::new("n")
        .apply("apply")
        .handle("transfer")
        .streams(["/a"]);
    for (definition, argument) in [
        (CommandDefinition::new("n"), "apply"),
        (CommandDefinition::new("n").apply("apply"), "handle"),
        (good.clone().apply("transfer"), "apply"),
        (good.clone().streams([""; 0]), "streams"),
        (good.clone().streams(["a"]), "streams"),
        (good.clone().max_attempts(0), "max_attempts"),
        (good.clone().apply("nowhere"), "apply"),
        (good.clone().handle("pg_catalog.abs"), "handle"),
        (good.clone().combine("transfer_of_nothing"), "combine"),
        (
            good.clone().related_streams("public.nowhere"),
            "related_streams",
        ),
    ] {
        let error = store.register_command(&definition).await.unwrap_err();
        assert!(error.is_malformed(), "{argument}: {error:?}");
        assert_eq!(error.argument(), Some(argument));
    }
    assert_eq!(store.commands().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_role_that_may_only_execute_needs_no_other_right() {
    let (url, client) = bank("client_executor").await;
    client
        .batch_execute("CREATE ROLE client_executor LOGIN IN ROLE eventcore_executor")
        .await
        .unwrap();
    let own = url.replace("postgres@", "client_executor@");
    assert_ne!(own, url);
    let builder = PostgresEventStore::builder(&own).unwrap();
    let store = builder.clone().build().unwrap();
    let done = store.execute_command(&TRANSFER, &transfer(1)).await;
    assert!(done.unwrap().wrote());
    assert_eq!(store.commands().await.unwrap().len(), 1);
    assert!(store.drop_command("transfer").await.is_err());
    assert!(builder.connect().await.is_err());
}

#[tokio::test]
async fn behind_a_pooler_in_transaction_mode_everything_is_the_same() {
    let server = server_with_workers();
    let url = server.create_database("client_pooled").unwrap();
    let direct = crate::support::connect(&url).await;
    for sql in [super::APPLY, super::TRANSFER] {
        direct.batch_execute(sql).await.unwrap();
    }
    deposit(&direct, "a", 100).await;
    let pooler = server.pgbouncer(2).unwrap();
    let builder = PostgresEventStore::builder(&pooler.url("client_pooled")).unwrap();
    let store = builder
        .transaction_pooling(true)
        .pool_size(4)
        .connect()
        .await
        .unwrap();
    let definition = CommandDefinition::new("transfer")
        .apply("apply")
        .handle("transfer")
        .streams(["/from", "/to"]);
    store.register_command(&definition).await.unwrap();
    assert_eq!(store.commands().await.unwrap().len(), 1);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = store.clone();
        tasks.spawn(async move { store.execute_command(&TRANSFER, &transfer(10)).await });
    }
    let (mut done, mut rejected) = (0, 0);
    while let Some(result) = tasks.join_next().await {
        match result.unwrap() {
            Ok(execution) => done += u32::from(execution.wrote()),
            Err(error) if error.is_business_rule() => rejected += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!((done, rejected), (10, 10));
    let nothing = transfer(0);
    let keyed = TRANSFER.with(&nothing).idempotency_key("once");
    let first = execute(&store, &keyed).await.unwrap();
    let again = execute(&store, &keyed).await.unwrap();
    assert!(!first.repeated && again.repeated && first.versions == again.versions);
    assert!(store.drop_command("transfer").await.unwrap());
}

#[tokio::test]
async fn what_a_transaction_has_locked_is_waited_for() {
    let (store, client) = store("client_waits").await;
    client
        .batch_execute(
            "BEGIN; SELECT eventcore_append('{a}', '{NULL}', '{a}', '{Deposited}', '{\"{\\\"cents\\\": 5}\"}', NULL)",
        )
        .await
        .unwrap();
    let work = tokio::spawn(async move {
        let options = ExecuteOptions::new().retry(RetryPolicy::none());
        execute_with(&store, &TRANSFER.with(&transfer(105)), &options).await
    });
    until_waiting(&client, 1).await;
    client.batch_execute("COMMIT").await.unwrap();
    let done = work.await.unwrap().unwrap();
    assert_eq!(
        (done.version_of(&id("a")), done.attempts),
        (Some(3.into()), 1)
    );
    // A command that is executed only once needs no key.
    assert_eq!(executions(&client).await, 0);
}
