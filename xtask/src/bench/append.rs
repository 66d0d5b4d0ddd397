//! `cargo xtask bench append`: on the private server, in a fresh database.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::measure;
use super::on_the_server::OnTheServer;
use crate::step::Ui;
use crate::workspace::Workspace;

/// `cargo xtask bench append …`
#[derive(Args)]
pub(crate) struct Arguments {
    /// How often each work and its reference take turns, at least 3 [default: 5]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// How long each turn is measured, after a warm-up [default: 3]
    #[arg(long, value_name = "S")]
    seconds: Option<u32>,
    /// Only these works; an unknown name lists them all
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Also measure the work `scale`, on a store with this many events; takes minutes
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10000000")]
    scale_events: Option<u64>,
}

pub(super) fn run(
    workspace: &Workspace,
    ui: &Ui,
    pg: Option<u32>,
    arguments: &Arguments,
) -> Result<ExitCode> {
    let server = OnTheServer::prepare(workspace, ui, pg)?;
    let passed_on = passed_on(arguments);
    measure(workspace, &server.installation, "append", |command| {
        command.args(["--url", &server.url]).args(passed_on)
    })
}

/// The arguments that are passed to the benchmark unchanged.
fn passed_on(arguments: &Arguments) -> Vec<String> {
    let mut passed_on = Vec::new();
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            passed_on.extend([name.to_owned(), value]);
        }
    };
    option("--rounds", arguments.rounds.map(|n| n.to_string()));
    option("--seconds", arguments.seconds.map(|n| n.to_string()));
    option(
        "--scale-events",
        arguments.scale_events.map(|n| n.to_string()),
    );
    for name in &arguments.only {
        option("--only", Some(name.clone()));
    }
    passed_on
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Append {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn what_is_not_asked_for_is_left_to_the_benchmark() {
        let passed_on = |line: &str| {
            let append = Append::try_parse_from(line.split(' ')).unwrap();
            passed_on(&append.arguments).join(" ")
        };
        assert_eq!(passed_on("append"), "");
        assert_eq!(
            passed_on("append --only json storage --rounds 3 --scale-events"),
            "--rounds 3 --scale-events 10000000 --only json --only storage"
        );
    }
}
