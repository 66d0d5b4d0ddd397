//! Databases are copied from others in which eventcore's processes work.

use eventcore_harness::Server;

use crate::support::*;

const SETUP: &str = "
    CREATE EXTENSION eventcore;
    CREATE TABLE seen (position bigint);
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO seen VALUES (e.position)';
    SELECT eventcore_create_projection('p', 'see')";

/// Gets a notifier and a projection worker to work in a database.
async fn work_in(server: &Server, database: &str) {
    server.psql(database, SETUP).unwrap();
    let session = connect(&server.url(database)).await;
    let last = append_one(&*session, "s").await;
    eventually("it is projected", async || {
        let sql = "SELECT checkpoint FROM eventcore.projections";
        session.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) == last
    })
    .await;
    assert_eq!(notifiers(&*session).await.len(), 1);
}

#[tokio::test]
async fn a_database_can_be_copied_while_the_extensions_processes_work_in_it() {
    let server = Server::start(options().without_fsync()).unwrap();
    let admin = connect(&server.url("postgres")).await;
    work_in(&server, "template1").await;
    admin.batch_execute("CREATE DATABASE plain").await.unwrap();
    let copied = server.psql("plain", "SELECT count(*) FROM eventcore.events");
    assert_eq!(copied.unwrap(), "1");
    admin
        .batch_execute("CREATE DATABASE by_default TEMPLATE DEFAULT")
        .await
        .unwrap();

    // Roles that do not own a template may copy it.
    admin
        .batch_execute("CREATE DATABASE pattern TEMPLATE template0")
        .await
        .unwrap();
    work_in(&server, "pattern").await;
    admin
        .batch_execute("ALTER DATABASE pattern IS_TEMPLATE true")
        .await
        .unwrap();
    admin
        .batch_execute("CREATE ROLE maker CREATEDB LOGIN")
        .await
        .unwrap();
    admin
        .batch_execute("CREATE ROLE stranger LOGIN")
        .await
        .unwrap();
    let maker = connect(&server.url("postgres")).await;
    maker
        .batch_execute("SET SESSION AUTHORIZATION maker")
        .await
        .unwrap();
    maker
        .batch_execute("CREATE DATABASE made TEMPLATE pattern")
        .await
        .unwrap();

    // No other statement makes the processes leave.
    let session = connect(&server.url("pattern")).await;
    let state = "SELECT state FROM eventcore.stat_notifier";
    append_one(&*session, "s").await;
    eventually("the notifier is back", async || {
        session
            .query_one(state, &[])
            .await
            .unwrap()
            .get::<_, &str>(0)
            == "running"
    })
    .await;
    let stranger = connect(&server.url("postgres")).await;
    stranger
        .batch_execute("SET SESSION AUTHORIZATION stranger")
        .await
        .unwrap();
    let refused = stranger
        .batch_execute("CREATE DATABASE stolen TEMPLATE pattern")
        .await;
    assert_eq!(sqlstate(&refused.unwrap_err()), "42501");
    assert_eq!(
        session
            .query_one(state, &[])
            .await
            .unwrap()
            .get::<_, &str>(0),
        "running"
    );
}
