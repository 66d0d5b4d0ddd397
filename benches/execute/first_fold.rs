//! The first fold of a stream of 100,000 events, for which no state is saved: by an `apply` that takes
//! several events, against one that takes one event.

use std::time::Instant;

use anyhow::Result;
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds;
use serde_json::json;
use tokio_postgres::Client;

use crate::accounts::Accounts;

const EVENTS: u32 = 100_000;

pub(crate) async fn measure(database: &Database, count: u16, report: &mut Report) -> Result<()> {
    let accounts = Accounts::long(database, "folded", 1, EVENTS.into()).await?;
    let account = &accounts.all()[0];
    let (batches, singly) = (database.connect().await?, database.connect().await?);
    let rounds = rounds::alternate(
        count.into(),
        async |_| fold(&batches, "look_in_batches", account).await,
        async |_| fold(&singly, "look", account).await,
    )
    .await?;
    report.comparisons.push(Comparison::new(
        format!("first fold of {EVENTS} events with apply for several events"),
        "apply for one event",
        1,
        "events/s",
        rounds,
        Some(Target::AtLeast(2.0)),
    ));
    Ok(())
}

/// Events folded per second.
async fn fold(client: &Client, command: &str, account: &str) -> Result<f64> {
    let input = json!({"account": account});
    let begin = Instant::now();
    client
        .execute("SELECT FROM eventcore_execute($1, $2)", &[&command, &input])
        .await?;
    Ok(f64::from(EVENTS) / begin.elapsed().as_secs_f64())
}
