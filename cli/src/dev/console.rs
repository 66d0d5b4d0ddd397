//! The console of the server, if there should be one.

use super::server::Server;
use super::{Arguments, DATABASE, target};
use crate::failure::Failure;

/// A console that listens, or none.
pub(super) struct Console {
    #[cfg(feature = "console")]
    listening: Option<eventcore_console::Console>,
}

impl Console {
    #[cfg(feature = "console")]
    pub(super) async fn new(arguments: &Arguments, server: &Server) -> Result<Self, Failure> {
        if arguments.no_console {
            return Ok(Self { listening: None });
        }
        let options = eventcore_console::Options::new(target(server, DATABASE)?)
            .listen(arguments.listen)
            .allow_actions(arguments.allow_actions);
        let console = eventcore_console::Console::bind(options).await;
        let console = console.map_err(|error| {
            Failure::Usage(format!("{error}: give another --listen, or --no-console"))
        })?;
        Ok(Self {
            listening: Some(console),
        })
    }

    #[cfg(not(feature = "console"))]
    pub(super) async fn new(_: &Arguments, _: &Server) -> Result<Self, Failure> {
        Ok(Self {})
    }

    #[cfg(feature = "console")]
    pub(super) fn url(&self) -> Option<String> {
        let console = self.listening.as_ref()?;
        Some(format!("http://{}/", console.address()))
    }

    #[cfg(not(feature = "console"))]
    pub(super) fn url(&self) -> Option<String> {
        None
    }

    /// Answers requests until it is dropped.
    pub(super) async fn run(self) -> Result<(), Failure> {
        #[cfg(feature = "console")]
        if let Some(console) = self.listening {
            return Ok(console.run(std::future::pending()).await?);
        }
        std::future::pending().await
    }
}
