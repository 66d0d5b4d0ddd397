//! Appends by 16 clients beside something that can be taken away between two turns.

use std::time::Duration;

use anyhow::Result;
use eventcore_benches::database::Server;

use crate::Growth;
use crate::ladder::Rung;
use crate::sessions::Sessions;
use crate::writers::{WRITERS, new_streams};

const DATABASE: &str = "growth_beside";

/// Until what has changed takes effect.
const SETTLE: Duration = Duration::from_millis(300);

/// A turn of sessions that wait lasts as many slices: they are woken a few times a second, and a turn
/// must not lie between two of these.
const LONG: u32 = 4;

const WAITERS: [u64; 4] = [0, 10, 100, 1000];
const SUBSCRIPTIONS: [u64; 4] = [0, 1, 10, 100];
const PROJECTIONS: [u64; 4] = [0, 1, 10, 100];
const CONNECTIONS: [u64; 4] = [0, 10, 100, 500];

/// One that waits returns at every announcement of new events, and waits again at once.
const WAIT: fn(usize) -> String =
    |_| "CALL eventcore_wait(eventcore_safe_position(), '1 s')".to_owned();
const POLL: fn(usize) -> String =
    |n| format!("SELECT FROM eventcore_poll('waiting-{n}', 'bench', 100, '1 s')");

/// In the turns before, others than those that wait now have not read. They are not to catch up on
/// these events in their turn.
const CATCH_UP: &str = "SELECT eventcore_reset_subscription(name, eventcore_safe_position()) FROM eventcore.subscriptions";

/// Projections that are registered, but never match an event.
const CREATE_PROJECTIONS: &str = "
    SELECT eventcore_create_projection('idle-' || n, 'ignore', stream_prefixes => ARRAY['nothing-' || n],
                                       start_from => 'now')
      FROM generate_series(1, $1::bigint) n";
const DROP_PROJECTIONS: &str = "SELECT eventcore_drop_projection(name) FROM eventcore.projections";

const fn beside(growing: &'static str, target: Option<f64>) -> Rung {
    Rung {
        work: "1 event, new stream",
        growing,
        clients: WRITERS,
        counted: "appends/s",
        target,
    }
}

/// The last of the sizes, as a number of sessions.
fn most(sizes: &[u64]) -> Result<usize> {
    Ok(usize::try_from(sizes.last().copied().unwrap_or_default())?)
}

pub(crate) async fn waiters(server: &Server, growth: &mut Growth) -> Result<()> {
    let rung = beside("sessions in eventcore_wait", Some(0.95));
    waiting(server, growth, &rung, &WAITERS, WAIT).await
}

pub(crate) async fn subscriptions(server: &Server, growth: &mut Growth) -> Result<()> {
    let rung = beside("subscriptions in eventcore_poll(wait)", None);
    waiting(server, growth, &rung, &SUBSCRIPTIONS, POLL).await
}

async fn waiting(
    server: &Server,
    growth: &mut Growth,
    rung: &Rung,
    sizes: &[u64],
    statement: fn(usize) -> String,
) -> Result<()> {
    let database = server.fresh_database(DATABASE).await?;
    database
        .execute(&format!(
            "SELECT eventcore_create_subscription('waiting-' || n, ARRAY['nothing-' || n])
               FROM generate_series(0, {} - 1) n",
            most(&SUBSCRIPTIONS)?
        ))
        .await?;
    let mut writers = growth.writers(&database, &new_streams()).await?;
    let mut sessions = Some(Sessions::connect(&database, most(sizes)?).await?);
    let client = database.connect().await?;
    let slice = growth.slice * LONG;
    growth
        .climb(rung, sizes, async |at| {
            let Some(free) = sessions.take() else {
                anyhow::bail!("an earlier turn failed");
            };
            client.batch_execute(CATCH_UP).await?;
            let waiting = free.start(usize::try_from(sizes[at])?, statement);
            tokio::time::sleep(SETTLE).await;
            let rate = writers.rate(slice).await;
            sessions = Some(waiting.end().await?);
            rate
        })
        .await
}

pub(crate) async fn listeners(server: &Server, growth: &mut Growth) -> Result<()> {
    let database = server.fresh_database(DATABASE).await?;
    let mut writers = growth.writers(&database, &new_streams()).await?;
    let sessions = Sessions::connect(&database, most(&WAITERS)?).await?;
    let slice = growth.slice * LONG;
    let rung = beside("sessions that LISTEN", Some(0.95));
    growth
        .climb(&rung, &WAITERS, async |at| {
            let count = usize::try_from(WAITERS[at])?;
            sessions.each(count, "LISTEN eventcore").await?;
            tokio::time::sleep(SETTLE).await;
            let rate = writers.rate(slice).await;
            sessions.each(count, "UNLISTEN eventcore").await?;
            rate
        })
        .await
}

pub(crate) async fn connections(server: &Server, growth: &mut Growth) -> Result<()> {
    let database = server.fresh_database(DATABASE).await?;
    let mut writers = growth.writers(&database, &new_streams()).await?;
    let slice = growth.slice;
    let rung = beside("idle connections", Some(0.95));
    growth
        .climb(&rung, &CONNECTIONS, async |at| {
            let count = usize::try_from(CONNECTIONS[at])?;
            let sessions = Sessions::connect(&database, count).await?;
            // Each has looked at the store, and keeps what it has learned.
            sessions
                .each(count, "SELECT eventcore_safe_position()")
                .await?;
            tokio::time::sleep(SETTLE).await;
            let rate = writers.rate(slice).await;
            drop(sessions);
            // Until the server has ended their processes.
            tokio::time::sleep(SETTLE).await;
            rate
        })
        .await
}

pub(crate) async fn projections(server: &Server, growth: &mut Growth) -> Result<()> {
    let database = server.fresh_database(DATABASE).await?;
    database
        .execute("CREATE FUNCTION ignore(e eventcore.events) RETURNS void LANGUAGE sql AS ''")
        .await?;
    let mut writers = growth.writers(&database, &new_streams()).await?;
    let client = database.connect().await?;
    let slice = growth.slice * LONG;
    let rung = beside("projections that match nothing", Some(0.95));
    growth
        .climb(&rung, &PROJECTIONS, async |at| {
            let count = i64::try_from(PROJECTIONS[at])?;
            client.execute(CREATE_PROJECTIONS, &[&count]).await?;
            // Until the workers have started.
            tokio::time::sleep(SETTLE * 3).await;
            let rate = writers.rate(slice).await;
            client.execute(DROP_PROJECTIONS, &[]).await?;
            rate
        })
        .await
}
