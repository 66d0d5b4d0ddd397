//! The options of a server.

/// What a test requires of its server. The default is like production: the library is preloaded,
/// fsync is on, and there is no TCP port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    pub(crate) preload: bool,
    pub(crate) fsync: bool,
    pub(crate) loopback: bool,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) environment: Vec<(String, String)>,
}

impl ServerOptions {
    /// The default.
    pub fn new() -> Self {
        Self {
            preload: true,
            fsync: true,
            loopback: false,
            settings: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Starts without `shared_preload_libraries = 'eventcore'`.
    pub fn without_preload(mut self) -> Self {
        self.preload = false;
        self
    }

    /// Turns fsync off, for tests in which nothing crashes and nothing is measured.
    pub fn without_fsync(mut self) -> Self {
        self.fsync = false;
        self
    }

    /// Listens on 127.0.0.1 too, on a free port and with a password
    /// ([`crate::Server::loopback_url`]).
    pub fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// Sets a line of `postgresql.conf`; the last one of a name wins, over the defaults too.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a variable in the environment of the server's processes.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The lines to append to the configuration file.
    pub(crate) fn configuration(&self) -> String {
        let mut lines = String::new();
        let mut line = |name: &str, value: &str| {
            lines.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        };
        line(
            "shared_preload_libraries",
            if self.preload { "eventcore" } else { "" },
        );
        line("fsync", if self.fsync { "on" } else { "off" });
        line("max_connections", "200");
        line("logging_collector", "off");
        line("log_line_prefix", "%m [%p] %d ");
        if self.preload {
            // Each test that shares a server has a database of its own.
            line("eventcore.max_databases", "512");
        }
        for (name, value) in &self.settings {
            line(name, value);
        }
        lines
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_durable_and_preloaded() {
        let configuration = ServerOptions::new().configuration();
        assert!(configuration.contains("shared_preload_libraries = 'eventcore'\n"));
        assert!(configuration.contains("fsync = 'on'\n"));
    }

    #[test]
    fn own_settings_come_last_and_are_quoted() {
        let options = ServerOptions::new()
            .set("max_connections", "7")
            .set("cluster_name", "it's");
        let configuration = options.configuration();
        assert!(configuration.ends_with("max_connections = '7'\ncluster_name = 'it''s'\n"));
    }
}
