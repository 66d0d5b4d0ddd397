//! Accounts with 100,000 events each, whose states the extension saves, against accounts with at
//! most 19.

use std::time::{Duration, Instant};

use anyhow::Result;
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Figure, Report, Target};
use eventcore_benches::rounds;
use serde_json::json;

use crate::accounts::Accounts;
use crate::ways::{Way, Workers};

const EVENTS: i64 = 100_000;
const TRANSFER: &str = "SELECT eventcore_execute_compact('transfer_combined', $1)";

/// One client: with several, their conflicts on the four accounts would be measured too.
pub(crate) async fn measure(
    database: &Database,
    count: u16,
    slice: Duration,
    report: &mut Report,
) -> Result<()> {
    let accounts = Accounts::long(database, "long", 4, EVENTS).await?;
    // From its start: the first transfer folds two accounts, and so does the second.
    let client = database.connect().await?;
    for (number, pair) in accounts.all().chunks(2).enumerate() {
        let input = json!({"from": pair[0], "to": pair[1], "cents": 5});
        let begin = Instant::now();
        client.execute(TRANSFER, &[&input.to_string()]).await?;
        if number > 0 {
            report.figures.push(Figure {
                work: format!("1 clients, 4 accounts of {EVENTS} events"),
                what: "the first transfer, which folds all events of two accounts".to_owned(),
                value: begin.elapsed().as_secs_f64() * 1000.0,
                unit: "ms",
            });
        }
    }
    let ours = Workers::connect(database, Way::Long, 1, accounts).await?;
    let short = Accounts::new(database, "command", 1_000).await?;
    let theirs = Workers::connect(database, Way::Command, 1, short).await?;
    let _warm = (ours.rate(slice).await?, theirs.rate(slice).await?);
    let rounds = rounds::alternate(
        count.into(),
        async |_| ours.rate(slice).await,
        async |_| theirs.rate(slice).await,
    )
    .await?;
    report.comparisons.push(Comparison::new(
        format!(
            "transfer by {}, 4 accounts of {EVENTS} events",
            Way::Long.name()
        ),
        "the same on 1000 accounts of at most 19 events",
        1,
        "transfers/s",
        rounds,
        Some(Target::AtLeast(0.5)),
    ));
    Ok(())
}
