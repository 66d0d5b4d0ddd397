//! The program `eventcore`.

use std::process::ExitCode;

fn main() -> ExitCode {
    eventcore_cli::main()
}
