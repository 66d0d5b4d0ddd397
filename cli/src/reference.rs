//! The reference of commands in `docs/operations/cli.md` is what `--help` says.

use std::fmt::Write;
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::arguments::Cli;

const BEGIN: &str =
    "<!-- Written by EVENTCORE_WRITE_REFERENCE=1 cargo test -p eventcore-cli reference -->\n";

/// A section for each command that does something, without the options that all have.
fn sections(command: &Command, path: &str, text: &mut String) {
    let mut command = command.clone().term_width(100).bin_name(path);
    command.build();
    for subcommand in command
        .get_subcommands()
        .filter(|of| of.get_name() != "help")
    {
        let path = format!("{path} {}", subcommand.get_name());
        if subcommand.has_subcommands() && subcommand.is_subcommand_required_set() {
            sections(subcommand, &path, text);
            continue;
        }
        let mut shown = subcommand.clone().bin_name(&path).term_width(100);
        for argument in subcommand.get_arguments().filter(|of| of.is_global_set()) {
            shown = shown.mut_arg(argument.get_id(), |argument| argument.hide(true));
        }
        let help = shown.render_help().to_string();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n### {path}\n\n```text\n{}\n```\n",
            lines.join("\n").trim_end()
        );
        if subcommand.has_subcommands() {
            sections(subcommand, &path, text);
        }
    }
}

#[test]
fn the_reference_of_commands_is_what_help_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations/cli.md");
    let found = std::fs::read_to_string(&page).unwrap();
    let (before, _) = found.split_once(BEGIN).unwrap();
    let mut written = format!("{before}{BEGIN}");
    sections(&Cli::command(), "eventcore", &mut written);
    if std::env::var_os("EVENTCORE_WRITE_REFERENCE").is_some() {
        std::fs::write(&page, &written).unwrap();
    }
    let found = std::fs::read_to_string(&page).unwrap();
    assert!(
        found == written,
        "write it again with EVENTCORE_WRITE_REFERENCE=1"
    );
}
