//! HAProxy beside the clients: one port leads to the primary, another to the standbys.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use eventcore_harness::Account;
use tokio_postgres::Config;

use crate::cluster::Cluster;
use crate::network::{NODES, Place};
use crate::process::Process;

/// The configuration in docs/operations/replication.md.
const CONFIGURATION: &str = include_str!("../haproxy.cfg");

const PRIMARY: u16 = 5000;
const STANDBYS: u16 = 5001;

/// A running HAProxy, killed when dropped.
#[derive(Debug)]
pub(crate) struct HaProxy {
    address: String,
    process: Process,
}

impl HaProxy {
    pub(crate) fn start(cluster: &Cluster, folder: &Path) -> Result<Self> {
        let file = folder.join("haproxy.cfg");
        fs::write(&file, CONFIGURATION)
            .with_context(|| format!("cannot write {}", file.display()))?;
        Account::for_servers()?.give(&file)?;
        let address = cluster.network.address(Place::Clients);
        let mut command = cluster.command(Place::Clients, "haproxy")?;
        command.arg("-db").arg("-f").arg(&file);
        command.env("ADDRESS", &address);
        for node in 0..NODES {
            command.env(format!("N{}", node + 1), cluster.address(node));
        }
        let process = Process::start(&mut command, &folder.join("haproxy.log"))?;
        Ok(Self { address, process })
    }

    /// The URL of the current primary.
    pub(crate) fn primary(&self, cluster: &Cluster, user: &str, database: &str) -> Config {
        cluster.at(&self.address, PRIMARY, user, database)
    }

    /// The URL of one of the standbys.
    pub(crate) fn standbys(&self, cluster: &Cluster, user: &str, database: &str) -> Config {
        cluster.at(&self.address, STANDBYS, user, database)
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.has_ended()
    }
}
