//! What waiting subscribers cost the writers: 16 clients append in slices of time with and without
//! 20 subscribers for which no event comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use anyhow::Result;
use eventcore_benches::database::Database;
use eventcore_benches::pgbench::{Clients, Script};
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds::Round;
use tokio::task::JoinSet;
use tokio_postgres::Client;

const WRITERS: u32 = 16;
const SUBSCRIBERS: usize = 20;
const SLICE: Duration = Duration::from_secs(1);
const SETTLE: Duration = Duration::from_millis(200);
const WARM_UP: Duration = Duration::from_secs(3);

/// How many slices with subscribers make a round.
const SLICES: usize = 3;

/// Waiting subscribers, and how they wait.
struct Subscribers {
    sessions: Vec<Client>,
    wait: fn(usize) -> String,
}

/// Subscribers that wait until they are told to stop.
struct Waiting {
    tasks: JoinSet<Result<Client, tokio_postgres::Error>>,
    over: Arc<AtomicBool>,
    wait: fn(usize) -> String,
}

pub(crate) async fn run(database: &Database, report: &mut Report, rounds: usize) -> Result<()> {
    database
        .execute(&format!(
            "SELECT eventcore_create_subscription('waiting-' || n, ARRAY['nothing-' || n])
               FROM generate_series(0, {SUBSCRIBERS} - 1) n"
        ))
        .await?;
    let poll: fn(usize) -> String =
        |n| format!("SELECT FROM eventcore_poll('waiting-{n}', 'bench', 100, '2 s')");
    let wait: fn(usize) -> String = |_| {
        // Returns at every notification; then waits again at once.
        "CALL eventcore_wait(eventcore_safe_position(), '2 s')".to_owned()
    };
    for (name, statement) in [
        (
            "1 event, new stream, 20 subscribers in eventcore_poll(wait)",
            poll,
        ),
        (
            "1 event, new stream, 20 subscribers in eventcore_wait",
            wait,
        ),
    ] {
        let mut writers = writers(database, rounds).await?;
        let subscribers = Subscribers::connect(database, statement).await?;
        let rounds = compare(&mut writers, subscribers, rounds).await?;
        report.comparisons.push(Comparison::new(
            name,
            "no subscriber",
            WRITERS,
            "events/s",
            rounds,
            Some(Target::AtLeast(0.9)),
        ));
    }
    Ok(())
}

async fn writers(database: &Database, rounds: usize) -> Result<Clients> {
    let script = Script {
        sql: include_str!("../append/scripts/one_event.sql"),
        variables: vec![("payload", crate::read::PAYLOAD.to_owned())],
        written: "SELECT eventcore_safe_position()",
    };
    let slices = u32::try_from(rounds * SLICES * 2 + 2)?;
    let at_most = WARM_UP + (SLICE + SETTLE) * slices * 3 + Duration::from_secs(30);
    Clients::start(database, &script, WRITERS, WARM_UP, at_most).await
}

/// Each slice with subscribers against the mean of the two neighbouring slices.
async fn compare(
    writers: &mut Clients,
    mut subscribers: Subscribers,
    rounds: usize,
) -> Result<Vec<Round>> {
    let mut all = Vec::new();
    let mut before = writers.rate(SLICE).await?;
    for _ in 0..rounds {
        let mut slices = Vec::new();
        for _ in 0..SLICES {
            let waiting = subscribers.start();
            tokio::time::sleep(SETTLE).await;
            let measured = writers.rate(SLICE).await?;
            subscribers = waiting.end().await?;
            let after = writers.rate(SLICE).await?;
            slices.push(Round {
                measured,
                reference: f64::midpoint(before, after),
            });
            before = after;
        }
        all.push(eventcore_benches::rounds::mean(&slices));
    }
    Ok(all)
}

impl Subscribers {
    async fn connect(database: &Database, wait: fn(usize) -> String) -> Result<Self> {
        let mut sessions = Vec::new();
        for _ in 0..SUBSCRIBERS {
            sessions.push(database.connect().await?);
        }
        Ok(Self { sessions, wait })
    }

    fn start(self) -> Waiting {
        let over = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for (number, session) in self.sessions.into_iter().enumerate() {
            let (statement, over) = ((self.wait)(number), Arc::clone(&over));
            tasks.spawn(async move {
                while !over.load(SeqCst) {
                    session.batch_execute(&statement).await?;
                }
                Ok(session)
            });
        }
        Waiting {
            tasks,
            over,
            wait: self.wait,
        }
    }
}

impl Waiting {
    /// They end by themselves: a cancelled poll forgets how far it has looked.
    async fn end(mut self) -> Result<Subscribers> {
        self.over.store(true, SeqCst);
        let mut sessions = Vec::new();
        while let Some(session) = self.tasks.join_next().await {
            sessions.push(session??);
        }
        Ok(Subscribers {
            sessions,
            wait: self.wait,
        })
    }
}
