//! etcd and three nodes: starting and killing them, and reading their state.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use eventcore_harness::{Account, random_password, signal};
use tokio_postgres::config::{LoadBalanceHosts, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls};

use crate::network::{NODES, Network, Place};
use crate::patroni::{self, Configuration, Member};
use crate::process::{self, Process};

/// From nothing to three streaming nodes: 14 s on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(180);

/// The programs and the folder to work with.
#[derive(Debug)]
pub(crate) struct Programs {
    /// The folder of PostgreSQL's programs.
    pub(crate) binaries: PathBuf,
    pub(crate) patroni: PathBuf,
    /// The folder for all files of this run; the user for servers can write to it.
    pub(crate) folder: PathBuf,
}

/// The running cluster, killed when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) network: Network,
    programs: Programs,
    password: String,
    nodes: Vec<Node>,
    etcd: Option<Process>,
}

#[derive(Debug)]
struct Node {
    name: String,
    address: String,
    folder: PathBuf,
    patroni: Option<Process>,
}

impl Cluster {
    /// Nothing runs yet.
    pub(crate) fn new(network: Network, programs: Programs) -> Result<Self> {
        let nodes = (0..NODES).map(|node| Node {
            name: format!("n{}", node + 1),
            address: network.address(Place::Node(node)),
            folder: programs.folder.join(format!("n{}", node + 1)),
            patroni: None,
        });
        Ok(Self {
            nodes: nodes.collect(),
            password: random_password()?,
            etcd: None,
            network,
            programs,
        })
    }

