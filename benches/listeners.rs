//! What listeners cost the writers: 64 clients append, with and without 20 sessions that LISTEN, in
//! turns on one server. Prints the throughput of every round, and the medians.
//!
//! `cargo xtask bench listeners [ROUNDS] [SECONDS]`

use eventcore_harness::{Server, ServerOptions};
use futures_util::{StreamExt, stream};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio_postgres::{AsyncMessage, Client, NoTls};

const WRITERS: &str = "64";
const LISTENERS: usize = 20;

/// One event of about 120 bytes to a new stream.
const APPEND: &str = r#"\set n random(1, 9000000000000000)
SELECT * FROM eventcore_append(ARRAY['s-' || :n || '-' || :client_id], '{0}',
    ARRAY['s-' || :n || '-' || :client_id], '{MoneyMoved}',
    ARRAY['{"amount": 12345, "from": "account-000123", "to": "account-000456", "reference": "invoice 2026-11-0001"}'::jsonb], NULL);
"#;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| {
        arguments
            .next()
            .map_or(Ok(default), |text| text.parse::<usize>())
    };
    let (rounds, seconds) = (number(5)?, number(5)?);

    let server = Server::start(ServerOptions::new())?;
    let url = server.create_database("bench")?;
    let script =
        std::env::temp_dir().join(format!("eventcore-listeners-{}.sql", std::process::id()));
    std::fs::write(&script, APPEND)?;

    let run = |seconds: usize| append_for(&server, &script, seconds);
    run(1)?;
    let (mut without, mut with, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    println!("round  no listener  {LISTENERS} listeners  ratio  notifications per listener");
    for round in 1..=rounds {
        // Each goes first in every other round.
        let first = if round % 2 == 0 {
            None
        } else {
            Some(run(seconds)?)
        };
        let listeners = Listeners::start(&url).await?;
        let listened = run(seconds)?;
        let heard = listeners.stop();
        let alone = first.map_or_else(|| run(seconds), Ok)?;
        println!(
            "{round:>5}  {alone:>9.0}/s  {listened:>10.0}/s  {:>5.2}  {heard}",
            listened / alone
        );
        without.push(alone);
        with.push(listened);
        ratios.push(listened / alone);
    }
    let (without, with, ratio) = (median(&mut without), median(&mut with), median(&mut ratios));
    println!("median {without:>8.0}/s  {with:>10.0}/s  {ratio:>5.2}");
    std::fs::remove_file(&script)?;
    Ok(())
}

/// Appends as fast as the server lets 64 clients, and returns how many a second.
fn append_for(server: &Server, script: &std::path::Path, seconds: usize) -> Result<f64> {
    let output = server
        .command("pgbench")
        .args([
            "-n",
            "-M",
            "prepared",
            "-c",
            WRITERS,
            "-j",
            "2",
            "-T",
            &seconds.to_string(),
            "-f",
        ])
        .arg(script)
        .arg("bench")
        .output()?;
    let report = String::from_utf8(output.stdout)?;
    let rate = report
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .filter(|_| report.contains("number of failed transactions: 0 "));
    rate.ok_or_else(|| {
        format!(
            "pgbench failed:\n{report}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )
        .into()
    })
}

/// Sessions that listen and read what they are sent.
struct Listeners {
    sessions: Vec<Client>,
    heard: Arc<AtomicUsize>,
}

impl Listeners {
    async fn start(url: &str) -> Result<Self> {
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
            client.batch_execute("LISTEN eventcore").await?;
            sessions.push(client);
        }
        Ok(Self { sessions, heard })
    }

    /// Ends the sessions and returns how many notifications each got.
    fn stop(self) -> usize {
        self.heard.load(Relaxed) / self.sessions.len()
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
