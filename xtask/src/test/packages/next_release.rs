//! A made-up next release, so that an update from package to package can be tried before there is one:
//! the current commit in a folder of its own, and what `RELEASING.md` does to it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use eventcore_harness::run;

use crate::release::freeze_present;
use crate::setup::RELEASES;
use crate::workspace::Workspace;

const VERSION: &str = "900.0.0";

/// What it has more: a column, a table and a function. It ends the install script, and follows
/// [`BEGIN`] in the update script.
const MORE: &str = "\
ALTER TABLE eventcore.subscriptions ADD COLUMN made_up text;
COMMENT ON COLUMN eventcore.subscriptions.made_up IS 'One more column.';
CREATE TABLE eventcore.made_up (made_up text NOT NULL);
COMMENT ON TABLE eventcore.made_up IS 'One more table.';
SELECT pg_extension_config_dump('eventcore.made_up', '');
CREATE FUNCTION eventcore.made_up() RETURNS text LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'eventcore_library_version';
COMMENT ON FUNCTION eventcore.made_up() IS 'One more function.';
REVOKE ALL ON FUNCTION eventcore.made_up() FROM PUBLIC;
";

const BEGIN: &str =
    "SET LOCAL search_path = pg_catalog, pg_temp;\nSELECT eventcore.require_library();\n";

/// Writes its sources to `root`. It is built in the target folder of this workspace, where all other
/// crates are compiled already.
pub(super) fn make_up(workspace: &Workspace, root: &Path) -> Result<Workspace> {
    let mut clone = Command::new("git");
    clone
        .args(["clone", "--quiet"])
        .arg(&workspace.root)
        .arg(root);
    run(&mut clone)?;
    let present = Workspace {
        root: root.to_owned(),
        ..workspace.clone()
    };
    let releases = root.join(RELEASES);
    let old = &present.version;
    if !releases.join(format!("eventcore--{old}.sql")).exists() {
        freeze_present(&present)?;
    }

    let update = releases.join(format!("eventcore--{old}--{VERSION}.sql"));
    write(&update, &format!("{BEGIN}{MORE}"))?;
    write(&root.join("sql/made_up.sql"), MORE)?;
    edit(&root.join("sql/order.txt"), |order| order + "made_up.sql\n")?;
    edit(&root.join("Cargo.toml"), |manifest| {
        manifest.replace(&format!("{old}\""), &format!("{VERSION}\""))
    })?;
    Ok(Workspace {
        version: VERSION.to_owned(),
        ..present
    })
}

fn edit(path: &Path, change: impl FnOnce(String) -> String) -> Result<()> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let changed = change(text.clone());
    ensure!(changed != text, "nothing to change in {}", path.display());
    write(path, &changed)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
