//! What every work is given: a server, fresh databases, and how long to measure.

use std::time::Duration;

use anyhow::Result;
use eventcore_benches::database::{Database, Server};
use eventcore_benches::pgbench::{self, Script, Slice};
use eventcore_benches::rounds::{self, Round};

const DATABASE: &str = "eventcore_bench_work";

/// Until every backend has loaded its catalogs and has a generic plan, which takes it six
/// transactions.
const WARM_UP: Duration = Duration::from_secs(1);

pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) rounds: usize,
    pub(crate) measured: Duration,
}

impl Bench {
    pub(crate) fn new(server: Server, rounds: u16, seconds: u16) -> Self {
        Self {
            server,
            rounds: rounds.into(),
            measured: Duration::from_secs(seconds.into()),
        }
    }

    /// A new database with an empty event store, and beside it the table that references write.
    pub(crate) async fn database(&self) -> Result<Database> {
        let database = self.server.fresh_database(DATABASE).await?;
        database.execute(include_str!("bare.sql")).await?;
        Ok(database)
    }

    /// Drops what the last work has left.
    pub(crate) async fn clean_up(&self) -> Result<()> {
        self.server.drop_database(DATABASE).await
    }

    /// Transactions per second of one turn.
    pub(crate) fn rate(&self, database: &Database, script: &Script, clients: u32) -> Result<f64> {
        let slice = Slice {
            warm_up: WARM_UP,
            measured: self.measured,
        };
        pgbench::rate(database, script, clients, slice)
    }

    /// Two scripts in turns; in events per second.
    pub(crate) async fn compare(
        &self,
        database: &Database,
        [measured, reference]: [&Script; 2],
        clients: u32,
        events: u32,
    ) -> Result<Vec<Round>> {
        let rate = async |script| Ok(self.rate(database, script, clients)? * f64::from(events));
        rounds::alternate(
            self.rounds,
            async |_| rate(measured).await,
            async |_| rate(reference).await,
        )
        .await
    }
}
