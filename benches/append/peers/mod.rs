//! Comparison with other event stores, each at what it does best, in turns on one machine.

mod commands;
mod driver;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds::{self, Round};
use eventcore_harness::{SUPERUSER, Server, ServerOptions};

use self::commands::{Command, Commands};
use self::driver::{Driver, Work};
use crate::batch::Streams;
use crate::batches::{Session, Way};
use crate::bench::Bench;
use crate::single::{CLIENTS, UNIT, one_event};

const UMADB: Peer = Peer {
    name: "UmaDB 0.7.8",
    guarantee: "durable when acknowledged; conditions checked one append after the other; gapless \
                order of commits",
};
const EVENTCORE_POSTGRES: Peer = Peer {
    name: "eventcore-postgres 2.1.0",
    guarantee: "durable when acknowledged; versions checked under locks; who reads on after the \
                last event seen can miss one that commits late; not idempotent",
};

/// Another event store.
struct Peer {
    name: &'static str,
    /// As far as we know; more in `benches/peers/README.md`.
    guarantee: &'static str,
}

/// What `cargo xtask bench peers` has installed and started.
#[derive(clap::Args)]
pub(crate) struct Peers {
    /// The program of `benches/peers`
    #[arg(long, value_name = "PROGRAM", requires = "umadb")]
    driver: Option<PathBuf>,
    /// The URL of a server of UmaDB without events
    #[arg(long, value_name = "URL", requires = "driver")]
    umadb: Option<String>,
}

impl Peers {
    /// The driver and the server of UmaDB, if there are any.
    pub(crate) fn given(&self) -> Option<(Driver, &str)> {
        let driver = Driver::new(self.driver.clone()?);
        Some((driver, self.umadb.as_deref()?))
    }
}

/// Appends against UmaDB, commands against eventcore-postgres.
pub(crate) async fn run(
    bench: &Bench,
    report: &mut Report,
    (driver, umadb): (Driver, &str),
) -> Result<()> {
    for (clients, target) in [(1, 2.5), (CLIENTS, 1.3), (64, 1.0)] {
        let database = bench.database().await?;
        let [append, _] = one_event();
        let mut ours = bench.clients(&database, &append, clients).await?;
        let rounds = rounds::alternate(
            bench.rounds,
            async |_| ours.rate(bench.measured).await,
            async |_| driver.umadb(umadb, Work::One, clients, bench.measured),
        )
        .await?;
        push(
            report,
            "1 event, new stream",
            &UMADB,
            clients,
            UNIT,
            rounds,
            Some(target),
        );
    }
    let rounds = batches(bench, &driver, umadb).await?;
    push(
        report,
        "1,000 events, new stream",
        &UMADB,
        1,
        UNIT,
        rounds,
        Some(1.0),
    );

    // It sets parameters that begin with `eventcore.`, a prefix that the extension reserves where
    // it is loaded.
    let server = Server::start(ServerOptions::new().without_preload())?;
    server.create_empty_database("peer")?;
    // Its driver accepts no URL with a user and without a host.
    let theirs = format!(
        "postgresql:///peer?host={}&port={}&user={SUPERUSER}",
        server.socket_folder().display(),
        server.port()
    );
    for (command, target) in [
        (Command::One, Some(3.0)),
        (Command::Two, Some(10.0)),
        (Command::Transfer, None),
        (Command::CachedTransfer, Some(3.0)),
    ] {
        let database = bench.database().await?;
        let mut ours = Commands::new(&database, command, CLIENTS).await?;
        let rounds = rounds::alternate(
            bench.rounds,
            async |_| ours.rate(bench.measured).await,
            async |_| {
                let work = command.of_the_driver();
                driver.eventcore_postgres(&theirs, work, CLIENTS, bench.measured)
            },
        )
        .await?;
        push(
            report,
            command.name(),
            &EVENTCORE_POSTGRES,
            CLIENTS,
            "commands/s",
            rounds,
            target,
        );
    }
    Ok(())
}

async fn batches(bench: &Bench, driver: &Driver, umadb: &str) -> Result<Vec<Round>> {
    let database = bench.database().await?;
    let mut session = Session::connect(&database, Way::Append).await?;
    session.warm_up(Streams::One).await?;
    rounds::alternate(
        bench.rounds,
        async |_| session.rate(Streams::One, bench.measured).await,
        async |_| driver.umadb(umadb, Work::Batch, 1, bench.measured),
    )
    .await
}

fn push(
    report: &mut Report,
    work: &str,
    peer: &Peer,
    clients: u32,
    unit: &'static str,
    rounds: Vec<Round>,
    target: Option<f64>,
) {
    let target = target.map(Target::AtLeast);
    let comparison = Comparison::new(work, peer.name, clients, unit, rounds, target);
    report.comparisons.push(comparison.against(peer.guarantee));
}

/// Whole seconds, at least one: the driver accepts nothing else.
fn seconds(time: Duration) -> String {
    time.as_secs().max(1).to_string()
}
