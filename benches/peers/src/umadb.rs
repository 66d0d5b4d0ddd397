//! UmaDB: appends under the condition that no event has their tag yet.

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use umadb_client::{AsyncUmaDbClient, UmaDbClient};
use umadb_dcb::{
    DcbAppendCondition, DcbError, DcbEvent, DcbEventStoreAsync, DcbQuery, DcbQueryItem,
};
use uuid::Uuid;

use crate::LoadArguments;
use crate::load::{self, Client, Outcome};
use crate::report::Report;

/// Must be the version in `Cargo.toml`, and that of the server.
const VERSION: &str = "0.7.8";

const PAYLOAD: &str = r#"{"amount": 12345, "from": "account-000123", "to": "account-000456", "reference": "invoice 2026-11-0001"}"#;

/// `eventcore-peers umadb …`
#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the server listens, such as `http://127.0.0.1:50051`; no other program may write to it
    #[arg(long)]
    url: String,
    /// What to measure
    #[arg(long)]
    work: Work,
    #[command(flatten)]
    load: LoadArguments,
}

/// What one operation writes, always with a tag of its own.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Work {
    /// One event
    One,
    /// 1,000 events
    Batch,
}

impl Work {
    const fn events(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Batch => 1000,
        }
    }
}

/// Measures the server at the given address.
///
/// # Errors
/// Any error of the server, or that it kept another number of events than it acknowledged.
pub(crate) async fn measure(arguments: &Arguments) -> Result<Report> {
    let mut clients = Vec::new();
    for _ in 0..arguments.load.clients {
        clients.push(Appender {
            connection: connect(&arguments.url).await?,
            events: arguments.work.events(),
        });
    }
    let connection = connect(&arguments.url).await?;
    check_condition(&connection).await?;

    let before = head(&connection).await?;
    let tally = load::run(clients, arguments.load).await?;
    let kept = head(&connection).await? - before;
    ensure!(
        kept == tally.written,
        "UmaDB acknowledged {} events and has {kept}: does another program write to it?",
        tally.written
    );
    let work = format!("{:?}", arguments.work).to_lowercase();
    Ok(Report::new("umadb", VERSION, work, arguments.load, &tally))
}

/// A client with a connection of its own.
struct Appender {
    connection: AsyncUmaDbClient,
    events: u64,
}

impl Client for Appender {
    async fn operate(&mut self) -> Result<Outcome> {
        // No other append can have the tag: a conflict would be an error of the server.
        append(&self.connection, &unique_tag(), self.events)
            .await
            .context("an append to UmaDB failed")?;
        Ok(Outcome::Done {
            events: self.events,
            conflicts: 0,
        })
    }
}

async fn connect(url: &str) -> Result<AsyncUmaDbClient> {
    UmaDbClient::new(url.to_owned())
        .connect_async()
        .await
        .with_context(|| format!("cannot connect to UmaDB at {url}"))
}

/// The number of events: positions begin with 1 and have no gaps.
async fn head(connection: &AsyncUmaDbClient) -> Result<u64> {
    let head = connection.head().await;
    Ok(head.context("UmaDB does not tell its head")?.unwrap_or(0))
}

/// Checks that the condition is enforced: a second append with the same tag must be refused.
async fn check_condition(connection: &AsyncUmaDbClient) -> Result<()> {
    let tag = unique_tag();
    append(connection, &tag, 1)
        .await
        .context("an append to UmaDB failed")?;
    match append(connection, &tag, 1).await {
        Err(DcbError::IntegrityError(_)) => Ok(()),
        Err(error) => Err(error).context("UmaDB refuses an append, but not for its condition"),
        Ok(_) => bail!("UmaDB accepts an append in spite of its condition"),
    }
}

/// Appends events with this tag, unless there is an event with it.
async fn append(
    connection: &AsyncUmaDbClient,
    tag: &str,
    events: u64,
) -> std::result::Result<u64, DcbError> {
    // Each has an id, so that an append could be repeated, as in eventcore.
    let event = || {
        DcbEvent::new()
            .event_type("MoneyMoved")
            .tags([tag])
            .data(PAYLOAD)
            .uuid(Uuid::new_v4())
    };
    let condition = DcbAppendCondition::new(DcbQuery::new().item(DcbQueryItem::new().tags([tag])));
    let events = (0..events).map(|_| event()).collect();
    connection.append(events, Some(condition), None).await
}

fn unique_tag() -> String {
    format!("s-{}", Uuid::new_v4())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_crates() {
        let manifest = include_str!("../Cargo.toml");
        for name in ["umadb-client", "umadb-dcb"] {
            let pinned = format!("{name} = \"={VERSION}\"");
            assert!(manifest.lines().any(|line| line == pinned), "no {pinned}");
        }
    }
}
