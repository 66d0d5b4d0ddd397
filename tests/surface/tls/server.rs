//! A server with TLS on 127.0.0.1, and a database `tls` on it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use eventcore_harness::{Account, Server, ServerOptions};

use super::certificates::{self, Certificates, USER};

/// Who may log in: with a certificate, only without TLS, or either way with a password.
const ACCESS: &str = "\
local     all all            trust
hostssl   all by_certificate 127.0.0.1/32 cert
hostnossl all without_tls    127.0.0.1/32 scram-sha-256
hostssl   all without_tls    127.0.0.1/32 reject
host      all all            127.0.0.1/32 scram-sha-256
";

pub(super) struct TlsServer {
    server: Server,
}

/// One for most tests; it ends with the process.
pub(super) fn shared() -> &'static TlsServer {
    static SERVER: OnceLock<TlsServer> = OnceLock::new();
    SERVER.get_or_init(|| TlsServer::start(&certificates::of_an_authority()))
}

impl TlsServer {
    pub(super) fn start(certificates: &Certificates) -> Self {
        let options = ServerOptions::new().without_fsync().with_loopback();
        let server = Self {
            server: Server::start(options).unwrap(),
        };
        server.server.create_database("tls").unwrap();
        for (name, text) in [
            ("ca.pem", &certificates.authority),
            ("other-ca.pem", &certificates.other_authority),
            ("server.pem", &certificates.server.certificate),
            ("server.key", &certificates.server.key),
            ("client.pem", &certificates.client.certificate),
            ("client.key", &certificates.client.key),
        ] {
            server.write(server.path(name), text);
        }
        server.write(server.server.data().join("pg_hba.conf"), ACCESS);
        server.admin(&format!("CREATE ROLE {USER} LOGIN SUPERUSER"));
        let password = server.password();
        server.admin(&format!(
            "CREATE ROLE without_tls LOGIN SUPERUSER PASSWORD '{password}'"
        ));
        for (setting, file) in [
            ("ssl_cert_file", "server.pem"),
            ("ssl_key_file", "server.key"),
            ("ssl_ca_file", "ca.pem"),
        ] {
            server.admin(&format!(
                "ALTER SYSTEM SET {setting} = '{}'",
                server.file(file)
            ));
        }
        server.admin("ALTER SYSTEM SET ssl = on");
        let Self { mut server } = server;
        server.restart().unwrap();
        Self { server }
    }

    /// A URL to the database by its address, with these parameters.
    pub(super) fn url(&self, parameters: &str) -> String {
        let url = self.server.loopback_url("tls").unwrap();
        format!("{url}?{parameters}")
    }

    /// Like [`url`](Self::url), for a user other than the superuser.
    pub(super) fn url_of(&self, user: &str, parameters: &str) -> String {
        self.url(parameters)
            .replace("//postgres:", &format!("//{user}:"))
    }

    pub(super) fn socket_url(&self) -> String {
        self.server.url("tls")
    }

    pub(super) fn port(&self) -> u16 {
        self.server.port()
    }

    pub(super) fn password(&self) -> String {
        let url = self.server.loopback_url("tls").unwrap();
        let (who, _) = url.split_once('@').unwrap();
        who.rsplit_once(':').unwrap().1.to_owned()
    }

    /// The path of a file of [`Certificates`].
    pub(super) fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// `t` or `f` for each connection of this application.
    pub(super) fn encryption_of(&self, application: &str) -> String {
        self.admin(&format!(
            "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
              WHERE application_name = '{application}' ORDER BY 1"
        ))
    }

    fn admin(&self, sql: &str) -> String {
        self.server.psql("postgres", sql).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.server.socket_folder().join(name)
    }

    fn write(&self, path: PathBuf, text: &str) {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        Account::for_servers().unwrap().give(&path).unwrap();
    }
}
