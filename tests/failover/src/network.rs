//! The links between the places of the test. Each node, etcd and the clients have a network
//! namespace of their own and a link to a router. To cut a link, the router drops its packets
//! silently in both directions, like a broken cable or a firewall.
//!
//! ```text
//! clients (this process)  10.77.1.2 ──┐        ┌── 10.77.11.2  n1
//!                                     router ──┼── 10.77.12.2  n2
//! etcd                    10.77.2.2 ──┘        └── 10.77.13.2  n3
//! ```
//!
//! Without root there are no namespaces: then all addresses are on the loopback interface, and
//! nothing can be cut.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use eventcore_harness::{Account, run};

/// The nodes, by their numbers from 0.
pub(crate) const NODES: usize = 3;

/// Everything that has an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Clients,
    Etcd,
    Node(usize),
}

/// The namespaces, which end with this value.
#[derive(Debug)]
pub(crate) struct Network {
    namespaces: Option<Namespaces>,
    /// Of the addresses on the loopback interface.
    loopback: u8,
    account: Account,
}

#[derive(Debug)]
struct Namespaces {
    router: Holder,
    etcd: Holder,
    nodes: Vec<Holder>,
}

/// A process that only keeps a namespace alive.
#[derive(Debug)]
struct Holder(Child);

impl Network {
    /// Creates the namespaces. This process must be alone in one, which becomes that of the
    /// clients.
    pub(crate) fn with_namespaces() -> Result<Self> {
        let namespaces = Namespaces {
            router: Holder::start()?,
            etcd: Holder::start()?,
            nodes: (0..NODES).map(|_| Holder::start()).collect::<Result<_>>()?,
        };
        let network = Self {
            namespaces: Some(namespaces),
            loopback: 0,
            account: Account::for_servers()?,
        };
        network.connect()?;
        Ok(network)
    }

    /// Uses the loopback interface.
    pub(crate) fn on_loopback() -> Result<Self> {
        Ok(Self {
            namespaces: None,
            // Its own addresses for each of several concurrent runs.
            loopback: u8::try_from(std::process::id() % 200).unwrap_or(0) + 20,
            account: Account::for_servers()?,
        })
    }

    pub(crate) fn can_cut(&self) -> bool {
        self.namespaces.is_some()
    }

    pub(crate) fn address(&self, place: Place) -> String {
        match self.namespaces {
            Some(_) => format!("10.77.{}.2", number(place)),
            None => format!("127.77.{}.{}", self.loopback, number(place)),
        }
    }

    /// All addresses, for `pg_hba.conf`.
    pub(crate) fn range(&self) -> &'static str {
        match self.namespaces {
            Some(_) => "10.77.0.0/16",
            // The server sees clients on the loopback interface as 127.0.0.1.
            None => "127.0.0.0/8",
        }
    }

    /// A command that runs in this place as the user for servers.
    pub(crate) fn command(&self, place: Place, program: &str) -> Result<Command> {
        let mut command = match self.namespace(place) {
            None => {
                let mut command = Command::new(program);
                self.account.apply(&mut command);
                command
            }
            Some(holder) => {
                let mut command = inside(holder, "setpriv");
                let name = self.account.name();
                let group = run(Command::new("id").args(["-g", name]))?;
                command
                    .args(["--reuid", name, "--regid", group.trim(), "--clear-groups"])
                    .arg(program);
                command
            }
        };
        command.current_dir("/");
        Ok(command)
    }

    /// Cuts the link between two places.
    pub(crate) fn cut(&self, one: Place, other: Place) -> Result<()> {
        self.rule("add", one, other)
    }

    /// Undoes [`cut`](Self::cut).
    pub(crate) fn heal(&self, one: Place, other: Place) -> Result<()> {
        self.rule("del", one, other)
    }

    fn rule(&self, action: &str, one: Place, other: Place) -> Result<()> {
        let namespaces = self.namespaces.as_ref();
        let router = &namespaces.context("only namespaces can be cut")?.router;
        for (from, to) in [(one, other), (other, one)] {
            let mut ip = inside(router, "ip");
            ip.args(["rule", action, "from", &self.address(from)]);
            ip.args(["to", &self.address(to), "blackhole"]);
            run(&mut ip)?;
        }
        Ok(())
    }

    /// One link from each place to the router.
    fn connect(&self) -> Result<()> {
        let Some(namespaces) = &self.namespaces else {
            return Ok(());
        };
        let router = &namespaces.router;
        run(inside(router, "sh").args(["-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]))?;
        let places = [Place::Clients, Place::Etcd].into_iter();
        for place in places.chain((0..NODES).map(Place::Node)) {
            let (number, holder) = (number(place), self.namespace(place));
            let (near, far) = (format!("link{number}"), format!("router{number}"));
            let run_ip = |holder: Option<&Holder>, arguments: &str| {
                let mut ip = match holder {
                    Some(holder) => inside(holder, "ip"),
                    None => Command::new("ip"),
                };
                run(ip.args(arguments.split(' '))).map(|_| ())
            };
            let make = format!("link add {near} type veth peer name {far}");
            run_ip(None, &make)?;
            run_ip(None, &format!("link set {far} netns {}", router.0.id()))?;
            if let Some(holder) = holder {
                run_ip(None, &format!("link set {near} netns {}", holder.0.id()))?;
            }
            run_ip(
                Some(router),
                &format!("addr add 10.77.{number}.1/24 dev {far}"),
            )?;
            run_ip(Some(router), &format!("link set {far} up"))?;
            run_ip(holder, "link set lo up")?;
            run_ip(holder, &format!("addr add 10.77.{number}.2/24 dev {near}"))?;
            run_ip(holder, &format!("link set {near} up"))?;
            run_ip(holder, &format!("route add default via 10.77.{number}.1"))?;
        }
        Ok(())
    }

    /// `None` for the clients, which are in the namespace of this process.
    fn namespace(&self, place: Place) -> Option<&Holder> {
        let namespaces = self.namespaces.as_ref()?;
        match place {
            Place::Clients => None,
            Place::Etcd => Some(&namespaces.etcd),
            Place::Node(node) => Some(&namespaces.nodes[node]),
        }
    }
}

impl Holder {
    /// It ends when the pipe to it closes, so it ends with this process.
    fn start() -> Result<Self> {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo ready; read line"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot run unshare")?;
        let mut ready = [0; 6];
        let output = child.stdout.as_mut().context("unshare has no output")?;
        std::io::Read::read_exact(output, &mut ready).context("unshare makes no namespace")?;
        ensure!(&ready == b"ready\n", "unshare makes no namespace");
        Ok(Self(child))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
        let _ = self.0.wait();
    }
}

fn inside(holder: &Holder, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command
        .arg(format!("--net=/proc/{}/ns/net", holder.0.id()))
        .arg("--")
        .arg(program);
    command
}

fn number(place: Place) -> u8 {
    match place {
        Place::Clients => 1,
        Place::Etcd => 2,
        Place::Node(node) => 11 + u8::try_from(node).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_an_address_of_its_own() {
        let network = Network::on_loopback().unwrap();
        let mut addresses: Vec<String> = (0..NODES)
            .map(|node| network.address(Place::Node(node)))
            .collect();
        addresses.extend([Place::Clients, Place::Etcd].map(|place| network.address(place)));
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), NODES + 2);
    }
}
