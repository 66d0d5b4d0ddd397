//! A small file system for the tables of a database, which can be full. It takes root to mount one.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use eventcore_harness::{Account, Server};

/// A mounted tmpfs, with the tablespace `small` of the server on it.
pub(super) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where it cannot be mounted; says so.
    pub(super) fn mount(server: &Server) -> Option<Self> {
        let name = format!("eventcore-small-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=256m,mode=0755", "tmpfs"])
            .arg(&folder);
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !mounted.is_ok_and(|status| status.success()) {
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

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Leaves no room.
    pub(super) fn fill(&self) {
        let mut file = fs::File::create(self.ballast()).unwrap();
        for size in [1 << 20, 1 << 12] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    /// Leaves room again.
    pub(super) fn empty(&self) {
        let _ = fs::remove_file(self.ballast());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may have files open on it still.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_dir(&self.0);
    }
}
