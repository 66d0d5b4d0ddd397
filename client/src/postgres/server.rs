//! Where the server is, and the one place where connections to it are made.

use std::time::Duration;

use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::sqlstate;
use super::tls::{self, TlsSettings};
use crate::StoreError;

pub(super) type Encrypted = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// A URL, taken apart.
#[derive(Clone)]
pub(super) struct Url {
    pub(super) config: Config,
    pub(super) tls: TlsSettings,
}

impl Url {
    /// With our defaults for what it does not say.
    pub(super) fn parse(argument: &'static str, url: &str) -> Result<Self, StoreError> {
        let (rest, tls) =
            tls::take_out(url).map_err(|source| StoreError::malformed(argument, None, source))?;
        let mut config: Config = rest
            .parse()
            .map_err(|source| StoreError::malformed(argument, None, source))?;
        if config.get_application_name().is_none() {
            config.application_name("eventcore");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_hosts().is_empty() {
            // An address is a host's name too, where TLS asks for one.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        Ok(Self { config, tls })
    }
}

/// Where to connect to, and how.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
}

impl Server {
    /// Reads the files of TLS.
    pub(super) fn new(url: Url) -> Result<Self, StoreError> {
        let mut config = url.config;
        let tls = url.tls.connector(&mut config)?;
        Ok(Self { config, tls })
    }

    /// How long a connection may take until it is ready: the time to reach the server, by two addresses of
    /// each host, or by one with as much again for TLS and authentication.
    pub(super) fn limit(&self) -> Option<Duration> {
        let hosts = u32::try_from(self.config.get_hosts().len())
            .unwrap_or(1)
            .max(1);
        let timeout = self.config.get_connect_timeout()?;
        Some(timeout.saturating_mul(2).saturating_mul(hosts))
    }

    pub(super) async fn connect(&self) -> Result<(Client, Connection<Socket, Encrypted>), Error> {
        let connected = self.config.connect(self.tls.clone()).await;
        match connected {
            Err(error) if self.may_do_without(&error) => {
                let mut config = self.config.clone();
                config.ssl_mode(SslMode::Disable);
                config.connect(self.tls.clone()).await
            }
            connected => connected,
        }
    }

    /// Whether TLS is only preferred, and it is TLS that failed, or the server that refused whom it sees.
    fn may_do_without(&self, error: &Error) -> bool {
        self.config.get_ssl_mode() == SslMode::Prefer
            && (tls::is_of_tls(error) || sqlstate::is_refused_at_the_door(error))
    }
}
