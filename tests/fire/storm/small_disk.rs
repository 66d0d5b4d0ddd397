//! A small file system for the tables of a database, which can be filled. Mounting it needs root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use eventcore_harness::{Account, Server};

/// Room for what the longest storm writes.
const SIZE: &str = "8g";

/// A mounted tmpfs, with the tablespace `small` of the server on it.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` if it cannot be mounted; prints why.
    pub(super) fn mount(server: &Server) -> Option<Self> {
        let name = format!("eventcore-small-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        if !mount(&format!("size={SIZE},mode=0755"), &folder) {
            let _ = fs::remove_dir(&folder);
            println!("no disk is full: it takes root to mount a small one");
            return None;
        }
        let disk = Self(folder);
        let tables = disk.0.join("tables");
        fs::create_dir(&tables).unwrap();
        let account = Account::for_servers().unwrap();
        let owned = Command::new("chown")
            .arg(account.name())
            .arg(&tables)
            .status();
        assert!(owned.unwrap().success());
        let create = format!("CREATE TABLESPACE small LOCATION '{}'", tables.display());
        server.psql("postgres", &create).unwrap();
        Some(disk)
    }

    /// Leaves no space: shrinks the disk to what is on it, give or take a few pages.
    pub(super) fn fill(&self) {
        // Writes in between can make the size too small to be accepted.
        for _ in 0..100 {
            let size = format!("remount,size={}", self.used() + (64 << 10));
            if mount(&size, &self.0) {
                return;
            }
        }
        panic!("{} cannot be made smaller", self.0.display());
    }

    /// Leaves space again.
    pub(super) fn empty(&self) {
        assert!(mount(&format!("remount,size={SIZE}"), &self.0));
    }

    /// How many bytes are in use.
    fn used(&self) -> u64 {
        let mut df = Command::new("df");
        let output = df.args(["--block-size=1", "--output=used"]).arg(&self.0);
        let output = String::from_utf8(output.output().unwrap().stdout).unwrap();
        let used = output.lines().last().unwrap_or_default();
        used.trim()
            .parse()
            .unwrap_or_else(|error| panic!("df said {output:?}: {error}"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may still have files open on it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}

fn mount(options: &str, folder: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(folder);
    let status = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
