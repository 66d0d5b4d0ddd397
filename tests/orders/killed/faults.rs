//! What is killed, and when: the same seed gives the same list.

use std::time::{Duration, Instant};

use eventcore_harness::Server;
use fastrand::Rng;
use tokio_postgres::NoTls;

use super::programs::Program;

/// What can be killed.
pub(super) struct Victims {
    pub(super) server: Server,
    pub(super) url: String,
    pub(super) application: Program,
    pub(super) partners: Program,
}

/// How often each fault was injected.
#[derive(Debug, Default)]
pub(super) struct Kills {
    application: usize,
    partners: usize,
    postmasters: usize,
    immediate_stops: usize,
    backends: usize,
    terminated: usize,
    everything: usize,
    while_starting: usize,
    decks: usize,
}

/// A fault.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Application,
    Partners,
    Terminate,
    Backend,
    Postmaster,
    ImmediateStop,
    Everything,
}

use Fault::{Application, Backend, Everything, ImmediateStop, Partners, Postmaster, Terminate};

/// They come like the cards of this deck, which is shuffled again when it is empty.
const DECK: [Fault; 11] = [
    Application,
    Application,
    Application,
    Partners,
    Partners,
    Terminate,
    Terminate,
    Backend,
    Postmaster,
    ImmediateStop,
    Everything,
];

/// The processes of the server that work in this database, workers of eventcore included.
const BACKENDS: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY backend_start";

/// How long nobody is killed after the server was, so that there is load in between.
const BREATH: Duration = Duration::from_secs(1);

impl Victims {
    /// Kills at random for this long, and until each fault has come.
    pub(super) async fn kill_for(&mut self, time: Duration, random: &mut Rng) -> Kills {
        let mut kills = Kills::default();
        let begun = Instant::now();
        while begun.elapsed() < time {
            let mut deck = DECK;
            random.shuffle(&mut deck);
            for fault in deck {
                if begun.elapsed() > time && kills.decks > 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(random.u64(100..1_500))).await;
                self.inject(fault, &mut kills, random).await;
            }
            kills.decks += 1;
        }
        kills
    }

    async fn inject(&mut self, fault: Fault, kills: &mut Kills, random: &mut Rng) {
        let pause = Duration::from_millis(random.u64(..500));
        match fault {
            Application => kills.application += kills.at_work(self.application.kill(pause).await),
            Partners => kills.partners += kills.at_work(self.partners.kill(pause).await),
            Terminate => kills.terminated += self.terminate(random).await,
            Backend => kills.backends += self.kill_backend(random).await,
            Postmaster => {
                self.restart(Server::kill_postmaster_9, pause).await;
                kills.postmasters += 1;
            }
            ImmediateStop => {
                self.restart(Server::crash, pause).await;
                kills.immediate_stops += 1;
            }
            Everything => {
                self.everything(pause).await;
                kills.everything += 1;
            }
        }
    }

    /// Kills all three at once and starts them again.
    pub(super) async fn everything(&mut self, pause: Duration) {
        self.application.kill(pause).await;
        self.partners.kill(pause).await;
        self.restart(Server::kill_postmaster_9, pause).await;
    }

    async fn restart(
        &mut self,
        stop: fn(&mut Server) -> eventcore_harness::Result<()>,
        pause: Duration,
    ) {
        tokio::task::block_in_place(|| stop(&mut self.server)).unwrap();
        tokio::time::sleep(pause).await;
        tokio::task::block_in_place(|| self.server.start_again()).unwrap();
        tokio::time::sleep(BREATH).await;
    }

    /// Terminates a backend or a worker as an administrator does: 1, or 0 if none runs.
    async fn terminate(&self, random: &mut Rng) -> usize {
        match self.backend(random).await {
            Some(pid) => {
                self.server.signal(pid, "TERM").unwrap();
                1
            }
            None => 0,
        }
    }

    /// Kills a backend or a worker. The server ends all others and recovers.
    async fn kill_backend(&self, random: &mut Rng) -> usize {
        match self.backend(random).await {
            Some(pid) => {
                self.server.signal(pid, "KILL").unwrap();
                tokio::time::sleep(BREATH).await;
                1
            }
            None => 0,
        }
    }

    /// One of the processes; `None` while the server recovers.
    async fn backend(&self, random: &mut Rng) -> Option<u32> {
        let choice = random.usize(..);
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.ok()?;
        tokio::spawn(connection);
        let rows = client.query_typed(BACKENDS, &[]).await.ok()?;
        let pid: i32 = rows.get(choice.checked_rem(rows.len())?)?.get(0);
        Some(pid.unsigned_abs())
    }
}

impl Kills {
    /// 1 if a program was killed at work; what was killed at its start is counted apart.
    fn at_work(&mut self, is_at_work: bool) -> usize {
        self.while_starting += usize::from(!is_at_work);
        usize::from(is_at_work)
    }
}
