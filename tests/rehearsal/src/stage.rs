//! [`Stage`]: a server with the shop, and a situation on it.

use std::thread;
use std::time::{Duration, Instant};

use eventcore_harness::{Binaries, Error, Result, Server, ServerOptions};

use crate::service::{Login, Service};
use crate::situations::Situation;

/// The database of the shop.
pub(crate) const SHOP: &str = "shop";

/// How long a situation may take to come about, also on a machine that is busy.
const LONGEST: Duration = Duration::from_secs(120);

/// A running situation. Dropped, its processes are killed and its server is deleted; if this process is
/// killed, the server goes too, and the processes with it.
#[derive(Debug)]
pub struct Stage {
    // Dropped in this order.
    services: Vec<Service>,
    server: Server,
    situation: &'static Situation,
}

impl Stage {
    /// Starts a server and brings the situation about.
    ///
    /// # Errors
    ///
    /// The server does not start, or the situation does not come about within two minutes.
    pub fn begin(binaries: Binaries, situation: &'static Situation) -> Result<Self> {
        // A server notices by itself only when it writes that a client was killed.
        let mut options = ServerOptions::new().set("client_connection_check_interval", "200ms");
        for (name, value) in situation.settings {
            options = options.set(name, value);
        }
        let mut stage = Self {
            services: Vec::new(),
            server: Server::start_with(binaries, options)?,
            situation,
        };
        (situation.begin)(&mut stage)?;
        Ok(stage)
    }

    /// Which situation it is.
    pub fn situation(&self) -> &'static Situation {
        self.situation
    }

    /// Where its database is, for the superuser.
    pub fn url(&self) -> String {
        self.server.url(SHOP)
    }

    /// Whether everything works again, by what the database contains.
    ///
    /// # Errors
    ///
    /// The database does not answer.
    pub fn is_fixed(&self) -> Result<bool> {
        Ok(self.sql(self.situation.is_fixed)? == "t")
    }

    /// What an operator does with the server's service manager.
    ///
    /// # Errors
    ///
    /// It does not stop, or it does not start.
    pub fn restart_server(&mut self) -> Result<()> {
        self.server.restart()
    }

    /// What an operator does with the shop's deployment: its newest release runs, and programs that have
    /// ended are started.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn deploy(&mut self) -> Result<()> {
        (self.situation.deploy)(self)
    }

    /// The server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Runs SQL as the superuser in the shop's database.
    pub(crate) fn sql(&self, sql: &str) -> Result<String> {
        self.server.psql(SHOP, sql)
    }

    /// Waits until a query returns true.
    pub(crate) fn until(&self, what: &str, sql: &str) -> Result<()> {
        let began = Instant::now();
        while self.sql(sql)? != "t" {
            if began.elapsed() > LONGEST {
                return Err(Error::new(format!("it did not come about that {what}")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// The shop: its database, its role, its tables, and a program that appends orders.
    pub(crate) fn open_shop(&mut self) -> Result<()> {
        self.server.create_database(SHOP)?;
        self.furnish()?;
        self.supervise("checkout", include_str!("../sql/checkout.sql"))
    }

    /// Its role and tables, in a database that exists.
    pub(crate) fn furnish(&mut self) -> Result<()> {
        self.sql(include_str!("../sql/shop.sql")).map(drop)
    }

    /// Starts a program of the shop that is started again whenever it ends.
    pub(crate) fn supervise(&mut self, application: &'static str, script: &str) -> Result<()> {
        let service = Service::supervised(&self.server, of_shop(application), script)?;
        self.services.push(service);
        Ok(())
    }

    /// Starts a program of the shop that keeps its session open.
    pub(crate) fn keep_session(&mut self, application: &'static str, script: &str) -> Result<()> {
        let service = Service::session(&self.server, of_shop(application), script)?;
        self.services.push(service);
        Ok(())
    }

    /// Adds another program.
    pub(crate) fn add(&mut self, service: Service) {
        self.services.push(service);
    }

    /// Kills all programs of this name.
    pub(crate) fn kill(&mut self, application: &str) {
        self.services
            .retain(|service| service.name() != application);
    }
}

fn of_shop(application: &'static str) -> Login {
    Login {
        database: SHOP,
        role: SHOP,
        application,
    }
}
