//! The cost of listeners for writers: 64 clients append without a pause to one server, while 20
//! sessions LISTEN during every other slice of time. Each slice with listeners is compared with the
//! mean of the neighbouring slices without, so that disturbances of the machine affect both alike.
//!
//! `cargo xtask bench listeners [PAIRS] [MILLISECONDS]`

use anyhow::{Result, bail};
use clap::Parser;
use eventcore_benches::machine::Machine;
use eventcore_benches::report::{Comparison, Report};
use eventcore_benches::rounds::Round;
use eventcore_harness::{Server, ServerOptions};
use futures_util::{StreamExt, future::try_join_all, stream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio_postgres::{AsyncMessage, Client, NoTls};

const WRITERS: u32 = 64;
const LISTENERS: usize = 20;

/// Until every writer has connected and warmed up.
const WARM_UP: Duration = Duration::from_secs(3);
/// Between LISTEN or UNLISTEN and the slice that is measured.
const SETTLE: Duration = Duration::from_millis(100);

/// One event of about 120 bytes to a new stream.
const APPEND: &str = r#"\set n random(1, 9000000000000000)
SELECT * FROM eventcore_append(ARRAY['s-' || :n || '-' || :client_id], '{0}',
    ARRAY['s-' || :n || '-' || :client_id], '{MoneyMoved}',
    ARRAY['{"amount": 12345, "from": "account-000123", "to": "account-000456", "reference": "invoice 2026-11-0001"}'::jsonb], NULL);
"#;

#[derive(Parser)]
struct Arguments {
    /// Where the report is written
    #[arg(long, value_name = "FOLDER")]
    reports: PathBuf,
    /// How many slices of time with listeners
    #[arg(default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// How long each of them lasts
    #[arg(default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..))]
    milliseconds: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments {
        reports,
        pairs,
        milliseconds,
    } = Arguments::parse();
    let slice = Duration::from_millis(milliseconds.into());

    let server = Server::start(ServerOptions::new())?;
    let url = server.create_database("bench")?;
    let clock = Clock::connect(&url).await?;
    let listeners = Listeners::connect(&url).await?;
    let script =
        std::env::temp_dir().join(format!("eventcore-listeners-{}.sql", std::process::id()));
    std::fs::write(&script, APPEND)?;
    let mut writers = Writers::start(&server, &script, (slice + SETTLE) * (2 * pairs + 1))?;
    tokio::time::sleep(WARM_UP).await;

    println!("pair  no listener  {LISTENERS} listeners  ratio  notifications per listener");
    let mut rounds = Vec::new();
    let mut before = clock.rate(slice).await?;
    for pair in 1..=pairs {
        listeners.say("LISTEN eventcore").await?;
        let listened = clock.rate(slice).await?;
        listeners.say("UNLISTEN eventcore").await?;
        let heard = listeners.take_heard();
        let after = clock.rate(slice).await?;
        let alone = f64::midpoint(before, after);
        println!(
            "{pair:>4}  {alone:>9.0}/s  {listened:>10.0}/s  {:>5.2}  {heard}",
            listened / alone
        );
        rounds.push(Round {
            measured: listened,
            reference: alone,
        });
        before = after;
    }
    writers.check()?;
    std::fs::remove_file(&script)?;
    let machine = Machine::find(&clock.0).await?;
    let mut report = Report::new("listeners", "eventcore: writers with listeners", machine);
    report.comparisons.push(Comparison::new(
        "1 event, new stream, 20 listeners",
        "no listener",
        WRITERS,
        "events/s",
        rounds,
        None,
    ));
    report.write(&reports)?;
    println!("\n{}", report.text());
    Ok(())
}

/// A pgbench that appends as fast as the server lets its clients; ends when dropped.
struct Writers(Child);

impl Writers {
    fn start(server: &Server, script: &Path, at_least: Duration) -> Result<Self> {
        // A measured slice is longer than requested by the time of the query to the server.
        let seconds = (WARM_UP + at_least * 2).as_secs().to_string();
        let clients = WRITERS.to_string();
        let pgbench = server
            .command("pgbench")
            .args([
                "-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &seconds,
            ])
            .arg("-f")
            .arg(script)
            .arg("bench")
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self(pgbench))
    }

    /// Checks that they have written all the time.
    fn check(&mut self) -> Result<()> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("pgbench ended too early: {status}"),
        }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Computes from the positions how many events per second are appended.
struct Clock(Client);

impl Clock {
    async fn connect(url: &str) -> Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self(client))
    }

    async fn rate(&self, slice: Duration) -> Result<f64> {
        tokio::time::sleep(SETTLE).await;
        let (start, first) = (Instant::now(), self.position().await?);
        tokio::time::sleep(slice).await;
        let last = self.position().await?;
        #[expect(clippy::cast_precision_loss, reason = "positions here are small")]
        Ok((last - first) as f64 / start.elapsed().as_secs_f64())
    }

    async fn position(&self) -> Result<i64> {
        let row = self
            .0
            .query_one("SELECT eventcore_safe_position()", &[])
            .await?;
        Ok(row.try_get(0)?)
    }
}

/// Sessions that read their notifications.
struct Listeners {
    sessions: Vec<Client>,
    heard: Arc<AtomicUsize>,
}

impl Listeners {
    async fn connect(url: &str) -> Result<Self> {
        let heard = Arc::new(AtomicUsize::new(0));
        let mut sessions = Vec::new();
        for _ in 0..LISTENERS {
            let (client, mut connection) = tokio_postgres::connect(url, NoTls).await?;
            let heard = Arc::clone(&heard);
            tokio::spawn(async move {
                let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
                while let Some(Ok(message)) = messages.next().await {
                    if matches!(message, AsyncMessage::Notification(_)) {
                        heard.fetch_add(1, Relaxed);
                    }
                }
            });
            sessions.push(client);
        }
        Ok(Self { sessions, heard })
    }

    async fn say(&self, statement: &str) -> Result<()> {
        let said = self
            .sessions
            .iter()
            .map(|client| client.batch_execute(statement));
        try_join_all(said).await?;
        Ok(())
    }

    /// How many notifications each received since the last call.
    fn take_heard(&self) -> usize {
        self.heard.swap(0, Relaxed) / self.sessions.len()
    }
}
