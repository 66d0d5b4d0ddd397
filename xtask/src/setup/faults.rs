//! The library of the server tests that injects errors: one C file. Its headers and compiler are
//! those that the extension is built with.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::headers::Headers;
use super::prefix;
use crate::stamp::{Stamp, is_stamped, write_stamp};
use crate::step::Ui;
use crate::workspace::Workspace;

/// In the prefix: the stamp of the source of the installed library.
const STAMP: &str = ".faults";

/// Installs the library unless that of this source is installed.
pub(crate) fn ensure(
    workspace: &Workspace,
    ui: &Ui,
    headers: &Headers,
    prefix: &Path,
) -> Result<()> {
    let source = workspace.root.join("tests/faults/faults.c");
    let stamp = Stamp::default().path(&source)?.finish();
    let stamp_file = prefix.join(STAMP);
    if is_stamped(&stamp_file, &stamp) {
        return Ok(());
    }
    let include = headers.folder("--includedir-server")?;
    let library = headers.folder("--pkglibdir")?.join("eventcore_faults.so");
    let mut compiler = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler
        .args([
            "-shared",
            "-fPIC",
            "-O1",
            "-Wall",
            "-Werror",
            "-D_GNU_SOURCE",
        ])
        .arg("-I")
        .arg(&include)
        .arg("-o")
        .arg(&library)
        .arg(&source);
    ui.run(
        "library of injected errors: build and install",
        &mut compiler,
    )?;
    prefix::open_to_all(prefix)?;
    write_stamp(&stamp_file, &stamp)
}
