//! Faults, chosen by a seed: injected, held for a while, undone.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::cluster::Cluster;
use crate::load::Load;
use crate::network::{NODES, Place};
use crate::patroni;
use crate::random::Random;

/// Until all nodes stream again after a fault is undone: a lease of 20 s, a rewind or a clone, a
/// start.
const HEAL_LIMIT: Duration = Duration::from_secs(150);

/// Until writers have cancelled, and before Patroni removes the isolated standbys from the quorum.
const WAITING: Duration = Duration::from_millis(4_500);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    KillPostmaster,
    /// The server and Patroni at once
    KillNode,
    /// With SIGSTOP: the server continues
    StopPatroni,
    CutFromEtcd,
    CutFromNodes,
    CutFromClients,
    Isolate,
    /// Commits wait for isolated standbys, some waits are cancelled, and then the node is killed
    CutAndKill,
    Switchover,
    Restart,
}

const KINDS: [Kind; 10] = [
    Kind::KillPostmaster,
    Kind::KillNode,
    Kind::StopPatroni,
    Kind::CutFromEtcd,
    Kind::CutFromNodes,
    Kind::CutFromClients,
    Kind::Isolate,
    Kind::CutAndKill,
    Kind::Switchover,
    Kind::Restart,
];

/// Which faults, and for how long.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    /// All kinds, when empty.
    pub(crate) only: Vec<Kind>,
    pub(crate) time: Duration,
}

/// One fault of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    kind: Kind,
    /// The current leader, or the node this many places after it.
    after_leader: usize,
    /// How long the cluster is left alone before it.
    pause: Duration,
    /// How long it lasts.
    hold: Duration,
}

/// The endless plan of a seed: every kind once per round, in a random order.
struct Plan {
    random: Random,
    kinds: Vec<Kind>,
    round: Vec<Kind>,
}

/// The injected faults, and their results.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) by_kind: BTreeMap<Kind, u64>,
    pub(crate) failovers: u64,
    /// The longest time from the end of a fault until all nodes streamed.
    pub(crate) longest_healing: Duration,
}

/// Injects faults for the given time, and waits after each until the cluster is healthy.
pub(crate) async fn make(cluster: &mut Cluster, load: &Load, options: &Options) -> Result<Report> {
    let mut plan = Plan::new(options.seed, cluster.network.can_cut(), &options.only);
    ensure!(
        !plan.kinds.is_empty(),
        "without network namespaces no link can be cut"
    );
    let mut report = Report::default();
    let start = Instant::now();
    let mut leader = cluster.leader().await.context("no node leads")?;
    while start.elapsed() < options.time {
        let fault = plan.next();
        tokio::time::sleep(fault.pause).await;
        let node = (leader + fault.after_leader) % NODES;
        let role = if fault.after_leader == 0 {
            "primary"
        } else {
            "standby"
        };
        print!(
            "{:6.1} s  {}: {} ({role})",
            start.elapsed().as_secs_f64(),
            fault.kind,
            cluster.name(node)
        );
        let before = load.acknowledged();
        let note = make_one(cluster, fault, node, leader).await?;
        *report.by_kind.entry(fault.kind).or_default() += 1;
        let healing = cluster.wait_until_well(HEAL_LIMIT).await?;
        report.longest_healing = report.longest_healing.max(healing);
        let now = cluster.leader().await.context("no node leads")?;
        let failed_over = if now == leader {
            String::new()
        } else {
            report.failovers += 1;
            format!(", {} leads", cluster.name(now))
        };
        leader = now;
        println!(
            "{note}: {} appends meanwhile, well {:.1} s later{failed_over}",
            load.acknowledged() - before,
            healing.as_secs_f64()
        );
    }
    Ok(report)
}

/// Injects the fault, holds it and undoes it; returns a note for the report.
async fn make_one(
    cluster: &mut Cluster,
    fault: Fault,
    node: usize,
    leader: usize,
) -> Result<String> {
    let held = format!(" for {:.1} s", fault.hold.as_secs_f64());
    let cuts = fault.kind.cuts(node);
    for place in &cuts {
        cluster.network.cut(Place::Node(node), *place)?;
    }
    match fault.kind {
        Kind::KillPostmaster => {
            cluster.kill_postmaster(node)?;
            return Ok(String::new());
        }
        Kind::KillNode => cluster.kill_node(node)?,
        Kind::StopPatroni => cluster.signal_patroni(node, "STOP")?,
        Kind::Switchover => {
            let candidate = if node == leader {
                (leader + 1) % NODES
            } else {
                node
            };
            let (from, to) = (cluster.name(leader), cluster.name(candidate));
            return answered(patroni::switchover(cluster.address(leader), from, to).await);
        }
        Kind::Restart => return answered(patroni::restart(cluster.address(node)).await),
        _ => {}
    }
    if fault.kind == Kind::CutAndKill {
        tokio::time::sleep(WAITING).await;
        cluster.kill_node(node)?;
    }
    tokio::time::sleep(fault.hold).await;
    match fault.kind {
        Kind::KillNode | Kind::CutAndKill => cluster.start_node(node)?,
        Kind::StopPatroni => cluster.signal_patroni(node, "CONT")?,
        _ => {}
    }
    for place in &cuts {
        cluster.network.heal(Place::Node(node), *place)?;
    }
    Ok(held)
}

