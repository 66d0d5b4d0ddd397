//! Appends while ten browsers look at a console, against appends without a console.

use std::time::Duration;

use anyhow::Result;
use eventcore_benches::database::Database;
use eventcore_benches::pgbench::{Clients, Script};
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds;
use tokio::sync::Mutex;

use crate::browser::{Browsers, RunningConsole};

const WRITERS: u32 = 16;

const WARM_UP: Duration = Duration::from_secs(2);

const BROWSERS: usize = 10;

pub(crate) async fn run(
    database: &Database,
    report: &mut Report,
    rounds: usize,
    slice: Duration,
) -> Result<()> {
    let at_most = (slice + WARM_UP) * u32::try_from(rounds * 4)? + Duration::from_secs(600);
    let writers = Clients::start(database, &script(), WRITERS, WARM_UP, at_most).await?;
    let writers = Mutex::new(writers);
    let rounds = rounds::alternate(
        rounds,
        async |_| {
            let console = RunningConsole::start(database).await?;
            let browsers = Browsers::open(&console, BROWSERS).await?;
            let rate = writers.lock().await.rate(slice).await?;
            browsers.close().await?;
            console.end().await?;
            Ok(rate)
        },
        async |_| writers.lock().await.rate(slice).await,
    )
    .await?;
    report.comparisons.push(Comparison::new(
        "1 event, new stream, a console in 10 browsers",
        "no console",
        WRITERS,
        "events/s",
        rounds,
        Some(Target::AtLeast(0.97)),
    ));
    Ok(())
}

fn script() -> Script {
    Script {
        sql: include_str!("../append/scripts/one_event.sql"),
        variables: vec![(
            "payload",
            r#"{"from": "account-000123", "to": "account-000456", "cents": 123456}"#.to_owned(),
        )],
        written: "SELECT eventcore_safe_position()",
    }
}
