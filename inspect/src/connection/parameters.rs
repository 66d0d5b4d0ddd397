//! The parameters of libpq, and the environment variables that give them.

/// How a parameter of libpq is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is passed on, or used here.
    Obeyed(&'static str),
    /// It changes nothing for this tool.
    Harmless,
    /// It would make the connection safer, and is not supported.
    Refused,
}

const OBEYED: [&str; 26] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "passfile",
    "password",
    "port",
    "service",
    "servicefile",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
    "keepalives_count",
];

const HARMLESS: [&str; 11] = [
    "client_encoding",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "krbsrvname",
    "max_protocol_version",
    "min_protocol_version",
    "requiressl",
    "sslcompression",
    "sslsni",
];

const REFUSED: [&str; 10] = [
    "replication",
    "require_auth",
    "requirepeer",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcertmode",
    "sslcrl",
    "sslcrldir",
    "sslkeylogfile",
    "sslpassword",
];

/// The variables of libpq, and the parameter that each of them gives.
pub(super) const VARIABLES: [(&str, &str); 22] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGPASSFILE", "passfile"),
    ("PGAPPNAME", "application_name"),
    ("PGOPTIONS", "options"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
];

/// How a parameter is treated; `None` if libpq does not know it either.
pub(super) fn known(name: &str) -> Option<Known> {
    if name == "keepalives_count" {
        // What tokio-postgres calls it.
        return Some(Known::Obeyed("keepalives_retries"));
    }
    if let Some(name) = OBEYED.iter().find(|known| **known == name) {
        return Some(Known::Obeyed(name));
    }
    if HARMLESS.contains(&name) {
        return Some(Known::Harmless);
    }
    REFUSED.contains(&name).then_some(Known::Refused)
}
