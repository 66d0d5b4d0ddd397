//! Orders on PostgreSQL, from their request until a reader sees them. The service listens on a
//! socket of the loopback interface and runs in this process, as its clients do; PostgreSQL runs in
//! its own processes. The service is configured as it is without configuration: a pool of ten
//! connections, read models inside the server.

mod client;
mod running;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eventcore_benches::database::Server;
use eventcore_benches::machine::Machine;
use eventcore_benches::report::{Comparison, Figure, Report};
use eventcore_benches::rounds::Round;
use eventcore_harness::ServerOptions;
use futures_util::future::try_join_all;

use client::{Client, Reading};
use running::Running;

/// How many clients order at the same time.
const CLIENTS: [u32; 3] = [1, 16, 64];

/// How long each way takes its turn.
const SLICE: Duration = Duration::from_millis(1_500);

/// What a client does after its `POST`, in the order of the turns of the first round.
const WAYS: [Reading; 3] = [Reading::UntilVisible, Reading::AsItIs, Reading::Not];

const WORK: &str = "an order by POST, until GET has it (Min-Position)";

/// The turns of one way.
#[derive(Default)]
struct Turns {
    rates: Vec<f64>,
    took: Vec<Duration>,
}

pub(crate) fn run(rounds: u16) -> Result<Report> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(usize::from(rounds)))
}

async fn measure(rounds: usize) -> Result<Report> {
    let private = eventcore_harness::Server::start(ServerOptions::new())?;
    let server = Server::new(&private.create_database("bench")?)?;
    let machine = Machine::find(&server.connect().await?).await?;
    let title = "orders on PostgreSQL, until they are visible";
    let mut report = Report::new("orders_postgres", title, machine);
    for clients in CLIENTS {
        eprintln!("==> visible, {clients} clients");
        let database = server.fresh_database("bench_orders").await?;
        let running = Running::start(&database.url()?).await?;
        let turns = take_turns(&running, clients, rounds).await?;
        add(&mut report, clients, turns);
        running.end().await?;
    }
    Ok(report)
}

/// Every round begins with another way. Before a turn the read models have caught up, so that no way
/// pays for what another one left behind.
async fn take_turns(running: &Running, clients: u32, rounds: usize) -> Result<[Turns; 3]> {
    let mut turns: [Turns; 3] = Default::default();
    // A turn that does not count.
    turn(running, clients, Reading::UntilVisible).await?;
    for round in 0..rounds {
        for place in 0..WAYS.len() {
            let way = (round + place) % WAYS.len();
            running.caught_up().await?;
            let (rate, took) = turn(running, clients, WAYS[way]).await?;
            turns[way].rates.push(rate);
            turns[way].took.extend(took);
        }
    }
    Ok(turns)
}

/// The orders per second of all clients, and how long each order took.
async fn turn(running: &Running, clients: u32, reading: Reading) -> Result<(f64, Vec<Duration>)> {
    let start = Instant::now();
    let tasks = (0..clients).map(|_| {
        let client = Client::new(running, reading);
        tokio::spawn(client.order_until(start + SLICE))
    });
    let mut took = Vec::new();
    for of_one in try_join_all(tasks.collect::<Vec<_>>()).await? {
        took.extend(of_one?);
    }
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
    let rate = took.len() as f64 / start.elapsed().as_secs_f64();
    Ok((rate, took))
}

fn add(report: &mut Report, clients: u32, [visible, as_it_is, not]: [Turns; 3]) {
    for (reference, turns) in [
        ("both requests, GET without waiting", &as_it_is),
        ("POST alone", &not),
    ] {
        let pairs = visible.rates.iter().zip(&turns.rates);
        let rounds = pairs.map(|(measured, reference)| Round {
            measured: *measured,
            reference: *reference,
        });
        let rounds = rounds.collect();
        let comparison = Comparison::new(WORK, reference, clients, "orders/s", rounds, None);
        report.comparisons.push(comparison);
    }
    for (what, turns) in [
        ("POST until visible", visible),
        ("POST and GET without waiting", as_it_is),
        ("POST", not),
    ] {
        let mut took = turns.took;
        took.sort_unstable();
        for (name, percent) in [("p50", 50), ("p99", 99)] {
            let place = (took.len() * percent / 100).min(took.len().saturating_sub(1));
            let milliseconds = took
                .get(place)
                .map_or(f64::NAN, |took| took.as_secs_f64() * 1e3);
            report.figures.push(Figure {
                work: format!("{what}, {clients} clients"),
                what: name.to_owned(),
                value: milliseconds,
                unit: "ms",
            });
        }
    }
}

/// An answer that says that a request was carried out.
async fn accepted(request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
    let answer = request.send().await?;
    answer.error_for_status().context("the service refused")
}
