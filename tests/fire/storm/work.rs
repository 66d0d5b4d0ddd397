//! The work during the storm. Each worker retries until it knows the outcome.

use super::*;
use tokio_postgres::Error;

/// A session that is replaced whenever it is lost.
pub(super) struct Worker {
    storm: Arc<Storm>,
    session: Option<Session>,
    random: Random,
}

impl Worker {
    pub(super) fn new(storm: &Arc<Storm>) -> Self {
        Self {
            storm: Arc::clone(storm),
            session: None,
            random: Random::new(),
        }
    }

    /// Its session. One statement in four has little time.
    async fn session(&mut self) -> &mut Session {
        loop {
            if self
                .session
                .as_ref()
                .is_none_or(|session| session.is_closed())
            {
                self.session = Some(reconnect(&self.storm.url, "worker").await);
            }
            let limits = match self.random.below(8) {
                0 => format!(
                    "SET statement_timeout = {}; SET lock_timeout = 0",
                    1 + self.random.below(40)
                ),
                1 => format!(
                    "SET lock_timeout = {}; SET statement_timeout = 0",
                    1 + self.random.below(20)
                ),
                _ => "SET statement_timeout = '10s'; SET lock_timeout = 0".to_owned(),
            };
            let session = self.session.as_ref().unwrap();
            self.storm.statements.fetch_add(1, SeqCst);
            match session.batch_execute(&limits).await {
                Ok(()) => return self.session.as_mut().unwrap(),
                Err(error) => self.met(&error, "settings"),
            }
        }
    }

    fn met(&self, error: &Error, doing: &str) {
        self.storm.met(error, doing);
    }

    /// Sends an append until it is acknowledged.
    async fn append(&mut self, append: &Append) {
        loop {
            let session = self.session().await;
            match append.send(&**session).await {
                Ok(_) => return,
                Err(error) => self.met(&error, "an append"),
            }
        }
    }
}

/// Appends of one to three events to streams of its own.
pub(super) async fn append(mut worker: Worker, number: usize) -> HashMap<String, Vec<Uuid>> {
    let mut written: HashMap<String, Vec<Uuid>> = HashMap::new();
    while !worker.storm.is_over() {
        let stream = format!("a{number}-{}", worker.random.below(5));
        let ids = written.entry(stream.clone()).or_default();
        let mut append = Append::new().check(&stream, Some(ids.len() as i64));
        for _ in 0..=worker.random.below(3) {
            append = append.event(&stream);
        }
        worker.append(&append).await;
        ids.extend(append.ids());
        // Readers must be able to keep up.
        worker.random.nap(40_000).await;
    }
    written
}

/// Appends to many new streams in one statement.
pub(super) async fn import(mut worker: Worker) -> HashMap<String, Vec<Uuid>> {
    let mut written = HashMap::new();
    let mut batch = 0;
    while !worker.storm.is_over() {
        batch += 1;
        let mut append = Append::new();
        for stream in 0..20 + worker.random.below(30) {
            let stream = format!("i{batch}-{stream}");
            append = append.check(&stream, Some(0)).event(&stream);
        }
        worker.append(&append).await;
        for (stream, id) in append.events {
            written.insert(stream, vec![id]);
        }
        worker.random.nap(300_000).await;
    }
    written
}

/// Executes commands on streams that other executors use too; returns the keys.
pub(super) async fn execute(mut worker: Worker, number: usize) -> HashMap<String, usize> {
    const EXECUTE: &str = "SELECT eventcore_execute('decide', jsonb_build_object('stream', $1::text, 'key', $2::text), idempotency_key => $2)";
    let mut keys = HashMap::new();
    while !worker.storm.is_over() {
        let key = format!("{number}-{}", keys.len());
        let stream = format!("x{}", worker.random.below(4));
        loop {
            let session = worker.session().await;
            match session.query_one(EXECUTE, &[&stream, &key]).await {
                Ok(_) => break,
                Err(error) => worker.met(&error, "an execution"),
            }
        }
        keys.insert(key, 0);
    }
    keys
}

/// A consumer records the events that it gets and acknowledges them in one transaction.
pub(super) async fn consume(mut worker: Worker, number: usize) {
    let name = format!("consumer-{number}");
    while !worker.storm.is_over() {
        let session = worker.session().await;
        if let Err(error) = take(session, &name, 300, "200 ms").await {
            worker.met(&error, "a consumer");
        }
    }
}

pub(super) async fn consume_the_rest(storm: &Storm, session: &Session, total: usize) {
    let mut own = reconnect(&storm.url, "consumer").await;
    until_complete("the subscription", total, async || {
        take(&mut own, "rest", 1_000, "500 ms").await.unwrap();
        count(session, "SELECT count(*) FROM delivered").await
    })
    .await;
}

async fn take(
    session: &mut Session,
    consumer: &str,
    max_count: u32,
    wait: &str,
) -> Result<(), Error> {
    let poll = format!(
        "SELECT lease_id, position, stream_id, version FROM eventcore_poll('s', '{consumer}', {max_count}, '{wait}')"
    );
    let rows = session.query_typed(&poll, &[]).await?;
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let lease: Uuid = first.get(0);
    let (mut streams, mut versions) = (Vec::new(), Vec::new());
    for row in &rows {
        streams.push(row.get::<_, String>(2));
        versions.push(row.get::<_, i64>(3));
    }
    let transaction = session.transaction().await?;
    let insert =
        "INSERT INTO delivered (stream, version) SELECT * FROM unnest($1::text[], $2::bigint[])";
    transaction.execute(insert, &[&streams, &versions]).await?;
    transaction
        .execute("SELECT eventcore_ack('s', $1)", &[&lease])
        .await?;
    transaction.commit().await
}

/// Follows the global order.
pub(super) async fn read(mut worker: Worker) -> Follower {
    let mut follower = Follower::new("the reader");
    while !worker.storm.is_over() {
        let after = follower.last();
        let session = worker.session().await;
        match read_all(&**session, after, 500).await {
            Ok(events) => follower.take(events),
            Err(error) => worker.met(&error, "a reader"),
        }
        let session = worker.session().await;
        if let Err(error) = wait(&**session, after, 1).await {
            worker.met(&error, "a waiter");
        }
    }
    follower
}
