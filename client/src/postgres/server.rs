//! [`Server`]: where the server or the servers are. All connections are made here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_postgres::config::{LoadBalanceHosts, SslMode};
use tokio_postgres::{Client, Config, Connection, Error, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

use super::sqlstate;
use super::target::{self, Target, UnknownTarget};
use super::tls::{self, Encrypted, TlsSettings};
use crate::store::StoreError;

type Connected = (Client, Connection<Socket, Encrypted>);

/// How long sent data may stay unacknowledged, so that a call to a lost machine fails.
const UNANSWERED: Duration = Duration::from_secs(20);

/// How long a connection may be silent before TCP checks whether the other end is alive.
const SILENT: Duration = Duration::from_secs(20);

/// The default of tokio-postgres if the URL gives none.
const SILENT_OF_DRIVER: Duration = Duration::from_secs(2 * 60 * 60);

/// A parsed URL.
#[derive(Clone)]
pub(super) struct Url {
    pub(super) config: Config,
    pub(super) tls: TlsSettings,
    pub(super) target: Target,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoConnection {
    #[error(transparent)]
    Failed(#[from] Error),
    #[error("none of the servers in the URL is {0}")]
    NoSuchServer(&'static str),
    #[error("no connection was ready within connect_timeout")]
    NotReady,
}

impl Url {
    /// Parses a URL and adds our defaults.
    pub(super) fn parse(argument: &'static str, url: &str) -> Result<Self, StoreError> {
        let mut target = Target::Any;
        // tokio-postgres takes a list of socket directories for one directory.
        let mut hosts = Vec::new();
        let mut take_ours = |key: &str, value: &str| -> Result<bool, UnknownTarget> {
            match key {
                "target_session_attrs" => target = value.parse()?,
                "host" => hosts.extend(value.split(',').map(str::to_owned)),
                _ => return Ok(false),
            }
            Ok(true)
        };
        let rest = tls::take(url, &mut take_ours)
            .map_err(|source| StoreError::malformed(argument, None, source))?;
        let (rest, tls) =
            tls::take_out(&rest).map_err(|source| StoreError::malformed(argument, None, source))?;
        let mut config: Config = rest
            .parse()
            .map_err(|source| StoreError::malformed(argument, None, source))?;
        for host in hosts {
            config.host(host);
        }
        if config.get_application_name().is_none() {
            config.application_name("eventcore");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNANSWERED);
        }
        if config.get_keepalives_idle() == SILENT_OF_DRIVER {
            config.keepalives_idle(SILENT);
        }
        if config.get_hosts().is_empty() {
            // If TLS needs a host name, the address serves as one.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        Ok(Self {
            config,
            tls,
            target,
        })
    }
}

/// Where and how to connect.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    target: Target,
    /// The index of the server that was connected to last.
    found: Arc<AtomicUsize>,
}

impl Server {
    /// Reads the TLS files.
    pub(super) fn new(url: Url) -> Result<Self, StoreError> {
        let mut config = url.config;
        let tls = url.tls.connector(&mut config)?;
        Ok(Self {
            config,
            tls,
            target: url.target,
            found: Arc::default(),
        })
    }

    /// How long a connection may take until it is ready: enough to try two addresses of each host,
    /// or one address and then the same time for TLS and authentication.
    pub(super) fn limit(&self) -> Option<Duration> {
        let hosts = u32::try_from(self.config.get_hosts().len())
            .unwrap_or(1)
            .max(1);
        let timeout = self.config.get_connect_timeout()?;
        Some(timeout.saturating_mul(2).saturating_mul(hosts))
    }

    /// For a request to cancel a statement.
    pub(super) fn tls(&self) -> MakeRustlsConnect {
        self.tls.clone()
    }

    /// Connects, within the [limit](Self::limit).
    pub(super) async fn connect_in_time(&self) -> Result<Connected, NoConnection> {
        // Boxed, because the nested future would otherwise be too deep for the compiler.
        let connect = Box::pin(self.connect());
        match self.limit() {
            Some(limit) => {
                let connected = tokio::time::timeout(limit, connect).await;
                connected.unwrap_or(Err(NoConnection::NotReady))
            }
            None => connect.await,
        }
    }

    /// Connects to one of the servers that meets the target.
    pub(super) async fn connect(&self) -> Result<Connected, NoConnection> {
        if self.target == Target::Any && target::count(&self.config) < 2 {
            return Ok(self.connect_by(&self.config).await?);
        }
        let mut failed = None;
        for target in self.target.rounds() {
            for place in self.places() {
                match self.connect_at(place, *target).await {
                    Ok(Some(connected)) => {
                        self.found.store(place, Ordering::Relaxed);
                        return Ok(connected);
                    }
                    Ok(None) => {}
                    Err(error) => failed = Some(error),
                }
            }
        }
        Err(match failed {
            Some(error) => error.into(),
            None => NoConnection::NoSuchServer(self.target.description()),
        })
    }

    /// The indexes of the servers in the order in which to try them. The order starts at the server
    /// that was connected to last, so that a lost server does not delay each connection; or at a
    /// random one.
    fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let count = target::count(&self.config).max(1);
        let first = match self.config.get_load_balance_hosts() {
            LoadBalanceHosts::Random => Uuid::new_v4().as_u64_pair().1 as usize,
            _ => self.found.load(Ordering::Relaxed),
        };
        (0..count).map(move |place| (first % count + place) % count)
    }

    async fn connect_at(&self, place: usize, target: Target) -> Result<Option<Connected>, Error> {
        let config = target::only(&self.config, place);
        let (client, mut connection) = self.connect_by(&config).await?;
        let is_it = target.is(&client, &mut connection).await?;
        Ok(is_it.then_some((client, connection)))
    }

    async fn connect_by(&self, config: &Config) -> Result<Connected, Error> {
        let connected = config.connect(self.tls.clone()).await;
        match connected {
            Err(error) if self.may_do_without(&error) => {
                let mut config = config.clone();
                config.ssl_mode(SslMode::Disable);
                config.connect(self.tls.clone()).await
            }
            connected => connected,
        }
    }

    /// Whether TLS is only preferred, and either TLS failed or the server refuses encrypted
    /// connections.
    fn may_do_without(&self, error: &Error) -> bool {
        self.config.get_ssl_mode() == SslMode::Prefer
            && (tls::is_of_tls(error) || sqlstate::is_refused_at_the_door(error))
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    #[test]
    fn hosts_are_listed_in_each_form_of_a_url() {
        for url in [
            "postgresql:///d?host=/a,/b&port=7",
            "postgresql:///d?host=%2Fa%2C%2Fb&port=7",
            "host=/a,/b port=7 dbname=d",
        ] {
            let hosts = Url::parse("url", url).unwrap().config.get_hosts().to_vec();
            assert_eq!(
                hosts,
                ["/a", "/b"].map(|folder| Host::Unix(folder.into())),
                "{url}"
            );
        }
        let url = Url::parse(
            "url",
            "postgresql://u@one:1,two:2/d?target_session_attrs=primary",
        );
        let url = url.unwrap();
        let hosts = ["one", "two"].map(|host| Host::Tcp(host.to_owned()));
        assert_eq!(url.config.get_hosts(), hosts);
        assert_eq!(url.target, Target::Primary);
        let error = Url::parse("url", "postgresql://h/d?target_session_attrs=x");
        assert!(error.err().unwrap().is_malformed());
    }
}
