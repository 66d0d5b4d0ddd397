//! What every work needs: a server, fresh databases, and the time to measure.

use std::time::Duration;

use anyhow::Result;
use eventcore_benches::database::{Database, Server};
use eventcore_benches::pgbench::{Clients, Script};
use eventcore_benches::rounds::{self, Round};

const DATABASE: &str = "eventcore_bench_work";

/// Until every backend has connected, loaded its catalogs and made a generic plan, which takes six
/// transactions.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long one side runs before the other's turn: so short that a disturbance of the machine
/// affects both.
const SLICE: Duration = Duration::from_millis(250);

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

    /// A new database with an empty event store, and the table that references write.
    pub(crate) async fn database(&self) -> Result<Database> {
        let database = self.server.fresh_database(DATABASE).await?;
        database.execute(include_str!("bare.sql")).await?;
        Ok(database)
    }

    /// Drops what the last work left behind.
    pub(crate) async fn clean_up(&self) -> Result<()> {
        self.server.drop_database(DATABASE).await
    }

    /// Two scripts in turns; in events per second.
    pub(crate) async fn compare(
        &self,
        database: &Database,
        scripts: [&Script; 2],
        clients: u32,
    ) -> Result<Vec<Round>> {
        let [measured, reference] = scripts;
        let measured = self.clients(database, measured, clients).await?;
        let reference = self.clients(database, reference, clients).await?;
        self.alternate(measured, reference).await
    }

    /// Clients that run when it is their turn.
    pub(crate) async fn clients(
        &self,
        database: &Database,
        script: &Script,
        clients: u32,
    ) -> Result<Clients> {
        let slices = u32::try_from(self.rounds * self.slices())?;
        // Twice the time of both, plus time for delays.
        let at_most = (SLICE * 2 * slices + WARM_UP) * 2 + Duration::from_secs(60);
        Clients::start(database, script, clients, WARM_UP, at_most).await
    }

    /// Both in turns.
    pub(crate) async fn alternate(
        &self,
        mut measured: Clients,
        mut reference: Clients,
    ) -> Result<Vec<Round>> {
        self.take_turns(
            async |slice| measured.rate(slice).await,
            async |slice| reference.rate(slice).await,
        )
        .await
    }

    /// Two rates, each measured in short slices of time, in turns. The value of a round is the mean
    /// of its slices.
    pub(crate) async fn take_turns(
        &self,
        mut measured: impl AsyncFnMut(Duration) -> Result<f64>,
        mut reference: impl AsyncFnMut(Duration) -> Result<f64>,
    ) -> Result<Vec<Round>> {
        let slices = rounds::alternate(
            self.rounds * self.slices(),
            async |_| measured(SLICE).await,
            async |_| reference(SLICE).await,
        )
        .await?;
        Ok(slices.chunks(self.slices()).map(rounds::mean).collect())
    }

    /// How many slices of each side a round has.
    fn slices(&self) -> usize {
        let slices = self.measured.as_millis() / SLICE.as_millis();
        usize::try_from(slices).unwrap_or(usize::MAX).max(1)
    }
}
