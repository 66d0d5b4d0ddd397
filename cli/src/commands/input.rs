//! JSON from the command line, a file, or stdin.

use std::io::Read;

use serde_json::value::RawValue;

use crate::failure::Failure;

/// The JSON itself, `@file`, or `-` for stdin.
pub(super) fn json(argument: &str, what: &str) -> Result<Box<RawValue>, Failure> {
    let text = match argument.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::Usage(format!("{what}: cannot read {file}: {error}")))?,
        None if argument == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        }
        None => argument.to_owned(),
    };
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{what} is not JSON: {error}")))
}
