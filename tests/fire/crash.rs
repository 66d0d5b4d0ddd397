//! P6: an acknowledged append survives the death of any process, and no position is ever used twice.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use eventcore_harness::Server;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::support::*;

const WRITERS: usize = 6;

/// How the server goes down.
#[derive(Clone, Copy, PartialEq)]
enum Crash {
    /// `kill -9` of a backend: the postmaster initialises shared memory again.
    Backend,
    /// `kill -9` of the postmaster.
    Postmaster,
    /// Immediate shutdown of everything.
    Everything,
}

/// How writers commit.
#[derive(Clone, Copy, PartialEq)]
enum Commit {
    /// Acknowledged when it is on disk; locks are held until then.
    Synchronous,
    /// Acknowledged when it is on disk; locks are released before.
    EarlyLockRelease,
    /// Acknowledged at once.
    Asynchronous,
}

impl Commit {
    fn settings(self) -> &'static str {
        match self {
            Self::Synchronous => "SET synchronous_commit = on",
            Self::EarlyLockRelease => "SET eventcore.early_lock_release = on",
            Self::Asynchronous => "SET synchronous_commit = off",
        }
    }
}

/// What writers and readers remember across all crashes.
struct Fire {
    url: String,
    done: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    writers: Vec<JoinHandle<HashMap<Uuid, i64>>>,
    reader: JoinHandle<Reader>,
}

/// A reader that keeps its checkpoint: the last safe position that it received.
struct Reader {
    events: Vec<Seen>,
    checkpoint: i64,
    crashes: usize,
}

impl Fire {
    fn start(url: &str, commit: Commit) -> Self {
        let (done, acknowledged) = (Arc::default(), Arc::default());
        let writers = (0..WRITERS)
            .map(|n| {
                let (url, done) = (url.to_owned(), Arc::clone(&done));
                let acknowledged = Arc::clone(&acknowledged);
                tokio::spawn(writer(url, n, commit, done, acknowledged))
            })
            .collect();
        let reader = tokio::spawn(reader(url.to_owned(), Arc::clone(&done)));
        Self {
            url: url.to_owned(),
            done,
            acknowledged,
            writers,
            reader,
        }
    }

    /// Waits until this many more appends were acknowledged.
    async fn burn(&self, appends: usize) {
        let goal = self.acknowledged.load(SeqCst) + appends;
        eventually("appends are acknowledged", async || {
            self.acknowledged.load(SeqCst) >= goal
        })
        .await;
    }

    async fn end(self) -> (HashMap<Uuid, i64>, Reader) {
        self.done.store(true, SeqCst);
        let mut acknowledged = HashMap::new();
        for writer in self.writers {
            acknowledged.extend(in_time("a writer", writer).await.unwrap());
        }
        (
            acknowledged,
            in_time("the reader", self.reader).await.unwrap(),
        )
    }
}

