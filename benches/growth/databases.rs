//! Databases of a server. Those with a notifier cannot be taken away and brought back between two
//! turns, so each number has a server of its own; without appends, its notifiers sleep.

use anyhow::Result;
use eventcore_benches::database::{Database, Server};
use eventcore_benches::pgbench::Clients;

use crate::ladder::Rung;
use crate::writers::{WRITERS, new_streams};
use crate::{Growth, options};

const DATABASES: [u64; 3] = [1, 8, 64];

const APPEND: &str = "SELECT eventcore_append('{s}', '{0}', '{s}', '{A}', '{1}', NULL)";

struct Measured {
    writers: Clients,
    /// Ended last.
    _server: eventcore_harness::Server,
}

pub(crate) async fn run(growth: &mut Growth) -> Result<()> {
    let mut servers = Vec::new();
    for count in DATABASES {
        servers.push(prepare(growth, count).await?);
    }
    let rung = Rung {
        work: "1 event, new stream",
        growing: "databases with the extension",
        clients: WRITERS,
        counted: "appends/s",
        target: Some(0.95),
    };
    let slice = growth.slice;
    growth
        .climb(&rung, &DATABASES, async |at| {
            servers[at].writers.rate(slice).await
        })
        .await
}

/// A server with this many databases, each with an event and a notifier.
async fn prepare(growth: &Growth, count: u64) -> Result<Measured> {
    let private = eventcore_harness::Server::start(options())?;
    let server = Server::new(&private.create_database("bench")?)?;
    let mut measured: Option<Database> = None;
    for number in 0..count {
        let database = server.fresh_database(&format!("growth_{number}")).await?;
        database.execute(APPEND).await?;
        measured.get_or_insert(database);
    }
    let Some(measured) = measured else {
        anyhow::bail!("a server has at least one database");
    };
    Ok(Measured {
        writers: growth.writers(&measured, &new_streams()).await?,
        _server: private,
    })
}
