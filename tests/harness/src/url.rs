//! Connection URLs that psql, pgbench, psycopg and tokio-postgres all accept.

use std::fmt::Write;
use std::path::Path;

/// The superuser of every server that the harness starts.
pub const SUPERUSER: &str = "postgres";

/// Builds a connection URL for [`SUPERUSER`].
#[derive(Debug, Clone, Copy)]
pub struct ConnectionUrl<'a> {
    /// The database's name.
    pub database: &'a str,
    /// The server's port; on a unix socket the number in its name.
    pub port: u16,
}

impl ConnectionUrl<'_> {
    /// Over the unix socket in `folder`, with no password.
    pub fn socket(&self, folder: &Path) -> String {
        format!(
            "postgresql://{SUPERUSER}@/{}?host={}&port={}",
            percent_encode(self.database),
            percent_encode(&folder.to_string_lossy()),
            self.port
        )
    }

    /// Over the loopback interface, with a password.
    pub fn loopback(&self, password: &str) -> String {
        format!(
            "postgresql://{SUPERUSER}:{}@127.0.0.1:{}/{}",
            percent_encode(password),
            self.port,
            percent_encode(self.database)
        )
    }
}

/// RFC 3986: everything but the unreserved characters and `/`.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_url_carries_the_folder_as_the_host() {
        let url = ConnectionUrl {
            database: "bank",
            port: 5432,
        };
        assert_eq!(
            url.socket(Path::new("/tmp/a b&c")),
            "postgresql://postgres@/bank?host=/tmp/a%20b%26c&port=5432"
        );
    }

    #[test]
    fn a_loopback_url_carries_the_password() {
        let url = ConnectionUrl {
            database: "bank",
            port: 5433,
        };
        assert_eq!(
            url.loopback("p@ss"),
            "postgresql://postgres:p%40ss@127.0.0.1:5433/bank"
        );
    }
}