/// Patroni's answer or the error: in a cluster under faults, either may happen.
fn answered(answer: Result<String>) -> Result<String> {
    Ok(match answer {
        Ok(answer) => format!(" [{answer}]"),
        Err(error) => format!(" [{error}]"),
    })
}

impl Plan {
    /// Of these kinds, or of all, as far as they are possible.
    fn new(seed: u64, can_cut: bool, only: &[Kind]) -> Self {
        let kinds = if only.is_empty() { &KINDS } else { only };
        let possible = kinds
            .iter()
            .filter(|kind| can_cut || kind.cuts(0).is_empty());
        Self {
            random: Random::new(seed, 0),
            kinds: possible.copied().collect(),
            round: Vec::new(),
        }
    }

    fn next(&mut self) -> Fault {
        if self.round.is_empty() {
            self.round.clone_from(&self.kinds);
            self.random.shuffle(&mut self.round);
        }
        let kind = self.round.pop().unwrap_or(Kind::KillNode);
        // Usually the primary. Both are drawn for every kind, so that each kind draws the same
        // numbers.
        let after_leader = self.random.pick(&[0, 0, 0, 1, 2]);
        let pause = self.random.millis(1_000, 3_000);
        // Longer than the lease of 20 s, or too short to be noticed, or in between.
        let (long, short) = (
            self.random.millis(25_000, 32_000),
            self.random.millis(500, 15_000),
        );
        let hold = if self.random.once_in(2) { long } else { short };
        // Only commits of a primary wait, and only another primary takes them back.
        let (after_leader, hold) = match kind {
            Kind::CutAndKill => (0, long),
            _ => (after_leader, hold),
        };
        Fault {
            kind,
            after_leader,
            pause,
            hold,
        }
    }
}

impl Kind {
    /// The places that the node cannot reach.
    fn cuts(self, node: usize) -> Vec<Place> {
        let others = (0..NODES).filter(|other| *other != node).map(Place::Node);
        match self {
            Self::CutFromEtcd => vec![Place::Etcd],
            Self::CutFromClients => vec![Place::Clients],
            Self::CutFromNodes | Self::CutAndKill => others.collect(),
            Self::Isolate => others.chain([Place::Etcd, Place::Clients]).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KillPostmaster => "kill postmaster",
            Self::KillNode => "kill node",
            Self::StopPatroni => "stop Patroni",
            Self::CutFromEtcd => "cut from etcd",
            Self::CutFromNodes => "cut from nodes",
            Self::CutFromClients => "cut from clients",
            Self::Isolate => "isolate",
            Self::CutAndKill => "cut from nodes, then kill",
            Self::Switchover => "switchover",
            Self::Restart => "restart",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, can_cut: bool, length: usize) -> Vec<Fault> {
        let mut plan = Plan::new(seed, can_cut, &[]);
        (0..length).map(|_| plan.next()).collect()
    }

    #[test]
    fn a_seed_makes_the_same_faults_again() {
        assert_eq!(plan(7, true, 30), plan(7, true, 30));
        assert_ne!(plan(7, true, 30), plan(8, true, 30));
    }

    #[test]
    fn every_kind_comes_once_in_each_round() {
        let mut kinds: Vec<Kind> = plan(7, true, KINDS.len())
            .iter()
            .map(|fault| fault.kind)
            .collect();
        kinds.sort();
        assert_eq!(kinds, KINDS);
    }

    #[test]
    fn without_namespaces_no_link_is_cut() {
        assert!(
            plan(7, false, 30)
                .iter()
                .all(|fault| fault.kind.cuts(0).is_empty())
        );
    }

    #[test]
    fn only_the_kinds_that_are_asked_for_are_made() {
        let mut plan = Plan::new(7, true, &[Kind::Restart]);
        assert!((0..9).all(|_| plan.next().kind == Kind::Restart));
        assert!(Plan::new(7, false, &[Kind::Isolate]).kinds.is_empty());
    }

    #[test]
    fn an_isolated_node_reaches_no_place() {
        let cuts = Kind::Isolate.cuts(1);
        let nobody = [Place::Node(0), Place::Node(2), Place::Etcd, Place::Clients];
        assert_eq!(cuts, nobody);
    }
}
