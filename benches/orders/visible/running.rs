//! [`Running`]: the service on a socket.

use std::time::Duration;

use anyhow::{Result, anyhow};
use orders::config::Config;
use orders::service::Service;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::accepted;

/// A service that answers requests until its end.
pub(super) struct Running {
    pub(super) url: String,
    pub(super) client: reqwest::Client,
    end: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    /// On an empty database.
    pub(super) async fn start(database: &str) -> Result<Self> {
        let config = Config::from_values(|name| match name {
            "DATABASE_URL" => Some(database.to_owned()),
            // So that a busy machine makes the figures worse, and not the bench fail.
            "READ_WAIT_SECONDS" => Some("120".to_owned()),
            _ => None,
        })?;
        let service = Service::start(&config).await?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (end, ended) = oneshot::channel::<()>();
        let task = tokio::spawn(service.serve(listener, async {
            // An error means that the sender is gone, which ends the service too.
            let _ = ended.await;
        }));
        Ok(Self {
            url,
            client: reqwest::Client::builder()
                .timeout(Duration::from_secs(180))
                .build()?,
            end,
            task,
        })
    }

    /// Waits until the read models include everything.
    pub(super) async fn caught_up(&self) -> Result<()> {
        accepted(self.client.get(format!("{}/statistics", self.url))).await?;
        Ok(())
    }

    pub(super) async fn end(self) -> Result<()> {
        self.end
            .send(())
            .map_err(|()| anyhow!("the service has ended already"))?;
        // Its connections, which would keep the service.
        drop(self.client);
        Ok(self.task.await??)
    }
}
