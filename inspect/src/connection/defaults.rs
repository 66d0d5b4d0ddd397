//! What nothing says: the socket, the user, the database, the password, and the certificates.

use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::{ConnectionError, Origin, Target, password_file};

/// Debian's folder of sockets, and the one of PostgreSQL's own builds.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];
const PORT: &str = "5432";

impl Target {
    /// Completes what options, files and variables say.
    pub(super) fn fill_in(&mut self, environment: &Environment) -> Result<(), ConnectionError> {
        if !self.values.contains_key("host") && !self.values.contains_key("hostaddr") {
            let (host, why) = self.socket();
            self.set("host", host, Origin::Default(why));
        }
        if !self.values.contains_key("user")
            && let Some(user) = environment.user()
        {
            self.set("user", user, Origin::Default("the operating system's user"));
        }
        if !self.values.contains_key("dbname")
            && let Some(user) = self.get("user").map(str::to_owned)
        {
            self.set("dbname", user, Origin::Default("named like the user"));
        }
        self.allow_is_prefer();
        self.add_certificates(environment);
        self.add_password(environment)
    }

    fn set(&mut self, name: &'static str, value: String, origin: Origin) {
        self.values.insert(name, (value, origin));
    }

    /// The folder with the socket of a server on this machine.
    fn socket(&self) -> (String, &'static str) {
        let port = self.get("port").unwrap_or(PORT);
        let file = format!(".s.PGSQL.{port}");
        let has_socket = |folder: &&&str| Path::new(folder).join(&file).exists();
        match SOCKET_FOLDERS.iter().find(has_socket) {
            Some(folder) => ((*folder).to_owned(), "the folder with the server's socket"),
            None if Path::new(SOCKET_FOLDERS[0]).is_dir() => {
                (SOCKET_FOLDERS[0].to_owned(), "Debian's folder of sockets")
            }
            None => (
                SOCKET_FOLDERS[1].to_owned(),
                "PostgreSQL's folder of sockets",
            ),
        }
    }

    /// The client knows no `allow`. `prefer` is at least as safe, and reaches the same servers.
    fn allow_is_prefer(&mut self) {
        if let Some((mode, _)) = self.values.get_mut("sslmode")
            && mode == "allow"
        {
            "prefer".clone_into(mode);
        }
    }

    /// The certificates in `~/.postgresql`, as libpq takes them.
    fn add_certificates(&mut self, environment: &Environment) {
        let mode = self.get("sslmode").unwrap_or_default();
        if !matches!(mode, "require" | "verify-ca" | "verify-full") {
            return;
        }
        let existing = |name: &str| {
            let file = environment
                .in_home(".postgresql")
                .map(|home| home.join(name));
            file.filter(|file| file.exists())
                .map(|file| file.to_string_lossy().into_owned())
        };
        const FOUND: Origin = Origin::Default("the file in ~/.postgresql");
        if !self.values.contains_key("sslrootcert")
            && let Some(file) = existing("root.crt")
        {
            self.set("sslrootcert", file, FOUND);
        }
        if !self.values.contains_key("sslcert")
            && !self.values.contains_key("sslkey")
            && let (Some(certificate), Some(key)) =
                (existing("postgresql.crt"), existing("postgresql.key"))
        {
            self.set("sslcert", certificate, FOUND);
            self.set("sslkey", key, FOUND);
        }
    }

    /// The password in the password file, unless there is another.
    fn add_password(&mut self, environment: &Environment) -> Result<(), ConnectionError> {
        let file = match self.values.remove("passfile") {
            Some((file, _)) => Some(PathBuf::from(file)),
            None => environment.in_home(".pgpass"),
        };
        let Some(file) = file.filter(|_| !self.values.contains_key("password")) else {
            return Ok(());
        };
        let text = match password_file::read(&file)? {
            Ok(text) => text,
            Err(unused) => {
                self.warnings.push(unused);
                return Ok(());
            }
        };
        if let Some(password) = self.password_in(&text)? {
            self.set("password", password, Origin::PasswordFile(file));
        }
        Ok(())
    }

    /// One password serves all hosts: a connection string has no more.
    fn password_in(&self, text: &str) -> Result<Option<String>, ConnectionError> {
        let hosts = self.get("host").or_else(|| self.get("hostaddr"));
        let hosts: Vec<&str> = hosts.unwrap_or_default().split(',').collect();
        let ports: Vec<&str> = self.get("port").unwrap_or(PORT).split(',').collect();
        let mut passwords = Vec::new();
        for (place, host) in hosts.iter().enumerate() {
            let host = match SOCKET_FOLDERS.contains(host) {
                true => "localhost",
                false => host,
            };
            let wanted = password_file::Wanted {
                host,
                port: ports.get(place).or(ports.first()).copied().unwrap_or(PORT),
                database: self.get("dbname").unwrap_or_default(),
                user: self.get("user").unwrap_or_default(),
            };
            passwords.push(password_file::find(text, wanted));
        }
        passwords.dedup();
        match passwords.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(ConnectionError::SeveralPasswords),
        }
    }
}
