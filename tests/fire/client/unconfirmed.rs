//! Commits whose wait for a synchronous standby is cancelled: they are done on the primary, and
//! perhaps on no other server.

use eventcore::ExpectedVersion::Exactly;
use eventcore::{
    EventStore, ExecuteOptions, PostgresEventStore, ProjectionName, ProjectionStore, ReadStream,
    RetryPolicy, StreamId, execute_with,
};
use eventcore_harness::Server;

use super::bank::{Transfer, open_accounts};
use super::{append, stream};
use crate::support::{self, Session, connect, eventually, in_time, until_commits_wait};

/// A server whose commits wait for a standby that does not exist, once a test asks for that.
struct Waiting {
    server: Server,
    url: String,
    session: Session,
    store: PostgresEventStore,
}

impl Waiting {
    async fn start(database: &str) -> Self {
        let server = Server::start(support::options()).unwrap();
        let url = server.create_database(database).unwrap();
        let session = connect(&url).await;
        // Its own statements write nothing that waits for a standby.
        session
            .batch_execute("SET synchronous_commit = local")
            .await
            .unwrap();
        let store = PostgresEventStore::connect(&url).await.unwrap();
        Self {
            server,
            url,
            session,
            store,
        }
    }

    async fn set_standbys(&self, names: &str) {
        let sql = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
        self.session.batch_execute(&sql).await.unwrap();
        let reload = "SELECT pg_reload_conf()";
        self.session.batch_execute(reload).await.unwrap();
        eventually("the setting is in force", async || {
            let url = "SHOW synchronous_standby_names";
            let row = self.session.query_typed_one(url, &[]).await.unwrap();
            row.get::<_, &str>(0) == names
        })
        .await;
        if !names.is_empty() {
            until_commits_wait(&self.url).await;
        }
    }

    /// Cancels the next wait for a standby.
    async fn cancel_a_wait(&self) {
        let cancel = "SELECT count(pg_cancel_backend(pid)) > 0 FROM pg_stat_activity
                       WHERE wait_event = 'SyncRep' AND application_name = 'eventcore'";
        eventually("a commit waits for a standby", async || {
            let row = self.session.query_typed_one(cancel, &[]).await;
            row.unwrap().get(0)
        })
        .await;
    }

