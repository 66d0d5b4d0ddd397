//! [`Options`]: where the console listens, and what it lets a browser do.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use eventcore_inspect::connection::Target;

/// Where lines of the log go.
pub(crate) type Log = Arc<dyn Fn(&str) + Send + Sync>;

/// Where the console listens, and what it lets a browser do.
#[derive(Clone)]
pub struct Options {
    pub(crate) target: Target,
    pub(crate) listen: SocketAddr,
    pub(crate) allow_actions: bool,
    pub(crate) secret: Option<Secret>,
    pub(crate) hosts: Vec<String>,
    pub(crate) log: Log,
}

/// What a person types to sign in. It is not shown by `Debug`.
#[derive(Clone)]
pub struct Secret(Arc<str>);

/// The shortest secret, in bytes.
const SHORTEST: usize = 12;

impl Secret {
    /// A secret that a person has chosen.
    ///
    /// # Errors
    ///
    /// It is shorter than 12 bytes.
    pub fn new(secret: &str) -> Result<Self, String> {
        let secret = secret.trim();
        match secret.len() {
            SHORTEST.. => Ok(Self(secret.into())),
            _ => Err(format!(
                "the secret for signing in is shorter than {SHORTEST} bytes"
            )),
        }
    }

    /// A new one, that nobody can guess.
    ///
    /// # Errors
    ///
    /// The system has no random numbers.
    pub fn random() -> Result<Self, String> {
        let token = crate::guard::token().map_err(|error| error.to_string())?;
        Ok(Self(token.into()))
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Options {
    /// Listens at 127.0.0.1:8811, without sign-in, and lets a browser change nothing.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            listen: (Ipv4Addr::LOCALHOST, 8811).into(),
            allow_actions: false,
            secret: None,
            hosts: Vec::new(),
            log: Arc::new(|_| {}),
        }
    }

    /// The address and port. Other machines reach another address than that of the loopback, so it
    /// needs a [secret](Self::secret).
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Lets a browser do what changes something: pause, replay, rebuild, end a session.
    #[must_use]
    pub fn allow_actions(mut self, is_allowed: bool) -> Self {
        self.allow_actions = is_allowed;
        self
    }

    /// Lets nobody in who has not signed in with this.
    #[must_use]
    pub fn secret(mut self, secret: Option<Secret>) -> Self {
        self.secret = secret;
        self
    }

    /// Answers under these names of the host too. `localhost` and addresses need not be named.
    #[must_use]
    pub fn hosts(mut self, names: Vec<String>) -> Self {
        self.hosts = names;
        self
    }

    /// Where lines of the log go: one for each action and each sign-in.
    #[must_use]
    pub fn log(mut self, log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.log = Arc::new(log);
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("allow_actions", &self.allow_actions)
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}
