//! The rows in memory, each done by the application and by the plain implementation.

mod commands;
mod read_models;
mod samples;
mod store;

use std::hint::black_box;
use std::time::Duration;

use anyhow::Result;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds::Round;
use futures_util::FutureExt;
use rustix::time::{ClockId, clock_gettime};

use crate::Work;

/// Each row, compared to the plain implementation.
const AT_LEAST: f64 = 2.0;

/// How long one slice lasts. The two sides take turns after each.
const SLICE: Duration = Duration::from_millis(40);

/// How many slices of each side are one round.
const SLICES: u32 = 5;

/// An operation to repeat.
type Run = Box<dyn FnMut()>;

/// One row.
struct Row {
    name: &'static str,
    /// The unit that is counted: `per_run` of them in each run.
    unit: &'static str,
    per_run: u32,
    orders: Run,
    plain: Run,
}

/// Measures these rows.
pub(crate) fn run(works: &[Work], rounds: u16, report: &mut Report) -> Result<()> {
    for work in works {
        let Some(mut row) = row(*work) else {
            continue;
        };
        eprintln!("==> {}", row.name);
        let rounds = row.measure(rounds);
        let (name, unit) = (row.name, row.unit);
        let target = Some(Target::AtLeast(AT_LEAST));
        let comparison = Comparison::new(name, "the plain implementation", 1, unit, rounds, target);
        report.comparisons.push(comparison);
    }
    Ok(())
}

/// The row of a work; none if it needs a server.
fn row(work: Work) -> Option<Row> {
    Some(match work {
        Work::Append => store::append("append 1 event", 1, None),
        Work::AppendTen => store::append("append 10 events", 10, None),
        Work::AppendAt => store::append("append 1 event at an expected version", 1, Some(0)),
        Work::Read => store::read(),
        Work::Follow => store::follow(),
        Work::Create => commands::create(),
        Work::FullCycle => commands::full_cycle(),
        Work::Fold50 => commands::fold("reconstruct an order from 50 events", 50),
        Work::Fold100 => commands::fold("reconstruct an order from 100 events", 100),
        Work::Project => read_models::project(),
        Work::CatchUp300 => read_models::catch_up("catch up 300 events", 100),
        Work::CatchUp3000 => read_models::catch_up("catch up 3,000 events", 1_000),
        Work::List => read_models::list(),
        Work::ListCustomer => read_models::list_of_customer(),
        Work::Rebuild => read_models::rebuild(),
        Work::Visible => return None,
    })
}

impl Row {
    fn measure(&mut self, rounds: u16) -> Vec<Round> {
        let runs = (how_often(&mut self.orders), how_often(&mut self.plain));
        let per_run = f64::from(self.per_run);
        let mut turn = 0_u32;
        let rounds = (0..rounds).map(|_| {
            let (mut orders, mut plain) = (0.0, 0.0);
            for _ in 0..SLICES {
                turn += 1;
                if turn.is_multiple_of(2) {
                    orders += seconds(&mut self.orders, runs.0);
                    plain += seconds(&mut self.plain, runs.1);
                } else {
                    plain += seconds(&mut self.plain, runs.1);
                    orders += seconds(&mut self.orders, runs.0);
                }
            }
            let rate = |runs: u32, seconds: f64| per_run * f64::from(runs * SLICES) / seconds;
            Round {
                measured: rate(runs.0, orders),
                reference: rate(runs.1, plain),
            }
        });
        rounds.collect()
    }
}

/// How many runs fill a slice. Also warms up.
fn how_often(run: &mut Run) -> u32 {
    let mut runs = 1;
    loop {
        let took = seconds(run, runs);
        if took >= SLICE.as_secs_f64() / 2.0 {
            let per_run = took / f64::from(runs);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small positive number"
            )]
            return (SLICE.as_secs_f64() / per_run).ceil().max(1.0) as u32;
        }
        runs *= 2;
    }
}

/// How long the processor works on this number of runs. In memory nothing waits, so that is all
/// of its time, and other programs on the machine do not count.
fn seconds(run: &mut Run, runs: u32) -> f64 {
    let start = processor_time();
    for _ in 0..runs {
        run();
    }
    (processor_time() - start).as_secs_f64()
}

fn processor_time() -> Duration {
    let taken = clock_gettime(ClockId::ThreadCPUTime);
    taken.try_into().expect("time is not negative")
}

/// What something in memory results in: it never waits. A failing bench would measure nothing.
fn now<T, E: std::fmt::Debug>(answer: impl Future<Output = Result<T, E>>) -> T {
    at_once(answer).expect("what is in memory does what is asked")
}

fn at_once<T>(answer: impl Future<Output = T>) -> T {
    let answer = answer.now_or_never();
    black_box(answer.expect("what is in memory answers at once"))
}
