//! Many sessions, of which some wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use anyhow::Result;
use eventcore_benches::database::Database;
use futures_util::future::try_join_all;
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// How many connect at once.
const AT_ONCE: usize = 20;

/// Connected sessions, by number.
pub(crate) struct Sessions(Vec<Client>);

/// Sessions of which some repeat a statement that waits.
pub(crate) struct Waiting {
    idle: Vec<Client>,
    tasks: JoinSet<Result<Client, tokio_postgres::Error>>,
    over: Arc<AtomicBool>,
}

impl Sessions {
    pub(crate) async fn connect(database: &Database, count: usize) -> Result<Self> {
        let mut sessions = Vec::with_capacity(count);
        while sessions.len() < count {
            let more = AT_ONCE.min(count - sessions.len());
            sessions.extend(try_join_all((0..more).map(|_| database.connect())).await?);
        }
        // Each has loaded what it needs to run a statement.
        try_join_all(sessions.iter().map(|one| one.batch_execute("SELECT 1"))).await?;
        Ok(Self(sessions))
    }

    /// The first `count` of them repeat a statement, which ends by itself after a while.
    pub(crate) fn start(mut self, count: usize, statement: fn(usize) -> String) -> Waiting {
        let idle = self.0.split_off(count);
        let over = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for (number, session) in self.0.into_iter().enumerate() {
            let (statement, over) = (statement(number), Arc::clone(&over));
            tasks.spawn(async move {
                while !over.load(SeqCst) {
                    session.batch_execute(&statement).await?;
                }
                Ok(session)
            });
        }
        Waiting { idle, tasks, over }
    }

    /// The first `count` of them run a statement once.
    pub(crate) async fn each(&self, count: usize, statement: &str) -> Result<()> {
        let some = self.0.iter().take(count);
        try_join_all(some.map(|session| session.batch_execute(statement))).await?;
        Ok(())
    }
}

impl Waiting {
    /// Once their statements have ended by themselves.
    pub(crate) async fn end(mut self) -> Result<Sessions> {
        self.over.store(true, SeqCst);
        let mut sessions = self.idle;
        while let Some(session) = self.tasks.join_next().await {
            sessions.push(session??);
        }
        Ok(Sessions(sessions))
    }
}
