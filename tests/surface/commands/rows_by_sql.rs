//! However transactions end that bring rows by SQL, a command notices those that are still open.

use eventcore_harness::{Server, ServerOptions};
use serde_json::json;
use tokio_postgres::Client;

use super::{APPLY, command, deposit, execute};
use crate::support::{connect, failure, stream, until_waiting, value};

/// A row of the stream `a`. A version further on has no entry of the unique index to run into.
fn insert(number: i64) -> String {
    format!(
        "INSERT INTO eventcore.events VALUES ({0}, {number}, now(), gen_random_uuid(), 'a', 'Deposited',
         '{{\"cents\": 1}}')",
        1_000 + number
    )
}

/// Starts the command, lets this happen while it decides, and returns how it ended.
async fn meanwhile(url: &str, client: &Client, open: &Client, what: &str) -> Result<Vec<i64>, i64> {
    let lock = "SELECT pg_advisory_lock(7)";
    client.batch_execute(lock).await.unwrap();
    let other = connect(url).await;
    let executing =
        tokio::spawn(async move { execute(&other, "slow", json!({"streams": "a"})).await });
    until_waiting(client, 1).await;
    open.batch_execute(what).await.unwrap();
    let unlock = "SELECT pg_advisory_unlock(7)";
    client.batch_execute(unlock).await.unwrap();
    executing
        .await
        .unwrap()
        .map(|done| done.versions)
        .map_err(|failed| {
            let detail = failed.assert_ours("SE001");
            detail["conflicts"][0]["actual"].as_i64().unwrap()
        })
}

async fn prepare(client: &Client) {
    client.batch_execute(APPLY).await.unwrap();
    let body = "PERFORM pg_advisory_xact_lock(7);
        RETURN '[{\"stream\": \"a\", \"type\": \"Deposited\", \"payload\": {\"cents\": 1}}]';";
    command(client, "slow", body, "").await;
    deposit(client, "a", 100).await;
}

/// All the ways in which such a transaction can end, some of them more than once.
async fn end_in_every_way(url: &str) {
    let one = connect(url).await;
    let run = async |sql: &str| one.batch_execute(sql).await;
    let row = insert(500);
    for sql in [
        format!("BEGIN; {row}; ROLLBACK"),
        format!("BEGIN; SAVEPOINT s; {row}; ROLLBACK TO s; {row}; ROLLBACK TO s; {row}; RELEASE s; ROLLBACK"),
        format!("BEGIN; SAVEPOINT s; {row}; ROLLBACK TO s; COMMIT"),
        format!("BEGIN; COPY (SELECT 1) TO '/dev/null'; {row}; ROLLBACK"),
        format!("SET session_replication_role = replica; BEGIN; {row}; ROLLBACK; RESET session_replication_role"),
        "SELECT eventcore.pass_position(5)".to_owned(),
        "BEGIN; SELECT eventcore.pass_position(5); SAVEPOINT s; SELECT eventcore.pass_position(6); ROLLBACK TO s; COMMIT"
            .to_owned(),
    ] {
        run(&sql).await.unwrap();
    }
    // Errors, also of a statement that inserted rows before.
    let fails = format!("{row}; {row}");
    assert_eq!(failure(run(&fails).await).code, "23505");
    run("ROLLBACK").await.unwrap();
    let fails = "SELECT eventcore_append('{b}', '{NULL}', '{b}', '{A}', '{1}', NULL); SELECT 1 / 0";
    assert_eq!(
        failure(run(&format!("BEGIN; {row}; {fails}")).await).code,
        "22012"
    );
    run("ROLLBACK").await.unwrap();
    let prepared = run(&format!("BEGIN; {row}; PREPARE TRANSACTION 'rows'")).await;
    failure(prepared).assert_ours("SE009");
    run("ROLLBACK").await.unwrap();
    // The session ends within it, by itself and by force.
    for force in [false, true] {
        let gone = connect(url).await;
        gone.batch_execute(&format!("BEGIN; {row}")).await.unwrap();
        let pid: i32 = value(&gone, "SELECT pg_backend_pid()").await;
        if force {
            let end = format!("SELECT pg_terminate_backend({pid}, 10000)");
            assert!(value::<bool>(&one, &end).await);
        }
        drop(gone);
        let there = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        while value::<i64>(&one, &there).await > 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Kills a session by force, after which the server ends all others and starts with fresh memory.
async fn kill(server: &Server, url: &str) {
    let gone = connect(url).await;
    let pid: i32 = value(&gone, "SELECT pg_backend_pid()").await;
    server.signal(pid.unsigned_abs(), "KILL").unwrap();
    let is_away = async || {
        let connected = tokio_postgres::connect(url, tokio_postgres::NoTls).await;
        !gone.is_closed() || connected.is_err()
    };
    while is_away().await {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_command_notices_the_open_one_of_many_transactions_that_brought_rows() {
    let server = Server::start(
        ServerOptions::new()
            .set("max_prepared_transactions", "2")
            .set("eventcore.early_lock_release", "on"),
    )
    .unwrap();
    let url = server.create_database("rows").unwrap();
    let client = connect(&url).await;
    prepare(&client).await;
    let mut version = 1;
    for crashed in [false, true] {
        let client = connect(&url).await;
        let none = connect(&url).await;
        version += 1;
        assert_eq!(meanwhile(&url, &client, &none, "").await, Ok(vec![version]));
        // Open while all the others end.
        let open = connect(&url).await;
        open.batch_execute(&format!("BEGIN; {}", insert(version + 10)))
            .await
            .unwrap();
        end_in_every_way(&url).await;
        version += 10;
        let ended = meanwhile(&url, &client, &open, "COMMIT").await;
        assert_eq!(ended, Err(version), "{crashed}");
        // None is open any more.
        version += 1;
        assert_eq!(meanwhile(&url, &client, &none, "").await, Ok(vec![version]));
        version += 10;
        let ended = meanwhile(&url, &client, &open, &insert(version)).await;
        assert_eq!(ended, Err(version), "{crashed}");
        // From another database, where it changes nothing.
        let elsewhere = server
            .create_database(&format!("elsewhere_{crashed}"))
            .unwrap();
        let elsewhere = connect(&elsewhere).await;
        version += 1;
        assert_eq!(
            meanwhile(&url, &client, &elsewhere, &insert(7)).await,
            Ok(vec![version])
        );
        open.batch_execute(&format!("BEGIN; {}", insert(version + 10)))
            .await
            .unwrap();
        if !crashed {
            // The server starts again without the transaction that was open.
            kill(&server, &url).await;
        }
    }
    let client = connect(&url).await;
    let last = stream(&client, "a").await.last().map(|event| event.version);
    assert_eq!(last, Some(version));
}
