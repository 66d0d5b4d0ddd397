//! [`Target`]: which of several servers to connect to, by `target_session_attrs` in the URL as in
//! libpq.

use std::str::FromStr;
use std::task::Poll;

use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage, Socket};

use super::tls::Encrypted;

/// What kind of server to connect to. tokio-postgres knows the first three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Target {
    #[default]
    Any,
    /// Accepts writes: not a standby, and not read-only by default.
    ReadWrite,
    ReadOnly,
    /// Not a standby.
    Primary,
    Standby,
    /// A standby, or any server if there is none.
    PreferStandby,
}

/// A text that does not name a [`Target`].
#[derive(Debug, thiserror::Error)]
#[error(
    "target_session_attrs is {0:?}, not any, read-write, read-only, primary, standby or prefer-standby"
)]
pub(super) struct UnknownTarget(String);

impl FromStr for Target {
    type Err = UnknownTarget;

    fn from_str(name: &str) -> Result<Self, UnknownTarget> {
        Ok(match name {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => return Err(UnknownTarget(name.to_owned())),
        })
    }
}

impl Target {
    /// A description for errors.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Any | Self::PreferStandby => "available",
            Self::ReadWrite => "one that accepts writes",
            Self::ReadOnly => "one that is read-only",
            Self::Primary => "a primary",
            Self::Standby => "a standby",
        }
    }

    /// What to look for first, and what next.
    pub(super) fn rounds(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// A statement that the server answers with `on` or `off`, and the answer that it must give.
    fn question(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Any | Self::PreferStandby => None,
            Self::ReadWrite => Some(("SHOW transaction_read_only", "off")),
            Self::ReadOnly => Some(("SHOW transaction_read_only", "on")),
            Self::Primary => Some(("SHOW in_hot_standby", "off")),
            Self::Standby => Some(("SHOW in_hot_standby", "on")),
        }
    }

    /// Whether the server of a new connection meets the target.
    pub(super) async fn is(
        self,
        client: &Client,
        connection: &mut tokio_postgres::Connection<Socket, Encrypted>,
    ) -> Result<bool, Error> {
        let Some((question, wanted)) = self.question() else {
            return Ok(true);
        };
        let mut asked = std::pin::pin!(client.simple_query(question));
        let answer = std::future::poll_fn(|cx| {
            loop {
                if let Poll::Ready(answer) = asked.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
                match connection.poll_message(cx) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    // The query returns the error.
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        });
        let says = |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some(wanted));
        Ok(answer.await?.iter().any(says))
    }
}

/// How many servers a configuration lists.
pub(super) fn count(config: &Config) -> usize {
    config.get_hosts().len().max(config.get_hostaddrs().len())
}

/// The configuration of one of several servers.
pub(super) fn only(config: &Config, place: usize) -> Config {
    let mut one = Config::new();
    if let Some(user) = config.get_user() {
        one.user(user);
    }
    if let Some(password) = config.get_password() {
        one.password(password);
    }
    if let Some(database) = config.get_dbname() {
        one.dbname(database);
    }
    if let Some(options) = config.get_options() {
        one.options(options);
    }
    if let Some(name) = config.get_application_name() {
        one.application_name(name);
    }
    one.ssl_mode(config.get_ssl_mode());
    one.ssl_negotiation(config.get_ssl_negotiation());
    match config.get_hosts().get(place) {
        Some(Host::Tcp(host)) => {
            one.host(host);
        }
        Some(Host::Unix(folder)) => {
            one.host_path(folder);
        }
        None => {}
    }
    if let Some(address) = config.get_hostaddrs().get(place) {
        one.hostaddr(*address);
    }
    let ports = config.get_ports();
    if let Some(port) = ports.get(place).or(ports.first()) {
        one.port(*port);
    }
    if let Some(timeout) = config.get_connect_timeout() {
        one.connect_timeout(*timeout);
    }
    if let Some(timeout) = config.get_tcp_user_timeout() {
        one.tcp_user_timeout(*timeout);
    }
    one.keepalives(config.get_keepalives());
    one.keepalives_idle(config.get_keepalives_idle());
    if let Some(interval) = config.get_keepalives_interval() {
        one.keepalives_interval(interval);
    }
    if let Some(retries) = config.get_keepalives_retries() {
        one.keepalives_retries(retries);
    }
    one.channel_binding(config.get_channel_binding());
    one.load_balance_hosts(config.get_load_balance_hosts());
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_of_libpq_is_known_and_no_other() {
        for (name, target) in [
            ("any", Target::Any),
            ("read-write", Target::ReadWrite),
            ("read-only", Target::ReadOnly),
            ("primary", Target::Primary),
            ("standby", Target::Standby),
            ("prefer-standby", Target::PreferStandby),
        ] {
            assert_eq!(name.parse::<Target>().unwrap(), target);
        }
        let error = "master".parse::<Target>().unwrap_err().to_string();
        assert!(error.contains("\"master\"") && error.contains("prefer-standby"));
    }

    #[test]
    fn one_of_several_servers_has_everything_but_the_others() {
        let text = "postgresql://u:p@one:1,two:2/d?application_name=n&connect_timeout=3\
                    &keepalives_idle=4&tcp_user_timeout=5&options=-c%20x%3D1";
        let config: Config = text.parse().unwrap();
        let alone = "postgresql://u:p@two:2/d?application_name=n&connect_timeout=3\
                     &keepalives_idle=4&tcp_user_timeout=5&options=-c%20x%3D1";
        assert_eq!(count(&config), 2);
        assert_eq!(only(&config, 1), alone.parse().unwrap());
        let sockets: Config = "host=/a,/b port=7 dbname=d".parse().unwrap();
        assert_eq!(
            only(&sockets, 1),
            "host=/b port=7 dbname=d".parse().unwrap()
        );
    }
}
