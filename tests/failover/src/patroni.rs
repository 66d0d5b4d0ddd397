//! Patroni's configuration and its REST API.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::http;

/// The configuration in docs/operations/replication.md.
const TEMPLATE: &str = include_str!("../patroni.yml");

/// What differs from node to node.
pub(crate) struct Configuration<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: &'a str,
    pub(crate) etcd: &'a str,
    pub(crate) network: &'a str,
    pub(crate) binaries: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) password: &'a str,
}

impl Configuration<'_> {
    /// The text of `patroni.yml`.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from("# Made from tests/failover/patroni.yml\n");
        for line in TEMPLATE
            .lines()
            .filter(|line| !line.trim().starts_with('#'))
        {
            let line = line
                .replace("${NAME}", self.name)
                .replace("${ADDRESS}", self.address)
                .replace("${ETCD}", self.etcd)
                .replace("${NETWORK}", self.network)
                .replace("${BIN}", &self.binaries.to_string_lossy())
                .replace("${FOLDER}", &self.folder.to_string_lossy())
                .replace("${PASSWORD}", self.password);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }
}

/// A node as the other nodes see it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) role: String,
    pub(crate) state: String,
    /// Missing while a node does not answer.
    #[serde(default)]
    pub(crate) timeline: Option<i64>,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

impl Member {
    pub(crate) fn is_leader(&self) -> bool {
        self.role == "leader" && self.state == "running"
    }

    pub(crate) fn is_streaming(&self) -> bool {
        !self.role.contains("leader") && self.state == "streaming"
    }
}

/// Whether one node leads and all others stream from it, on its timeline.
pub(crate) fn all_well(members: &[Member], nodes: usize) -> bool {
    let leader = members.iter().find(|member| member.is_leader());
    leader.is_some_and(|leader| {
        members.len() == nodes
            && members
                .iter()
                .filter(|member| !member.is_leader())
                .all(|member| member.is_streaming() && member.timeline == leader.timeline)
    })
}

/// The cluster as the node at `address` sees it.
pub(crate) async fn members(address: &str) -> Result<Vec<Member>> {
    let answer = http::get(&format!("{address}:8008"), "/cluster").await?;
    ensure!(answer.status == 200, "{address} answers {}", answer.status);
    let found: Members = serde_json::from_str(&answer.body).context("Patroni's /cluster")?;
    Ok(found.members)
}

/// Asks the leader to hand over to `candidate`; returns Patroni's answer.
pub(crate) async fn switchover(address: &str, leader: &str, candidate: &str) -> Result<String> {
    let body = json!({"leader": leader, "candidate": candidate}).to_string();
    let answer = http::post(&format!("{address}:8008"), "/switchover", &body).await?;
    Ok(format!("{} {}", answer.status, answer.body.trim()))
}

/// Restarts the server of the node at `address`, with a clean shutdown.
pub(crate) async fn restart(address: &str) -> Result<String> {
    let answer = http::post(&format!("{address}:8008"), "/restart", "{}").await?;
    Ok(format!("{} {}", answer.status, answer.body.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> String {
        Configuration {
            name: "n1",
            address: "10.77.11.2",
            etcd: "10.77.2.2",
            network: "10.77.0.0/16",
            binaries: Path::new("/pg/bin"),
            folder: Path::new("/tmp/x/n1"),
            password: "0123",
        }
        .text()
    }

    #[test]
    fn every_name_in_the_configuration_has_a_value() {
        let text = configuration();
        assert!(!text.contains("${"), "{text}");
        assert!(text.contains("  listen: 10.77.11.2:5432\n"), "{text}");
    }

    #[test]
    fn a_cluster_is_well_when_all_stream_on_the_leaders_timeline() {
        let member = |name: &str, role: &str, state: &str, timeline| Member {
            name: name.to_owned(),
            role: role.to_owned(),
            state: state.to_owned(),
            timeline: Some(timeline),
        };
        let mut members = vec![
            member("n1", "leader", "running", 2),
            member("n2", "quorum_standby", "streaming", 2),
            member("n3", "replica", "streaming", 2),
        ];
        assert!(all_well(&members, 3));
        assert!(!all_well(&members[..2], 3));
        members[2].timeline = Some(1);
        assert!(!all_well(&members, 3));
        members[2] = member("n3", "replica", "starting", 2);
        assert!(!all_well(&members, 3));
    }

    #[test]
    fn patronis_answer_is_read() {
        let text = r#"{"members": [{"name": "n1", "role": "leader", "state": "running", "api_url": "http://x",
            "timeline": 1}, {"name": "n2", "role": "replica", "state": "stopped", "lag": "unknown"}], "scope": "x"}"#;
        let found: Members = serde_json::from_str(text).unwrap();
        assert!(found.members[0].is_leader());
        assert!(!found.members[1].is_streaming());
    }
}
