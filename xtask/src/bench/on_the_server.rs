//! What a benchmark on the private server needs: the benchmark built, the server started, a fresh
//! database.

use anyhow::{Result, bail};

use super::build;
use crate::lock::{Lock, try_lock};
use crate::server::{self, PrivateServer};
use crate::setup::{self, Installation};
use crate::step::Ui;
use crate::workspace::Workspace;

const DATABASE: &str = "eventcore_bench";

/// The private server, for the benchmark `append` alone.
pub(super) struct OnTheServer {
    pub(super) installation: Installation,
    /// The URL of the fresh database.
    pub(super) url: String,
    /// Until the benchmark has ended: the next one replaces its databases.
    _lock: Lock,
}

impl OnTheServer {
    pub(super) fn prepare(workspace: &Workspace, ui: &Ui, pg: Option<u32>) -> Result<Self> {
        let Some(lock) = try_lock(&workspace.target.join("xtask/bench"))? else {
            bail!("another benchmark is running on the private server; wait for its end");
        };
        build(workspace, ui, "append")?;
        let installation = setup::run(workspace, ui, pg)?;
        let server = PrivateServer::new(&installation)?;
        server::start(ui, &server, &installation)?;
        {
            let _lock = server.lock(ui)?;
            server.fresh_database(DATABASE)?;
        }
        Ok(Self {
            url: server.socket_url(DATABASE)?,
            installation,
            _lock: lock,
        })
    }
}