    async fn count(&self, sql: &str) -> i64 {
        let row = self.session.query_typed_one(sql, &[]).await;
        row.unwrap().get(0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_no_standby_has_is_an_error_and_the_same_again_waits_again() {
    let server = Waiting::start("unconfirmed_append").await;
    server.set_standbys("nobody").await;
    let one = append(&[("s", Exactly(0))]);
    let (first, ()) = tokio::join!(server.store.append(&one), server.cancel_a_wait());
    let error = first.expect_err("it was told as done");
    assert!(error.is_unconfirmed() && error.is_retriable() && error.is_in_doubt());
    assert!(
        error.to_string().contains("to confirm the commit"),
        "{error}"
    );
    // The repeat writes nothing, but still waits for the standby.
    let (again, ()) = tokio::join!(server.store.append(&one), server.cancel_a_wait());
    assert!(again.expect_err("it was told as done").is_unconfirmed());
    // A read has nothing to commit.
    let all = ReadStream::new(stream("s"));
    let read = server.store.read_stream(&all);
    assert_eq!(in_time("a read", read).await.unwrap().len(), 1);
    server.set_standbys("").await;
    let done = server.store.append(&one).await.unwrap();
    assert!(done.repeated);
    assert_eq!(
        server.count("SELECT count(*) FROM eventcore.events").await,
        1
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_reported_as_done_once_and_only_when_the_standby_has_it() {
    let server = Waiting::start("unconfirmed_command").await;
    open_accounts(&server.store).await;
    server.set_standbys("nobody").await;
    let account = |n: u64| StreamId::new(format!("account-{n}")).unwrap();
    let transfer = Transfer {
        from: account(0),
        to: account(1),
        amount: 7,
    };
    let once = ExecuteOptions::new().retry(RetryPolicy::none());
    let executing = execute_with(&server.store, &transfer, &once);
    let (refused, ()) = tokio::join!(executing, server.cancel_a_wait());
    let error = refused.expect_err("it was told as done");
    assert!(
        error.may_have_written() && error.is_retriable(),
        "{error:?}"
    );

    let store = server.store.clone();
    let executing = tokio::spawn(async move {
        let patient = RetryPolicy::default().attempts(u32::MAX);
        let options = ExecuteOptions::new().retry(patient);
        execute_with(&store, &transfer, &options).await
    });
    for _ in 0..3 {
        server.cancel_a_wait().await;
    }
    assert!(!executing.is_finished());
    server.set_standbys("").await;
    let done = in_time("the command", executing).await.unwrap().unwrap();
    assert!(done.attempts > 1);
    assert_eq!(
        server.count("SELECT count(*) FROM eventcore.events").await,
        4 + 2 + 2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_a_projection_that_no_standby_has_is_an_error_of_its_commit() {
    let server = Waiting::start("unconfirmed_batch").await;
    let store = &server.store;
    let name = ProjectionName::new("p").unwrap();
    let done = store.append(&append(&[("s", Exactly(0))])).await.unwrap();
    let (from, to) = (
        store.checkpoint(&name).await.unwrap(),
        done.last_position.unwrap(),
    );
    server.set_standbys("nobody").await;
    let mut transaction = store.begin().await.unwrap();
    store
        .advance_checkpoint(&mut transaction, &name, from, to)
        .await
        .unwrap();
    let (committed, ()) = tokio::join!(store.commit(transaction), server.cancel_a_wait());
    assert!(committed.expect_err("it was told as done").is_unconfirmed());
    server.set_standbys("").await;
    assert_eq!(store.checkpoint(&name).await.unwrap(), to);
}

/// The first commit waits for a paused standby and has already released its locks. The repeated
/// append finds the events, writes nothing, and returns when the standby has them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_that_repeats_one_that_waits_for_its_standby_waits_too() {
    let mut server = Waiting::start("unconfirmed_repeat").await;
    let standby = server
        .server
        .standby_with(&[("cluster_name", "one")])
        .unwrap();
    server
        .session
        .batch_execute("ALTER DATABASE unconfirmed_repeat SET eventcore.early_lock_release = on")
        .await
        .unwrap();
    // With this setting.
    let url = server.server.url("unconfirmed_repeat");
    server.store = PostgresEventStore::connect(&url).await.unwrap();
    server.set_standbys("one").await;
    let one = append(&[("s", Exactly(0))]);
    server.store.append(&one).await.unwrap();

    let receivers = receivers(&standby);
    assert_eq!(receivers.len(), 1, "{receivers:?}");
    standby.signal(receivers[0], "STOP").unwrap();
    let next = append(&[("s", Exactly(1))]);
    let appending = [(); 2].map(|()| {
        let (store, next) = (server.store.clone(), next.clone());
        tokio::spawn(async move { store.append(&next).await })
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity
                    WHERE wait_event = 'SyncRep' AND application_name = 'eventcore'";
    eventually("both wait for the standby", async || {
        server.count(waiting).await == 2
    })
    .await;
    assert_eq!(
        server.count("SELECT count(*) FROM eventcore.events").await,
        2
    );
    assert!(appending.iter().all(|append| !append.is_finished()));
    standby.signal(receivers[0], "CONT").unwrap();
    let mut repeated = Vec::new();
    for append in appending {
        let done = in_time("an append", append).await.unwrap().unwrap();
        repeated.push(done.repeated);
    }
    repeated.sort_unstable();
    assert_eq!(repeated, [false, true]);
}

/// The processes of a standby that receive the log.
fn receivers(standby: &Server) -> Vec<u32> {
    let sql = "SELECT pid FROM pg_stat_wal_receiver WHERE pid IS NOT NULL";
    let pids = standby.psql("postgres", sql).unwrap();
    pids.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}
