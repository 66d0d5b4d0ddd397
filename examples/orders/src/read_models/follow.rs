//! How the read models follow the events: their installation, their run, and how far they are.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use eventcore::{Position, ProjectionName, ProjectionStore, StoreError, run_projection};
use serde::Serialize;
use utoipa::ToSchema;

use super::client::Tables;
use super::{NAME, ReadError, ReadModels, filter, postgres, server};
use crate::store::Store;

/// How long to wait before the checkpoint is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(3);

/// How far the read models are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Status {
    /// Where they are kept: `memory`, `client` or `server`.
    pub runs_in: &'static str,
    /// The position of the last event that is included.
    pub checkpoint: u64,
    /// The position up to which there are events.
    pub safe_position: u64,
    /// Whether they are being rebuilt.
    pub rebuilding: bool,
    /// How much of the rebuild is done, in percent of the positions. Only inside the server: elsewhere
    /// the request for a rebuild is answered when it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuilt_percent: Option<u64>,
}

impl ReadModels {
    /// Makes the tables, and the projection inside the server or none.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub async fn install(&self) -> Result<(), ReadError> {
        match self {
            Self::Memory(..) => Ok(()),
            Self::Client(store) => server::install(store, false).await,
            Self::Server(store) => server::install(store, true).await,
        }
    }

    /// Keeps them up to date until the program ends. Inside the server a worker does that.
    ///
    /// # Errors
    ///
    /// An event cannot be projected, or the store refuses a request.
    pub async fn run(&self) -> Result<Infallible, eventcore::ProjectionError> {
        match self {
            Self::Memory(store, views) => run_projection(store, &mut views.clone()).await,
            Self::Client(store) => run_projection(store, &mut Tables).await,
            Self::Server(_) => std::future::pending().await,
        }
    }

    /// The position up to which the read models include everything.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn checkpoint(&self) -> Result<Position, ReadError> {
        match self {
            Self::Memory(store, views) => Ok(store.checkpoint(views.projection()).await?),
            Self::Client(store) => Ok(store.checkpoint(&name()?).await?),
            Self::Server(store) => server::checkpoint(store).await,
        }
    }

    /// Waits until the read models include everything up to a position, also what has a lower one and
    /// is not committed yet. Without a position: everything that can be read in order now.
    ///
    /// # Errors
    ///
    /// They do not within the time, or the store cannot be reached.
    pub async fn wait_for(
        &self,
        position: Option<Position>,
        timeout: Duration,
    ) -> Result<(), ReadError> {
        if position == Some(Position::START) {
            return Ok(());
        }
        let ends = Instant::now() + timeout;
        // While an append before the position is under way, no reader finds what is behind it. In
        // memory there is no such append.
        if let (Some(position), Self::Client(_) | Self::Server(_)) = (position, self) {
            while self.store().safe_position().await? < position {
                look_again(ends).await?;
            }
        }
        // A checkpoint stands at an event of the projection, so that is what to wait for.
        let newest = self.store().newest(filter()).await?;
        let target = position.map_or(newest, |position| position.min(newest));
        while self.checkpoint().await? < target {
            look_again(ends).await?;
        }
        Ok(())
    }

    /// How far the read models are.
    ///
    /// # Errors
    ///
    /// The store cannot be reached.
    pub async fn status(&self) -> Result<Status, ReadError> {
        let safe_position = self.store().safe_position().await?.get();
        let rebuilt = match self {
            Self::Memory(..) => None,
            Self::Client(store) | Self::Server(store) => postgres::rebuilt(store).await?,
        };
        Ok(Status {
            runs_in: match self {
                Self::Memory(..) => "memory",
                Self::Client(_) => "client",
                Self::Server(_) => "server",
            },
            checkpoint: self.checkpoint().await?.get(),
            safe_position,
            rebuilding: rebuilt.is_some(),
            rebuilt_percent: rebuilt.map(|to| 100 * to.get() / safe_position.max(to.get()).max(1)),
        })
    }

    pub(super) fn store(&self) -> Store {
        match self {
            Self::Memory(store, _) => Store::Memory(store.clone()),
            Self::Client(store) | Self::Server(store) => Store::Postgres(store.clone()),
        }
    }
}

/// Waits a little, unless the time is over.
async fn look_again(ends: Instant) -> Result<(), ReadError> {
    if Instant::now() > ends {
        return Err(ReadError::Late);
    }
    tokio::time::sleep(LOOK_AGAIN).await;
    Ok(())
}

pub(super) fn name() -> Result<ProjectionName, StoreError> {
    ProjectionName::new(NAME).map_err(|invalid| StoreError::malformed("projection", None, invalid))
}
