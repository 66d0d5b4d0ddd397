//! `eventcore completions` and `eventcore man`

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Cli;
use crate::failure::Failure;

/// The arguments of `eventcore completions`.
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

/// The arguments of `eventcore man`.
#[derive(Args)]
pub(crate) struct Man {
    /// The folder to write the pages to
    folder: PathBuf,
}

/// Prints what makes a shell complete the command.
pub(crate) fn completions(arguments: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "eventcore",
        &mut script,
    );
    Ok(io::stdout().write_all(&script)?)
}

/// Writes a page of the manual for each command.
pub(crate) fn man(arguments: &Man) -> Result<(), Failure> {
    std::fs::create_dir_all(&arguments.folder)?;
    Ok(clap_mangen::generate_to(Cli::command(), &arguments.folder)?)
}
