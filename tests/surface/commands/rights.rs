//! Whose rights commands run with, and who may execute them.

use serde_json::json;

use super::{bank, execute};
use crate::support::{failure, session_as, stream};

#[tokio::test]
async fn a_role_that_may_only_execute_writes_only_through_commands() {
    let (_, client) = bank("rights_execute").await;
    client
        .batch_execute("CREATE ROLE rights_executor LOGIN IN ROLE eventcore_executor")
        .await
        .unwrap();
    let executor = session_as("rights_execute", "rights_executor").await;
    let input = || json!({"from": "a", "to": "b", "cents": 1});
    execute(&executor, "transfer", input()).await.unwrap();
    for sql in [
        "SELECT eventcore_append('{a}', '{NULL}', '[]')",
        "SELECT eventcore_append('{a}', '{NULL}', '{}', '{}', '{}', NULL)",
        "SELECT eventcore_read_all()",
        "SELECT * FROM eventcore.events",
        "SELECT eventcore_register_command('n', 'apply', 'transfer', streams => '{/a}')",
        "SELECT eventcore_drop_command('transfer')",
        "UPDATE eventcore.commands SET name = 'x'",
        "INSERT INTO eventcore.executions SELECT * FROM eventcore.executions",
    ] {
        assert_eq!(
            failure(executor.batch_execute(sql).await).code,
            "42501",
            "{sql}"
        );
    }
    assert_eq!(stream(&client, "a").await.len(), 2);
    client
        .batch_execute("REVOKE EXECUTE ON FUNCTION transfer FROM PUBLIC")
        .await
        .unwrap();
    let refused = execute(&executor, "transfer", input()).await.unwrap_err();
    assert_eq!(refused.code, "42501", "{refused:?}");
}

#[tokio::test]
async fn functions_run_with_the_rights_of_the_caller() {
    let (_, client) = bank("rights_caller").await;
    client
        .batch_execute(
            "CREATE ROLE rights_caller_a LOGIN IN ROLE eventcore_writer;
             CREATE TABLE secrets (s text);
             CREATE FUNCTION peek(jsonb, jsonb) RETURNS jsonb LANGUAGE plpgsql AS
                 $$ BEGIN RETURN (SELECT NULL::jsonb FROM secrets); END $$;
             SELECT eventcore_register_command('peek', 'apply', 'peek', streams => '{/s}')",
        )
        .await
        .unwrap();
    execute(&client, "peek", json!({"s": "a"})).await.unwrap();
    let writer = session_as("rights_caller", "rights_caller_a").await;
    let refused = execute(&writer, "peek", json!({"s": "a"}))
        .await
        .unwrap_err();
    assert_eq!(refused.assert_ours("SE006")["sqlstate"], "42501");
}

#[tokio::test]
async fn a_command_is_registered_only_with_functions_that_one_may_execute() {
    let (_, client) = bank("rights_register").await;
    client
        .batch_execute(
            "CREATE ROLE rights_registrar LOGIN;
             GRANT EXECUTE ON FUNCTION eventcore_register_command TO rights_registrar;
             REVOKE EXECUTE ON FUNCTION transfer FROM PUBLIC;
             GRANT USAGE ON SCHEMA eventcore TO rights_registrar;
             GRANT SELECT, INSERT, DELETE ON eventcore.commands TO rights_registrar;
             GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA eventcore TO rights_registrar",
        )
        .await
        .unwrap();
    let registrar = session_as("rights_register", "rights_registrar").await;
    let sql = "SELECT eventcore_register_command('n', 'apply', 'transfer', streams => '{/a}')";
    let refused = failure(registrar.batch_execute(sql).await);
    assert_eq!(refused.assert_ours("SE003")["argument"], "handle");
    client
        .batch_execute("GRANT EXECUTE ON FUNCTION transfer TO rights_registrar")
        .await
        .unwrap();
    registrar.batch_execute(sql).await.unwrap();
}
