//! Where the server is: everything by which psql finds it, in psql's order.
//!
//! For each parameter the first of these counts: the tool's options; the URL in `EVENTCORE_URL`; the
//! service that `service=` or `PGSERVICE` names; `PGHOST` and the other variables of libpq; and, if
//! none of them says anything, the URL in `DATABASE_URL`. A password is then looked up in the
//! password file. `--url`, `--host` or `--port` switch `EVENTCORE_URL` off, so that the password of
//! one server is never sent to another.

mod conninfo;
mod defaults;
mod environment;
mod parameters;
mod password_file;
mod service_file;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

pub use environment::Environment;

use self::parameters::{Known, known};

/// What the options of a tool say.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// A libpq URL, or a list of `key=value`.
    pub url: Option<String>,
    /// The name of a database, or a libpq URL, or a list of `key=value`.
    pub database: Option<String>,
    /// A host, or the folder of a socket.
    pub host: Option<String>,
    /// The port.
    pub port: Option<String>,
    /// The role.
    pub user: Option<String>,
    /// The password, as a person typed it.
    pub password: Option<String>,
}

/// Where a parameter comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An option of the tool.
    Option(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A service, in a file.
    Service(String, PathBuf),
    /// The password file.
    PasswordFile(PathBuf),
    /// Nothing says it: why it has this value.
    Default(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) => write!(f, "option {name}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Service(name, file) => write!(f, "service {name} in {}", file.display()),
            Self::PasswordFile(file) => write!(f, "password file {}", file.display()),
            Self::Default(why) => write!(f, "default: {why}"),
        }
    }
}

/// Why it cannot be said where the server is.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// A URL or a list of `key=value` that cannot be parsed.
    #[error("{origin}: the connection string is malformed: {reason}")]
    Malformed {
        /// Where it comes from.
        origin: Origin,
        /// What is wrong, without the string, which may hold a password.
        reason: String,
    },
    /// A parameter that libpq does not know, or that this tool does not obey.
    #[error("{origin}: the connection parameter {name:?} is {reason}")]
    Parameter {
        /// Where it comes from.
        origin: Origin,
        /// The parameter.
        name: String,
        /// Why it cannot be used.
        reason: &'static str,
    },
    /// No file defines the service.
    #[error("there is no service {0:?} in {1}")]
    NoService(String, String),
    /// A file that cannot be read.
    #[error("cannot read {}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// Several hosts, and a password for each.
    #[error(
        "the password file has another password for each of the hosts: give them one, or name one host"
    )]
    SeveralPasswords,
}

/// A server and a database, with where each part comes from.
#[derive(Debug, Clone)]
pub struct Target {
    values: Values,
    warnings: Vec<String>,
}

/// One part of a [`Target`].
#[derive(Debug, Clone, serde::Serialize)]
pub struct Part {
    /// The parameter of libpq.
    pub name: &'static str,
    /// Its value; `********` for a password.
    pub value: String,
    /// Where it comes from, in words.
    pub origin: String,
}

/// The value of each parameter, and its origin.
type Values = BTreeMap<&'static str, (String, Origin)>;

impl Target {
    /// The connection string, with the password, for
    /// [`PostgresEventStore::builder`](eventcore::PostgresEventStore::builder).
    #[must_use]
    pub fn conninfo(&self) -> String {
        conninfo::written(self.values.iter().map(|(name, (value, _))| (*name, value)))
    }

    /// Each part and where it comes from, without the password.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let part = |(name, (value, origin)): (&&'static str, &(String, Origin))| Part {
            name,
            value: match *name {
                "password" => "********".to_owned(),
                _ => value.clone(),
            },
            origin: origin.to_string(),
        };
        self.values.iter().map(part).collect()
    }

    /// The value of a parameter of libpq, such as `dbname`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|(value, _)| value.as_str())
    }

    /// What was not used, and why.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Finds out where the server is.
///
/// # Errors
///
/// A connection string is malformed, a service does not exist, or a file cannot be read.
pub fn resolve(given: &Given, environment: &Environment) -> Result<Target, ConnectionError> {
    let mut target = Target {
        values: Values::new(),
        warnings: Vec::new(),
    };
    target.take_options(given)?;
    let names_a_server = given.url.is_some() || given.host.is_some() || given.port.is_some();
    if !names_a_server && !target.values.contains_key("host") {
        target.take_url("EVENTCORE_URL", environment)?;
    }
    let mut taken = |name| target.values.remove(name).map(|(value, _)| value);
    let (service, file) = (taken("service"), taken("servicefile"));
    if let Some(name) = service.or_else(|| environment.get("PGSERVICE")) {
        let (path, values) = service_file::read(&name, file, environment)?;
        let origin = Origin::Service(name, path);
        for (name, value) in values {
            target.add(&name, value, origin.clone())?;
        }
    }
    for (variable, name) in parameters::VARIABLES {
        if let Some(value) = environment.get(variable) {
            target.add(name, value, Origin::Variable(variable))?;
        }
    }
    if target.values.is_empty() {
        target.take_url("DATABASE_URL", environment)?;
    }
    target.fill_in(environment)?;
    Ok(target)
}

impl Target {
    fn take_options(&mut self, given: &Given) -> Result<(), ConnectionError> {
        for (name, value, option) in [
            ("host", &given.host, "--host"),
            ("port", &given.port, "--port"),
            ("user", &given.user, "--username"),
            ("password", &given.password, "password prompt"),
        ] {
            if let Some(value) = value {
                self.add(name, value.clone(), Origin::Option(option))?;
            }
        }
        if let Some(database) = &given.database {
            let origin = Origin::Option("--dbname");
            match conninfo::is_conninfo(database) {
                true => self.take(database, &origin)?,
                false => self.add("dbname", database.clone(), origin)?,
            }
        }
        if let Some(url) = &given.url {
            self.take(url, &Origin::Option("--url"))?;
        }
        Ok(())
    }

    fn take_url(
        &mut self,
        variable: &'static str,
        environment: &Environment,
    ) -> Result<(), ConnectionError> {
        match environment.get(variable) {
            Some(url) => self.take(&url, &Origin::Variable(variable)),
            None => Ok(()),
        }
    }

    /// Adds what a connection string says and nothing has said before.
    fn take(&mut self, conninfo: &str, origin: &Origin) -> Result<(), ConnectionError> {
        let pairs = conninfo::parse(conninfo).map_err(|reason| ConnectionError::Malformed {
            origin: origin.clone(),
            reason,
        })?;
        for (name, value) in pairs {
            self.add(&name, value, origin.clone())?;
        }
        Ok(())
    }

    /// Adds a parameter, unless it is there already.
    fn add(&mut self, name: &str, value: String, origin: Origin) -> Result<(), ConnectionError> {
        match known(name) {
            // As in libpq, an empty value is none.
            Some(_) if value.is_empty() => {}
            Some(Known::Obeyed(name)) => {
                self.values.entry(name).or_insert((value, origin));
            }
            Some(Known::Harmless) => self
                .warnings
                .push(format!("{origin}: {name} has no effect on this tool")),
            Some(Known::Refused) => {
                return Err(ConnectionError::Parameter {
                    origin,
                    name: name.to_owned(),
                    reason: "not supported by this tool, and leaving it out could weaken security",
                });
            }
            None => {
                return Err(ConnectionError::Parameter {
                    origin,
                    name: name.to_owned(),
                    reason: "unknown",
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
