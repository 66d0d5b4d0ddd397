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

/// What a connection to the server reads from and writes to, encrypted.
pub(super) type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// What the store asks of TLS, as `sslmode` says in a URL. On a unix socket there is never any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// No TLS.
    Disable,
    /// With TLS if the server offers it, else without: no protection from anyone who can change what
    /// is sent. The default.
    Prefer,
    /// With TLS or not at all. The server's certificate is verified, as by [`VerifyCa`](Self::VerifyCa),
    /// only if a root certificate is given.
    Require,
    /// The server's certificate must have been issued by a root certificate that is given, to whomever.
    VerifyCa,
    /// As by [`VerifyCa`](Self::VerifyCa), and issued to the host that the URL names: one of the
    /// certificate's subject alternative names.
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

/// A text that names no [`TlsMode`].
#[derive(Debug, thiserror::Error)]
#[error("sslmode is {0:?}, not disable, prefer, require, verify-ca or verify-full")]
pub struct UnknownMode(String);

/// What is said of TLS by a URL, or by the methods of a builder.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsSettings {
    pub(super) mode: Option<TlsMode>,
    pub(super) root: Option<Root>,
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// Whom to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    File(PathBuf),
    System,
}

impl From<PathBuf> for Root {
    /// `system` is what it is in a URL.
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "system" {
            Self::System
        } else {
            Self::File(path)
        }
    }
}

impl TlsSettings {
    /// These, and those of another where these say nothing.
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
            let reason = "a list of hosts with a socket among them cannot require TLS";
            return Err(malformed("sslmode", reason));
        }
        config.ssl_mode(match mode {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        // Nothing is read that is not used.
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
            // Anybody can have a certificate of a public authority, for a name of their own.
            Some(mode) if system && mode != TlsMode::Disable && mode < strongest => Err(malformed(
                "sslmode",
                "sslrootcert=system asks for sslmode=verify-full",
            )),
            Some(mode) => Ok(mode),
            None if system => Ok(strongest),
            None => Ok(TlsMode::Prefer),
        }
    }

    fn rustls(&self, mode: TlsMode) -> Result<ClientConfig, StoreError> {
        let roots = self.root.as_ref().map(files::roots).transpose()?;
        if roots.is_none() && mode >= TlsMode::VerifyCa {
            let reason = "whom to trust? give the path of a certificate, or `system`";
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
            (Some(_), None) => return Err(malformed("sslkey", "missing beside sslcert")),
            (None, Some(_)) => return Err(malformed("sslcert", "missing beside sslkey")),
        };
        // Servers of version 17 and later want to be told, in `sslnegotiation=direct`.
        config.alpn_protocols = vec![b"postgresql".to_vec()];
        Ok(config)
    }
}

/// Whether this is a failure of TLS itself, which does not pass, and not of the connection beneath.
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