/// The position of each acknowledged event.
async fn writer(
    url: String,
    number: usize,
    commit: Commit,
    done: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
) -> HashMap<Uuid, i64> {
    let (mut random, mut acknowledged) = (Random::new(), HashMap::new());
    while !done.load(SeqCst) {
        let mut session = reconnect(&url, "writer").await;
        if session.batch_execute(commit.settings()).await.is_err() {
            continue;
        }
        while !done.load(SeqCst) {
            let own = format!("own-{number}");
            let mut append = Append::one(&own, None);
            if random.once_in(3) {
                let shared = format!("shared-{}", random.below(4));
                append = append.check(&shared, None).event(&shared);
            }
            let result = if random.once_in(3) {
                in_transaction(&mut session, &append, &mut random).await
            } else {
                append.send(&*session).await.map(Some)
            };
            match result {
                Ok(Some(done)) => {
                    let first = done.first.unwrap();
                    acknowledged.extend(append.ids().zip(first..));
                    count.fetch_add(1, SeqCst);
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
    }
    acknowledged
}

/// Commits late or not at all.
async fn in_transaction(
    session: &mut Session,
    append: &Append,
    random: &mut Random,
) -> Result<Option<Done>, tokio_postgres::Error> {
    let transaction = session.transaction().await?;
    let done = append.send(&transaction).await?;
    random.nap(3_000).await;
    if random.once_in(4) {
        transaction.rollback().await?;
        return Ok(None);
    }
    transaction.commit().await?;
    Ok(Some(done))
}

async fn reader(url: String, done: Arc<AtomicBool>) -> Reader {
    let mut reader = Reader {
        events: Vec::new(),
        checkpoint: 0,
        crashes: 0,
    };
    loop {
        let session = reconnect(&url, "reader").await;
        let ended = loop {
            let ending = done.load(SeqCst);
            match follow(&session, &mut reader).await {
                Ok(()) if ending => break true,
                Ok(()) => {}
                Err(_) => break false,
            }
        };
        // Writers may still be ending, so the caller looks once more at the end.
        if ended {
            return reader;
        }
        reader.crashes += 1;
    }
}

/// Reads up to the safe position and makes that the checkpoint. Pages may go beyond it.
async fn follow(session: &Session, reader: &mut Reader) -> Result<(), tokio_postgres::Error> {
    let safe = safe_position(&**session).await?;
    loop {
        let page = read_all(&**session, reader.checkpoint, 100).await?;
        let full = page.len() == 100;
        if let Some(last) = page.last() {
            reader.checkpoint = last.position;
        }
        reader.events.extend(page);
        if !full {
            break;
        }
    }
    reader.checkpoint = reader.checkpoint.max(safe);
    Ok(())
}

/// A server process that serves a writer.
async fn victim(session: &Session) -> u32 {
    let sql = "SELECT pid FROM pg_stat_activity
                WHERE application_name = 'writer' ORDER BY random() LIMIT 1";
    loop {
        if let Some(row) = session.query_typed(sql, &[]).await.unwrap().first() {
            return row.get::<_, i32>(0) as u32;
        }
    }
}

async fn burn_down(crash: Crash, crashes: usize, commit: Commit) {
    let mut server = Server::start(options()).unwrap();
    let url = server.create_database("crash").unwrap();
    let fire = Fire::start(&url, commit);
    for _ in 0..crashes {
        fire.burn(100).await;
        match crash {
            Crash::Backend => {
                let session = reconnect(&url, "killer").await;
                server.signal(victim(&session).await, "KILL").unwrap();
                eventually("the server notices", async || session.is_closed()).await;
            }
            Crash::Postmaster => server.kill_postmaster_9().unwrap(),
            Crash::Everything => server.crash().unwrap(),
        }
        server.start_again().unwrap();
    }
    fire.burn(100).await;
    let url = fire.url.clone();
    let (acknowledged, mut reader) = fire.end().await;
    assert!(
        reader.crashes >= crashes,
        "the reader went through {} crashes",
        reader.crashes
    );

    let session = reconnect(&url, "checker").await;
    follow(&session, &mut reader).await.unwrap();
    let events = truth(&*session).await;
    let by_position: HashMap<i64, Uuid> = events.iter().map(|e| (e.position, e.id)).collect();
    let by_id: HashMap<Uuid, i64> = events.iter().map(|e| (e.id, e.position)).collect();

    // Every event reached the reader once and in order, however often the server crashed.
    let mut kept = reader.events.clone();
    assert!(
        kept.windows(2)
            .all(|pair| pair[0].position < pair[1].position)
    );
    kept.retain(|event| by_id.contains_key(&event.id));
    let missed = events.iter().filter(|event| !kept.contains(event)).count();
    assert_eq!(
        missed,
        0,
        "events that the reader missed, of {}",
        events.len()
    );

    // A position that was ever returned never holds another event.
    let shown = reader.events.iter().map(|event| (event.id, event.position));
    for (id, position) in shown.chain(acknowledged.iter().map(|(id, position)| (*id, *position))) {
        assert!(
            by_position.get(&position).is_none_or(|there| *there == id),
            "{position} used twice"
        );
    }
    let lost = acknowledged
        .iter()
        .filter(|(id, position)| by_id.get(id) != Some(position))
        .count();
    let vanished = reader.events.len() - kept.len();
    if commit != Commit::Asynchronous {
        assert_eq!(lost, 0, "acknowledged events are lost");
        assert_eq!(vanished, 0, "events were read that are gone");
    }
    println!(
        "crash: {crashes} crashes, {} events, {} acknowledged, {lost} of them lost, {vanished} seen and lost \
         ({})",
        events.len(),
        acknowledged.len(),
        commit.settings(),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_appends_survive_kill_9_of_backends() {
    burn_down(Crash::Backend, 4, Commit::Synchronous).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_appends_survive_kill_9_of_the_postmaster() {
    burn_down(Crash::Postmaster, 3, Commit::Synchronous).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_appends_survive_also_where_locks_are_released_before_the_flush() {
    burn_down(Crash::Everything, 4, Commit::EarlyLockRelease).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_once_shown_are_never_reused_even_if_a_crash_loses_unsynchronous_commits() {
    burn_down(Crash::Everything, 4, Commit::Asynchronous).await;
}

/// The last append before a crash may have drawn from a block that was reserved a moment before.
#[tokio::test]
async fn positions_go_on_above_every_safe_position_given_before_a_crash_or_a_restart() {
    let mut server = Server::start(options()).unwrap();
    let url = server.create_database("positions").unwrap();
    let mut highest = 0;
    for round in 0..6_usize {
        let session = reconnect(&url, "fire").await;
        session
            .batch_execute("SET synchronous_commit = off")
            .await
            .unwrap();
        let safe = safe_position(&*session).await.unwrap();
        // From just below the end of a block to many blocks at once.
        for count in [1, 1 << round, 1_100 * round] {
            let mut append = Append::new().check("s", None);
            for _ in 0..count {
                append = append.event("s");
            }
            if let Some(first) = append.send(&*session).await.unwrap().first {
                assert!(first > highest, "{first} after {highest}");
                assert!(first > safe);
            }
        }
        highest = safe_position(&*session).await.unwrap();
        drop(session);
        match round % 3 {
            0 => server.crash().unwrap(),
            1 => server.kill_postmaster_9().unwrap(),
            _ => server.stop().unwrap(),
        }
        server.start_again().unwrap();
        // Before the next append, nothing is readable that was not readable before.
        let session = reconnect(&url, "fire").await;
        assert_eq!(read_all(&*session, highest, 10).await.unwrap(), []);
        if round % 3 == 2 {
            assert!(safe_position(&*session).await.unwrap() <= highest);
        }
    }
}