    /// Starts etcd and the nodes, and waits until all nodes stream.
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.start_etcd()?;
        for node in 0..NODES {
            self.configure(node)?;
            self.start_node(node)?;
        }
        self.wait_until_well(START_LIMIT).await?;
        Ok(())
    }

    pub(crate) fn name(&self, node: usize) -> &str {
        &self.nodes[node].name
    }

    pub(crate) fn address(&self, node: usize) -> &str {
        &self.nodes[node].address
    }

    /// The URL of one node, for the superuser.
    pub(crate) fn superuser_on(&self, node: usize, database: &str) -> Config {
        self.config("postgres", database, &[node])
    }

    /// The URL of one node, for a role whose password is the cluster's.
    pub(crate) fn on(&self, node: usize, user: &str, database: &str) -> Config {
        self.config(user, database, &[node])
    }

    /// The URL of the nodes, which leads to the one that accepts writes.
    pub(crate) fn read_write(&self, user: &str, database: &str) -> Config {
        let mut config = self.config(user, database, &[0, 1, 2]);
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .load_balance_hosts(LoadBalanceHosts::Random);
        config
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// The cluster as the first node that answers sees it.
    pub(crate) async fn members(&self) -> Result<Vec<Member>> {
        let mut reason = None;
        for node in &self.nodes {
            match patroni::members(&node.address).await {
                Ok(members) => return Ok(members),
                Err(error) => reason = Some(error),
            }
        }
        Err(reason.context("there are no nodes")?)
    }

    /// The leading node, if there is one.
    pub(crate) async fn leader(&self) -> Option<usize> {
        let members = self.members().await.ok()?;
        let leader = members.iter().find(|member| member.is_leader())?;
        self.nodes.iter().position(|node| node.name == leader.name)
    }

    /// Waits until one node leads and all others stream from it; returns how long that took.
    pub(crate) async fn wait_until_well(&self, limit: Duration) -> Result<Duration> {
        let start = Instant::now();
        loop {
            let members = self.members().await;
            let known = members
                .as_ref()
                .is_ok_and(|all| patroni::all_well(all, NODES));
            if known && self.is_well().await.unwrap_or(false) {
                return Ok(start.elapsed());
            }
            if start.elapsed() > limit {
                bail!(
                    "the cluster is not well after {} s: {members:?}",
                    limit.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The state in the leader's own server, because Patroni's view is some seconds old.
    async fn is_well(&self) -> Result<bool> {
        let leader = self.leader().await.context("no node leads")?;
        let asked = async {
            let client = connect(&self.superuser_on(leader, "postgres")).await?;
            let streaming = "SELECT count(*) FROM pg_stat_replication
                              WHERE state = 'streaming' AND NOT pg_is_in_recovery()";
            Ok::<i64, anyhow::Error>(client.query_one(streaming, &[]).await?.get(0))
        };
        let streaming = tokio::time::timeout(Duration::from_secs(3), asked).await??;
        Ok(usize::try_from(streaming).ok() == Some(NODES - 1))
    }

    /// Starts a node's Patroni, which starts its server, unless it runs.
    pub(crate) fn start_node(&mut self, node: usize) -> Result<()> {
        let patroni = &mut self.nodes[node].patroni;
        if patroni.as_mut().is_some_and(|process| !process.has_ended()) {
            return Ok(());
        }
        let program = self.programs.patroni.to_string_lossy().into_owned();
        let mut command = self.command(Place::Node(node), &program)?;
        let node = &mut self.nodes[node];
        command.arg(node.folder.join("patroni.yml"));
        node.patroni = Some(Process::start(&mut command, &node.folder.join("log"))?);
        Ok(())
    }

    /// `kill -9` of a node's postmaster; Patroni continues. Returns whether there was one.
    pub(crate) fn kill_postmaster(&self, node: usize) -> Result<bool> {
        let Some(postmaster) = process::postmaster(&self.nodes[node].folder.join("data")) else {
            return Ok(false);
        };
        signal(postmaster, "KILL")?;
        Ok(true)
    }

    /// `kill -9` of everything on a node, like a loss of power.
    pub(crate) fn kill_node(&mut self, node: usize) -> Result<()> {
        self.nodes[node].kill()
    }

    /// Sends a signal to a node's Patroni.
    pub(crate) fn signal_patroni(&self, node: usize, name: &str) -> Result<()> {
        if let Some(patroni) = &self.nodes[node].patroni {
            signal(patroni.pid(), name)?;
        }
        Ok(())
    }

    /// The folder for all files of this run.
    pub(crate) fn folder(&self) -> &Path {
        &self.programs.folder
    }

    /// Copies the logs of all programs to a folder.
    pub(crate) fn keep_logs(&self, to: &Path) -> Result<()> {
        fs::create_dir_all(to)?;
        let mut logs: Vec<(PathBuf, String)> = Vec::new();
        for node in &self.nodes {
            logs.push((node.folder.join("log"), format!("{}.log", node.name)));
        }
        for name in ["etcd.log", "haproxy.log"] {
            logs.push((self.programs.folder.join(name), name.to_owned()));
        }
        for (from, name) in logs.iter().filter(|(from, _)| from.is_file()) {
            fs::copy(from, to.join(name))?;
        }
        Ok(())
    }

    fn start_etcd(&mut self) -> Result<()> {
        let address = self.network.address(Place::Etcd);
        let (client, peer) = (
            format!("http://{address}:2379"),
            format!("http://{address}:2380"),
        );
        let mut command = self.command(Place::Etcd, "etcd")?;
        command.args(["--name", "etcd", "--logger", "zap", "--log-level", "warn"]);
        command
            .arg("--data-dir")
            .arg(self.programs.folder.join("etcd"));
        command.args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ]);
        command.args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ]);
        command.arg("--initial-cluster").arg(format!("etcd={peer}"));
        let log = self.programs.folder.join("etcd.log");
        self.etcd = Some(Process::start(&mut command, &log)?);
        Ok(())
    }

    fn configure(&self, node: usize) -> Result<()> {
        let account = Account::for_servers()?;
        let node = &self.nodes[node];
        DirBuilder::new().mode(0o700).create(&node.folder)?;
        account.give(&node.folder)?;
        let text = Configuration {
            name: &node.name,
            address: &node.address,
            etcd: &self.network.address(Place::Etcd),
            network: self.network.range(),
            binaries: &self.programs.binaries,
            folder: &node.folder,
            password: &self.password,
        }
        .text();
        let file = node.folder.join("patroni.yml");
        fs::write(&file, text)?;
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        account.give(&file)?;
        Ok(())
    }

    /// Without the caller's settings for PostgreSQL, Patroni and Python.
    pub(crate) fn command(&self, place: Place, program: &str) -> Result<Command> {
        let mut command = self.network.command(place, program)?;
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let foreign = ["PG", "PATRONI", "PYTHON", "ETCD", "RUST_"];
            if foreign.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name.as_ref());
            }
        }
        command
            .env("HOME", &self.programs.folder)
            .env("LC_ALL", "C.UTF-8");
        Ok(command)
    }

    fn config(&self, user: &str, database: &str, nodes: &[usize]) -> Config {
        let mut config = self.login(user, database);
        for node in nodes {
            config.host(&self.nodes[*node].address).port(5432);
        }
        config
    }

    /// The URL of a server that accepts the nodes' passwords.
    pub(crate) fn at(&self, address: &str, port: u16, user: &str, database: &str) -> Config {
        let mut config = self.login(user, database);
        config.host(address).port(port);
        config
    }

    fn login(&self, user: &str, database: &str) -> Config {
        let mut config = Config::new();
        config
            .user(user)
            .password(&self.password)
            .dbname(database)
            .connect_timeout(Duration::from_secs(2))
            .tcp_user_timeout(Duration::from_secs(5))
            .application_name("failover");
        config
    }
}

impl Node {
    fn kill(&mut self) -> Result<()> {
        let mut pids = process::server_processes(&self.folder.join("data"));
        // Patroni first: it must not see its server end.
        if let Some(patroni) = &mut self.patroni {
            patroni.kill_9();
        }
        self.patroni = None;
        // What Patroni was just starting.
        pids.extend(process::server_processes(&self.folder.join("data")));
        process::kill_all_9(&pids)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            if let Err(error) = node.kill() {
                eprintln!("cannot stop {}: {error}", node.name);
            }
        }
    }
}

/// Connects; a task drives the connection.
pub(crate) async fn connect(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
