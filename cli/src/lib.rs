//! The command `eventcore`: look at an eventcore database, and operate it.
//!
//! [`main`] is the whole program. Each command is a file in `commands`; what it asks the database is
//! in the crate `eventcore-inspect`.

mod arguments;
mod commands;
mod context;
mod dev;
mod ends;
mod failure;
mod output;
mod question;
#[cfg(test)]
mod reference;
mod schemas;
mod top;
mod waits;

use std::process::ExitCode;

use clap::Parser;

use self::arguments::Cli;
use self::context::Context;
use self::failure::Failure;

/// Runs the command that this process was started with, and returns its exit code: 0 done, 1 failed,
/// 2 wrong usage, 3 no connection, 4 not found, 5 version conflict, 6 rejected, 7 not permitted, 130
/// interrupted.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = Context::new(&cli);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(context.run(commands::run(cli.command, &context))),
        Err(error) => Err(Failure::Io(error)),
    };
    match result {
        Ok(code) => code,
        Err(failure) => failure.report(&context),
    }
}
