//! [`Config`]: the configuration, from the environment. Each wrong value has an error that names it.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// The configuration of the service.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// `HOST` and `PORT`: where it listens. By default 0.0.0.0:3000.
    pub address: SocketAddr,
    /// `DATABASE_URL`; in memory without it.
    pub database_url: Option<String>,
    /// `DB_MAX_CONNECTIONS`: by default 10.
    pub max_connections: usize,
    /// `PROJECTIONS`: whether the read models are kept up to date inside the server (the default) or
    /// by this program.
    pub projections: Projections,
    /// `FULFILMENT_RUNNERS`: how many fulfilments are worked on at a time. By default 4; with 0
    /// another process does it.
    pub runners: usize,
    /// `PARTNERS_URL`: the payment provider and the carrier; by default within this process.
    pub partners_url: Option<String>,
    /// `PARTNERS_TIMEOUT_MS`: how long a partner may take. By default 2,000.
    pub partners_timeout: Duration,
    /// `BODY_LIMIT_BYTES`: by default 65,536.
    pub body_limit: usize,
    /// `FULFIL_WAIT_SECONDS`: by default 10.
    pub fulfil_wait: Duration,
    /// `READ_WAIT_SECONDS`: how long a list waits for the read models. By default 5.
    pub read_wait: Duration,
}

/// Where the projection runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projections {
    /// Inside the PostgreSQL server.
    Server,
    /// In this program.
    Client,
}

/// The values of the environment that cannot be used, one in each line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct ConfigError(pub Vec<String>);

impl Config {
    /// The configuration of this process.
    ///
    /// # Errors
    ///
    /// Values cannot be used: all of them are named.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_values(|name| std::env::var(name).ok())
    }

    /// The configuration that these variables make.
    ///
    /// # Errors
    ///
    /// Like [`from_env`](Self::from_env).
    pub fn from_values(value: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut values = Values {
            value,
            errors: Vec::new(),
        };
        let host = values.parse("HOST", IpAddr::from(Ipv4Addr::UNSPECIFIED), "an IP address");
        let port = values.parse("PORT", 3_000_u16, "a port, 0 to 65535");
        let projections = match values.get("PROJECTIONS").as_deref() {
            None | Some("server") => Projections::Server,
            Some("client") => Projections::Client,
            Some(other) => {
                values.wrong("PROJECTIONS", other, "`server` or `client`");
                Projections::Server
            }
        };
        let config = Self {
            address: SocketAddr::new(host, port),
            database_url: values.url("DATABASE_URL", &["postgres://", "postgresql://"]),
            max_connections: values.between("DB_MAX_CONNECTIONS", 10, 2, 1_000),
            projections,
            runners: values.between("FULFILMENT_RUNNERS", 4, 0, 256),
            partners_url: values.url("PARTNERS_URL", &["http://"]),
            partners_timeout: Duration::from_millis(values.between(
                "PARTNERS_TIMEOUT_MS",
                2_000,
                1,
                600_000,
            ) as u64),
            body_limit: values.between("BODY_LIMIT_BYTES", 65_536, 1, 16 * 1024 * 1024),
            fulfil_wait: Duration::from_secs(
                values.between("FULFIL_WAIT_SECONDS", 10, 0, 300) as u64
            ),
            read_wait: Duration::from_secs(values.between("READ_WAIT_SECONDS", 5, 0, 300) as u64),
        };
        match values.errors.is_empty() {
            true => Ok(config),
            false => Err(ConfigError(values.errors)),
        }
    }
}

/// Variables, and what is wrong with them.
struct Values<F> {
    value: F,
    errors: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Values<F> {
    /// A value; an empty one counts as none.
    fn get(&self, name: &str) -> Option<String> {
        (self.value)(name).filter(|value| !value.is_empty())
    }

    fn wrong(&mut self, name: &str, value: impl Display, expected: &str) {
        self.errors.push(format!(
            "{name}: {value:?} is not {expected}",
            value = value.to_string()
        ));
    }

    fn parse<T: FromStr>(&mut self, name: &str, default: T, expected: &str) -> T {
        let Some(value) = self.get(name) else {
            return default;
        };
        value.parse().unwrap_or_else(|_| {
            self.wrong(name, &value, expected);
            default
        })
    }

    fn between(&mut self, name: &str, default: usize, min: usize, max: usize) -> usize {
        let expected = format!("a whole number, {min} to {max}");
        let number = self.parse(name, default, &expected);
        if !(min..=max).contains(&number) {
            self.wrong(name, number, &expected);
        }
        number
    }

    /// A URL, which is not repeated in the error: it may contain a password.
    fn url(&mut self, name: &str, schemes: &[&str]) -> Option<String> {
        let url = self.get(name)?;
        if !schemes.iter().any(|scheme| url.starts_with(scheme)) {
            self.errors.push(format!(
                "{name} does not begin with {}",
                schemes.join(" or ")
            ));
        }
        Some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(values: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_values(|name| {
            let mut found = values.iter().filter(|(one, _)| *one == name);
            found.next().map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_variables_it_listens_on_port_3000_and_keeps_events_in_memory() {
        let config = config(&[("DATABASE_URL", "")]).ok().unwrap();
        assert_eq!(config.address.to_string(), "0.0.0.0:3000");
        assert_eq!((config.database_url, config.max_connections), (None, 10));
    }

    #[test]
    fn every_wrong_value_is_named_and_no_password_is_shown() {
        let wrong = [
            ("HOST", "here"),
            ("PORT", "65536"),
            ("DATABASE_URL", "mysql://app:secret@db/shop"),
            ("DB_MAX_CONNECTIONS", "0"),
            ("PROJECTIONS", "both"),
            ("FULFILMENT_RUNNERS", "-1"),
            ("PARTNERS_URL", "ftp://partner"),
            ("PARTNERS_TIMEOUT_MS", "soon"),
            ("BODY_LIMIT_BYTES", "1e6"),
            ("FULFIL_WAIT_SECONDS", "301"),
            ("READ_WAIT_SECONDS", "x"),
        ];
        let ConfigError(errors) = config(&wrong).err().unwrap();
        for (name, _) in wrong {
            assert!(
                errors.iter().any(|error| error.starts_with(name)),
                "{name}: {errors:?}"
            );
        }
        assert_eq!(errors[1], "PORT: \"65536\" is not a port, 0 to 65535");
        assert!(!errors.concat().contains("secret"));
    }
}
