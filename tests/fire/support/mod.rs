//! Shared by the tests under fire: a server, sessions, appends, and readers that check what they
//! see.

mod append;
mod reading;
mod switch;

use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use eventcore_harness::{Server, ServerOptions};
use tokio::sync::mpsc;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config, Error, GenericClient, NoTls};

pub(crate) use append::{Append, Done, append_one};
pub(crate) use reading::*;
pub(crate) use switch::Switch;

/// The longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The server of all tests in which no process is killed with SIGKILL.
pub(crate) fn server() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(options().without_fsync()).unwrap())
}

/// Slots for the notifier of every test's database.
pub(crate) fn options() -> ServerOptions {
    ServerOptions::new()
        .set("max_worker_processes", "64")
        .set("max_connections", "300")
}

/// The URL of a new database with the extension, on the shared server.
pub(crate) fn database(name: &str) -> String {
    server().create_database(name).unwrap()
}

/// A connection, and the process that serves it.
pub(crate) struct Session {
    client: Client,
    pub(crate) pid: i32,
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

pub(crate) async fn connect(url: &str) -> Session {
    connect_as(url, "fire").await.unwrap()
}

/// Connects under an application name.
pub(crate) async fn connect_as(url: &str, name: &str) -> Result<Session, Error> {
    let mut config: Config = url.parse().unwrap();
    config.application_name(name);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    let pid = client
        .query_typed_one("SELECT pg_backend_pid()", &[])
        .await?
        .get(0);
    Ok(Session { client, pid })
}

/// Connects as soon as the server accepts connections.
pub(crate) async fn reconnect(url: &str, name: &str) -> Session {
    let start = Instant::now();
    loop {
        match connect_as(url, name).await {
            Ok(session) => return session,
            Err(error) => assert!(start.elapsed() < PATIENCE, "cannot connect: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until commits wait for a standby, which is not there. The checkpointer puts
/// `synchronous_standby_names` in force, a moment after sessions show it, and no view tells when.
pub(crate) async fn until_commits_wait(url: &str) {
    let (committing, watching) = (connect(url).await, connect(url).await);
    let cancel = format!(
        "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
          WHERE pid = {} AND wait_event = 'SyncRep'",
        committing.pid
    );
    eventually("commits wait for a standby", async || {
        let commit =
            committing.batch_execute("SELECT pg_logical_emit_message(true, 'eventcore', '')");
        let is_canceled = async {
            while watching
                .query_typed_one(&cancel, &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
                == 0
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            biased;
            () = is_canceled => true,
            done = commit => {
                done.unwrap();
                false
            }
        }
    })
    .await;
}

/// A session that listens; the payloads arrive in `payloads`.
pub(crate) struct Listener {
    pub(crate) session: Session,
    pub(crate) payloads: mpsc::UnboundedReceiver<i64>,
}

pub(crate) async fn listen(url: &str) -> Listener {
    let config: Config = url.parse().unwrap();
    let (client, mut connection) = config.connect(NoTls).await.unwrap();
    let (sender, payloads) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) =
            std::future::poll_fn(|context| connection.poll_message(context)).await
        {
            if let AsyncMessage::Notification(note) = message {
                assert_eq!(note.channel(), "eventcore");
                let _ = sender.send(note.payload().parse().unwrap());
            }
        }
    });
    client.batch_execute("LISTEN eventcore").await.unwrap();
    let row = client.query_typed_one("SELECT pg_backend_pid()", &[]).await;
    let session = Session {
        client,
        pid: row.unwrap().get(0),
    };
    Listener { session, payloads }
}

impl Listener {
    /// The next payload.
    pub(crate) async fn next(&mut self) -> i64 {
        let next = tokio::time::timeout(PATIENCE, self.payloads.recv());
        next.await.expect("no notification").expect("disconnected")
    }

    /// All payloads up to this position or beyond, in the order of arrival.
    pub(crate) async fn up_to(&mut self, position: i64) -> Vec<i64> {
        let mut payloads = Vec::new();
        while payloads.last().is_none_or(|last| *last < position) {
            let last = payloads.last().copied();
            let next = tokio::time::timeout(PATIENCE, self.payloads.recv()).await;
            let next = next.unwrap_or_else(|_| panic!("not woken for {position}, after {last:?}"));
            payloads.push(next.expect("disconnected"));
        }
        payloads
    }
}

pub(crate) fn sqlstate(error: &Error) -> &str {
    error.code().map_or("no connection", SqlState::code)
}

/// Waits for a condition that must become true.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The result of something that must not hang.
pub(crate) async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("hangs: {what}"),
    }
}

/// The processes of the notifiers of the database that the session is in.
pub(crate) async fn notifiers(session: &impl GenericClient) -> Vec<i32> {
    let rows = session
        .query_typed(
            "SELECT pid FROM pg_stat_activity
              WHERE backend_type = 'eventcore notifier' AND datname = current_database()",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// Waits until another session waits for a lock that this one holds.
pub(crate) async fn is_waiting(watcher: &Session, pid: i32) {
    eventually("a session waits for a lock", async || {
        let row = watcher
            .query_typed_one(
                "SELECT cardinality(pg_blocking_pids($1)) > 0",
                &[(&pid, Type::INT4)],
            )
            .await;
        row.unwrap().get(0)
    })
    .await;
}

/// Random numbers (SplitMix64), with a seed of its own for each generator of a run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        static SEED: AtomicU64 = AtomicU64::new(0);
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let seed = SEED.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
        Self(seed ^ now.as_nanos() as u64)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// Sleeps for less than this.
    pub(crate) async fn nap(&mut self, micros: u64) {
        tokio::time::sleep(Duration::from_micros(self.below(micros))).await;
    }
}
