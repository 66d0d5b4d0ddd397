//! TLS to the server, with rustls, by the rules of libpq.

mod files;
mod parameters;
mod verify;

use std::error::Error as _;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::files::malformed;
pub(super) use self::parameters::{take, take_out};
use self::verify::Verifier;
use crate::store::StoreError;

/// The encrypted stream of a connection to the server.
pub(super) type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// How the store uses TLS, as `sslmode` in a URL. Unix sockets never use TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// TLS if the server offers it. Does not protect from anyone who can change the traffic. The
    /// default.
    Prefer,
    /// TLS always. The server's certificate is verified, as with [`VerifyCa`](Self::VerifyCa), only
    /// if a root certificate is given.
    Require,
    /// The server's certificate must be issued by a given root certificate, for any host.
    VerifyCa,
    /// Like [`VerifyCa`](Self::VerifyCa); and the certificate must be issued for the host in the
    /// URL, as one of its subject alternative names.
    VerifyFull,
}

impl FromStr for TlsMode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        Ok(match name {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return Err(UnknownMode(name.to_owned())),
        })
    }
}

/// A text that does not name a [`TlsMode`].
#[derive(Debug, thiserror::Error)]
#[error("sslmode is {0:?}, not disable, prefer, require, verify-ca or verify-full")]
pub struct UnknownMode(String);

/// The TLS settings of a URL, or of a builder's methods.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsSettings {
    pub(super) mode: Option<TlsMode>,
    pub(super) root: Option<Root>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// Which certificates to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    File(PathBuf),
    System,
}

impl From<PathBuf> for Root {
    /// `system` has the same meaning as in a URL.
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "system" {
            Self::System
        } else {
            Self::File(path)
        }
    }
}

impl TlsSettings {
    /// These settings, completed by another's.
    pub(super) fn or(self, other: &Self) -> Self {
        let other = other.clone();
        Self {
            mode: self.mode.or(other.mode),
            root: self.root.or(other.root),
            certificate: self.certificate.or(other.certificate),
            key: self.key.or(other.key),
        }
    }

    /// Reads the files, and sets the mode of `config`.
    pub(super) fn connector(&self, config: &mut Config) -> Result<MakeRustlsConnect, StoreError> {
        let is_socket = |host: &Host| matches!(host, Host::Unix(_));
        let hosts = config.get_hosts();
        let mode = if !hosts.is_empty() && hosts.iter().all(is_socket) {
            TlsMode::Disable
        } else {
            self.mode()?
        };
        if mode > TlsMode::Prefer && hosts.iter().any(is_socket) {
            let reason = "a list of hosts that includes a socket cannot require TLS";
            return Err(malformed("sslmode", reason));
        }
        config.ssl_mode(match mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        // Only files that are used are read.
        let used = match mode {
            TlsMode::Disable => &Self::default(),
            _ => self,
        };
        used.rustls(mode).map(MakeRustlsConnect::new)
    }

    fn mode(&self) -> Result<TlsMode, StoreError> {
        let system = self.root == Some(Root::System);
        let strongest = TlsMode::VerifyFull;
        match self.mode {
            // Anyone can get a certificate from a public authority, for a name of their own.
            Some(mode) if system && mode != TlsMode::Disable && mode < strongest => Err(malformed(
                "sslmode",
                "sslrootcert=system requires sslmode=verify-full",
            )),
            Some(mode) => Ok(mode),
            None if system => Ok(strongest),
            None => Ok(TlsMode::Prefer),
        }
    }

    fn rustls(&self, mode: TlsMode) -> Result<ClientConfig, StoreError> {
        let roots = self.root.as_ref().map(files::roots).transpose()?;
        if roots.is_none() && mode >= TlsMode::VerifyCa {
            let reason = "is missing: give the path of a root certificate, or `system`";
            return Err(malformed("sslrootcert", reason));
        }
        let crypto = Arc::new(ring::default_provider());
        let verifier = Verifier::new(&crypto, roots, mode == TlsMode::VerifyFull);
        let config = ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .map_err(StoreError::other)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match (&self.certificate, &self.key) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let (chain, key) = (
                    files::certificates("sslcert", certificate)?,
                    files::key(key)?,
                );
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| malformed("sslcert", error))?
            }
            (Some(_), None) => return Err(malformed("sslkey", "is missing; sslcert is given")),
            (None, Some(_)) => return Err(malformed("sslcert", "is missing; sslkey is given")),
        };
        // Servers from version 17 on need this for `sslnegotiation=direct`.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(config)
    }
}

/// Whether TLS itself failed, which is permanent, and not the connection beneath.
pub(super) fn is_of_tls(error: &Error) -> bool {
    let of_tls = |error: &io::Error| {
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>())
    };
    let mut cause = error.source();
    while let Some(source) = cause {
        if source.is::<rustls::Error>() || source.downcast_ref().is_some_and(of_tls) {
            return true;
        }
        cause = source.source();
    }
    false
}
