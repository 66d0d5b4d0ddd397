//! From the commit of an append to the tail in a browser: one writer that pauses between its
//! appends.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Figure, Report, Target};
use eventcore_benches::rounds::{Round, Spread};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::browser::{RunningConsole, Stream, TAIL};

/// The appends of a round.
const APPENDS: u32 = 100;

/// The first ones start the notifier and fill caches.
const WARM_UP: u32 = 20;

/// The longest median that is good enough, in milliseconds.
const GOOD_ENOUGH: f64 = 50.0;

const APPEND: &str = "SELECT last_position FROM eventcore_append('{tail}', '{NULL}', '{tail}', '{Happened}', '{1}', NULL)";

/// All events up to a position have been shown, and when.
type Seen = (i64, Instant);

pub(crate) async fn run(database: &Database, report: &mut Report, rounds: usize) -> Result<()> {
    let console = RunningConsole::start(database).await?;
    let stream = console.open(TAIL).await?;
    let (seen, mut receiver) = unbounded_channel();
    let browser = tokio::spawn(read(stream, seen));
    let (mut delays, mut measured) = (Vec::new(), Vec::new());
    append(database, WARM_UP, &mut receiver).await?;
    for _ in 0..rounds {
        let of_round = append(database, APPENDS, &mut receiver).await?;
        measured.push(Round {
            measured: Spread::of(of_round.iter().copied()).median,
            reference: GOOD_ENOUGH,
        });
        delays.extend(of_round);
    }
    browser.abort();
    console.end().await?;
    let work = "commit to the tail in a browser";
    delays.sort_by(f64::total_cmp);
    let last = delays.len() - 1;
    for (what, value) in [("p99", delays[last * 99 / 100]), ("longest", delays[last])] {
        report.figures.push(Figure {
            work: work.to_owned(),
            what: what.to_owned(),
            value,
            unit: "ms",
        });
    }
    report.comparisons.push(Comparison::new(
        format!("{work}, median of {APPENDS}"),
        "50 ms, which is good enough",
        1,
        "ms",
        measured,
        Some(Target::AtMost(1.0)),
    ));
    Ok(())
}

/// Appends one event after the other. Returns after how many milliseconds the browser saw each.
async fn append(
    database: &Database,
    appends: u32,
    receiver: &mut UnboundedReceiver<Seen>,
) -> Result<Vec<f64>> {
    let writer = database.connect().await?;
    let statement = writer.prepare(APPEND).await?;
    let mut committed = Vec::new();
    for number in 0..appends {
        let position: i64 = writer.query_one(&statement, &[]).await?.try_get(0)?;
        committed.push((position, Instant::now()));
        // Not in step with anything.
        let pause = 5_000 + u64::from(number * 7_919 % 6_007);
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
    // A message may be there before the answer to the append that it shows.
    let mut delays = Vec::new();
    let mut seen: Option<Seen> = None;
    for (position, committed) in committed {
        while seen.is_none_or(|(up_to, _)| up_to < position) {
            let next = tokio::time::timeout(Duration::from_secs(10), receiver.recv());
            seen = Some(next.await?.context("the browser has ended")?);
        }
        if let Some((_, at)) = seen {
            let delay = at.saturating_duration_since(committed);
            delays.push(delay.as_secs_f64() * 1_000.0);
        }
    }
    Ok(delays)
}

/// The id of each message of the tail is the position up to which all events have been shown.
async fn read(mut stream: Stream, seen: UnboundedSender<Seen>) -> Result<()> {
    loop {
        let lines = stream.lines().await?;
        let at = Instant::now();
        for line in lines {
            if let Some(position) = line.strip_prefix("id:") {
                seen.send((position.trim().parse()?, at))?;
            }
        }
    }
}
