//! The commands, a file for each.

pub(crate) mod append;
mod checkpoints;
pub(crate) mod close;
#[expect(clippy::module_inception, reason = "it is the command `commands`")]
pub(crate) mod commands;
pub(crate) mod completions;
#[cfg(feature = "console")]
pub(crate) mod console;
pub(crate) mod doctor;
pub(crate) mod event;
pub(crate) mod execute;
pub(crate) mod export;
pub(crate) mod held;
pub(crate) mod import;
pub(crate) mod inflight;
mod input;
pub(crate) mod metrics;
pub(crate) mod parked;
mod progress;
pub(crate) mod projections;
mod rows;
pub(crate) mod search;
pub(crate) mod setup;
mod stats;
pub(crate) mod stream;
pub(crate) mod streams;
pub(crate) mod subscriptions;
pub(crate) mod tail;
pub(crate) mod trace;

use std::process::ExitCode;

use crate::arguments::Command;
use crate::context::Context;
use crate::failure::Failure;

/// Runs a command.
pub(crate) async fn run(command: Command, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Command::Streams(arguments) => streams::run(&arguments, context).await?,
        Command::Stream(arguments) => stream::run(&arguments, context).await?,
        Command::Event(arguments) => event::run(&arguments, context).await?,
        Command::Tail(arguments) => tail::run(&arguments, context).await?,
        Command::Trace(arguments) => trace::run(&arguments, context).await?,
        Command::Search(arguments) => search::run(&arguments, context).await?,
        Command::Append(arguments) => append::run(&arguments, context).await?,
        Command::Close(arguments) => close::run(&arguments, context).await?,
        Command::Subscriptions(arguments) => subscriptions::run(&arguments, context).await?,
        Command::Parked(arguments) => parked::run(&arguments, context).await?,
        Command::Projections(arguments) => projections::run(&arguments, context).await?,
        Command::Checkpoints => checkpoints::run(context).await?,
        Command::Inflight(arguments) => inflight::run(&arguments, context).await?,
        Command::Stats => stats::run(context).await?,
        Command::Commands(arguments) => commands::run(&arguments, context).await?,
        Command::Execute(arguments) => execute::run(&arguments, context).await?,
        Command::Top(arguments) => crate::top::run(&arguments, context).await?,
        Command::Export(arguments) => export::run(&arguments, context).await?,
        Command::Import(arguments) => import::run(&arguments, context).await?,
        Command::Doctor(arguments) => return doctor::run(&arguments, context).await,
        Command::Setup(arguments) => return setup::run(&arguments, context).await,
        Command::Dev(arguments) => crate::dev::run(&arguments, context).await?,
        Command::Metrics(arguments) => metrics::run(&arguments, context).await?,
        #[cfg(feature = "console")]
        Command::Console(arguments) => console::run(&arguments, context).await?,
        Command::Schema(arguments) => crate::schemas::run(&arguments, context)?,
        Command::Completions(arguments) => completions::completions(&arguments)?,
        Command::Man(arguments) => completions::man(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}
