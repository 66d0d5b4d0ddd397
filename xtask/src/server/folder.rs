//! The files of the private server, and the owner of each.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::{io, io::Write};

use anyhow::{Context, Result, bail};
use eventcore_harness::{Account, fits_socket, random_password};

/// `<base>/server/<major>/`
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        // The server's user passes through it to its data; the file with the password has its own
        // mode.
        for folder in [Some(path.as_path()), path.parent()].into_iter().flatten() {
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        Ok(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The stamp of the library that the server was started with.
    pub(crate) fn library(&self) -> PathBuf {
        self.path.join("library")
    }

    /// The stamp of the extension that the database was made with.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("database")
    }

    /// Makes a folder of the server's user that is closed to all others.
    pub(crate) fn make_private(path: &Path, account: &Account) -> Result<()> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(error).with_context(|| format!("cannot make {}", path.display()))
            }
            _ => Ok(account.give(path)?),
        }
    }

    /// The socket's folder: here, or below `/tmp` when the path would be too long for a unix
    /// socket.
    pub(crate) fn socket(&self) -> PathBuf {
        let here = self.path.join("socket");
        if fits_socket(&here) {
            return here;
        }
        fs::read_to_string(self.path.join("socket-folder"))
            .map_or(here, |text| PathBuf::from(text.trim()))
    }

    /// Makes the socket's folder.
    pub(crate) fn make_socket(&self, account: &Account) -> Result<PathBuf> {
        let socket = self.socket();
        if fits_socket(&socket) {
            if !socket.exists() {
                Self::make_private(&socket, account)?;
            }
            // Every process that can open the socket is trusted, so no other user may.
            let found = fs::symlink_metadata(&socket)?;
            let owner = fs::metadata(self.data())?.uid();
            if !found.is_dir() || found.uid() != owner || found.mode() & 0o077 != 0 {
                bail!(
                    "{} is open to others, or not ours: remove it",
                    socket.display()
                );
            }
            return Ok(socket);
        }
        let name = format!("eventcore-{}", &random_password()?[..12]);
        let elsewhere = Path::new("/tmp").join(name);
        DirBuilder::new().mode(0o700).create(&elsewhere)?;
        account.give(&elsewhere)?;
        fs::write(
            self.path.join("socket-folder"),
            format!("{}\n", elsewhere.display()),
        )?;
        Ok(elsewhere)
    }

    /// The remembered port, or a free one if that is taken.
    pub(crate) fn choose_port(&self) -> Result<u16> {
        if let Ok(port) = self.port()
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            return Ok(port);
        }
        let free =
            || -> io::Result<u16> { Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port()) };
        let port = free().context("no port is free on 127.0.0.1")?;
        fs::write(self.path.join("port"), format!("{port}\n"))?;
        Ok(port)
    }

    pub(crate) fn port(&self) -> Result<u16> {
        let text = fs::read_to_string(self.path.join("port"))
            .context("the private server has never been started: `cargo xtask server start`")?;
        text.trim()
            .parse()
            .context("the file `port` holds no number")
    }

    /// The superuser's password over TCP, created at the first call.
    pub(crate) fn password(&self) -> Result<String> {
        let file = self.path.join("password");
        if let Ok(text) = fs::read_to_string(&file) {
            return Ok(text.trim().to_owned());
        }
        let password = random_password()?;
        fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&file)
            .and_then(|mut file| writeln!(file, "{password}"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("xtask-server-{name}-{}/15", std::process::id()));
        Folder::new(path).unwrap()
    }

    #[test]
    fn the_password_is_kept_and_only_its_owner_can_read_it() {
        let folder = folder("password");
        let password = folder.password().unwrap();
        assert_eq!(folder.password().unwrap(), password);
        let mode = fs::metadata(folder.path.join("password")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(folder.path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_port_that_is_taken_is_given_up() {
        let folder = folder("port");
        let port = folder.choose_port().unwrap();
        assert_eq!(folder.choose_port().unwrap(), port);
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert_ne!(folder.choose_port().unwrap(), port);
        fs::remove_dir_all(folder.path.parent().unwrap()).unwrap();
    }
}
