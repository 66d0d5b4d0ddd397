//! The cost of the client itself: its store in memory and `execute` on it, against the loop that
//! event-sourcing libraries in Rust often have. Criterion measures them in rounds that take turns.

mod commands;
mod orders;
mod reference;
mod works;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use criterion::Criterion;
use eventcore_benches::machine::Machine;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds::Round;
use serde_json::Value;

use crate::works::{Run, Work};

/// Each work, compared to its reference.
const AT_LEAST: f64 = 2.0;

#[derive(Parser)]
struct Arguments {
    /// Where the report goes
    #[arg(long, default_value = "target/bench")]
    reports: PathBuf,
    /// How often each work and its reference take turns
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only works whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// The argument that cargo passes to a benchmark; without it everything runs once
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut works = works::all();
    if let Some(part) = &arguments.only {
        works.retain(|work| work.name.contains(part));
    }
    if !arguments.bench {
        for work in &mut works {
            (work.eventcore)();
            (work.reference)();
        }
        return Ok(());
    }

    let folder = arguments.reports.join("criterion");
    let title = "eventcore in memory, against a loop over envelopes of strings and JSON trees";
    let mut report = Report::new("client", title, Machine::without_server()?);
    for mut work in works {
        let rounds = (0..arguments.rounds)
            .map(|round| measure(&mut work, round, &folder))
            .collect::<Result<_>>()?;
        report.comparisons.push(Comparison::new(
            work.name,
            "the loop",
            1,
            work.unit,
            rounds,
            Some(Target::AtLeast(AT_LEAST)),
        ));
    }
    println!("{}", report.text());
    report.write(&arguments.reports)
}

/// One round; the order of the two is swapped from round to round.
fn measure(work: &mut Work, round: u32, folder: &Path) -> Result<Round> {
    let (name, per_run) = (work.name, f64::from(work.per_run));
    let rate = |side, run: &mut Run| Ok(per_run / seconds(name, side, run, folder)?);
    let (measured, reference): (Result<f64>, Result<f64>) = if round.is_multiple_of(2) {
        let measured = rate("eventcore", &mut work.eventcore);
        (measured, rate("reference", &mut work.reference))
    } else {
        let reference = rate("reference", &mut work.reference);
        (rate("eventcore", &mut work.eventcore), reference)
    };
    Ok(Round {
        measured: measured?,
        reference: reference?,
    })
}

/// How long one run takes: the median of Criterion's samples.
fn seconds(work: &str, side: &str, run: &mut Run, folder: &Path) -> Result<f64> {
    let mut criterion = Criterion::default()
        .without_plots()
        .output_directory(folder)
        .sample_size(50)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    let mut group = criterion.benchmark_group(work);
    group.bench_function(side, |bencher| bencher.iter(&mut *run));
    group.finish();

    let file = [folder, Path::new(work), Path::new(side)]
        .iter()
        .collect::<PathBuf>()
        .join("new/estimates.json");
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let estimates: Value = serde_json::from_slice(&text)?;
    let nanoseconds = estimates["median"]["point_estimate"].as_f64();
    Ok(nanoseconds.context("Criterion gives no median")? / 1e9)
}
