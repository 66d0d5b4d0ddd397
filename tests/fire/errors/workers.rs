//! Calls into the server fail in eventcore's own processes: the notifier and a projection worker.

use super::*;

const SETUP: &str = r#"
    CREATE TABLE seen (position bigint UNIQUE);
    CREATE FUNCTION see(event eventcore.events) RETURNS void LANGUAGE plpgsql AS
        'BEGIN INSERT INTO seen VALUES (event.position); END';
    SELECT eventcore_create_projection('seen', 'see', retry_limit => 1000000);
"#;

const OURS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type LIKE 'eventcore%'";

/// The numbers of the calls that fail, in each process that is started meanwhile.
const CALLS: [u32; 8] = [1, 3, 7, 15, 30, 60, 120, 250];

#[tokio::test]
async fn an_error_in_a_process_of_ours_ends_that_process_at_most() {
    let options = options().set("shared_preload_libraries", "eventcore,eventcore_faults");
    let server = own_server(options);
    let url = server.create_database("workers").unwrap();
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();
    for call in CALLS {
        for other_owner in [true, false] {
            let fail = format!(
                "ALTER DATABASE workers SET faults.sqlstate = '53200';
                 ALTER DATABASE workers SET faults.other_owner = {other_owner};
                 ALTER DATABASE workers SET faults.fail_at = {call}"
            );
            session.batch_execute(&fail).await.unwrap();
            session.batch_execute(OURS).await.unwrap();
            append_one(&*session, "s").await;
            eventually(
                "one of our processes has failed, or all is done",
                async || {
                    let failed = format!("injected error in call {call}, ");
                    server.log().contains(&failed) || is_caught_up(&session).await
                },
            )
            .await;
            assert_alive(
                &server,
                &format!("at call {call} of a process of eventcore"),
            );
            let works = "ALTER DATABASE workers RESET ALL";
            session.batch_execute(works).await.unwrap();
            session.batch_execute(OURS).await.unwrap();
            append_one(&*session, "s").await;
            eventually("the projection catches up", async || {
                is_caught_up(&session).await
            })
            .await;
        }
    }
    assert_alive(&server, "at the end");
    assert!(server.log().contains("injected error in call"));
}

async fn is_caught_up(session: &Session) -> bool {
    let missing = "SELECT count(*) = 0 FROM eventcore.events e
        WHERE NOT EXISTS (SELECT FROM seen s WHERE s.position = e.position)";
    session.query_typed_one(missing, &[]).await.unwrap().get(0)
}
