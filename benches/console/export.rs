//! An export, line by line, against a bare binary COPY of the same table.

use std::io::Write;
use std::pin::pin;
use std::time::Instant;

use anyhow::{Result, ensure};
use eventcore_benches::database::Database;
use eventcore_benches::report::{Comparison, Report, Target};
use eventcore_benches::rounds;
use eventcore_inspect::export::{Header, events};
use eventcore_inspect::search::Windows;
use eventcore_inspect::{Session, SessionOptions};
use futures_util::TryStreamExt;

use crate::browser::target;

/// A thousand events of about 120 bytes of JSON, 10 in each stream. The streams are locked until the
/// statement ends, so each thousand has a statement of its own.
const FILL: &str = "\
SELECT FROM (SELECT $1::integer) AS part (n)
 CROSS JOIN LATERAL (SELECT array_agg('account-' || n || '-' || k / 10) AS streams FROM generate_series(0, 999) k) s
 CROSS JOIN LATERAL eventcore_append(
       ARRAY(SELECT DISTINCT unnest(s.streams)), array_fill(NULL::bigint, '{100}'),
       s.streams, array_fill('MoneyMoved'::text, '{1000}'),
       array_fill('{\"from\": \"account-000123\", \"to\": \"account-000456\", \"cents\": 123456, \"currency\": \"EUR\"}'::jsonb, '{1000}'),
       NULL, NULL, gen_random_uuid())";

pub(crate) async fn run(
    database: &Database,
    report: &mut Report,
    rounds: usize,
    count: u32,
) -> Result<()> {
    let client = database.connect().await?;
    let fill = client.prepare(FILL).await?;
    for part in 0..i32::try_from(count / 1000)? {
        client.execute(&fill, &[&part]).await?;
    }
    client.batch_execute("VACUUM ANALYZE").await?;
    let count = f64::from(count / 1000 * 1000);
    let session = Session::open(&target(database)?, &SessionOptions::read_only("bench")).await?;
    let rounds = rounds::alternate(
        rounds,
        async |_| {
            let start = Instant::now();
            let exported = export(&session).await?;
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
            let is_all = exported as f64 == count;
            ensure!(is_all, "{exported} events were exported");
            Ok(count / start.elapsed().as_secs_f64())
        },
        async |_| {
            let start = Instant::now();
            let mut rows = pin!(client.copy_out(COPY).await?);
            while let Some(bytes) = rows.try_next().await? {
                std::io::sink().write_all(&bytes)?;
            }
            Ok(count / start.elapsed().as_secs_f64())
        },
    )
    .await?;
    report.comparisons.push(Comparison::new(
        format!("export of {count} events as lines of JSON"),
        "COPY eventcore.events TO STDOUT (FORMAT binary)",
        1,
        "events/s",
        rounds,
        Some(Target::AtLeast(0.9)),
    ));
    Ok(())
}

const COPY: &str = "COPY eventcore.events TO STDOUT (FORMAT binary)";

/// As `eventcore export` does it. Neither side writes to a disk.
async fn export(session: &Session) -> Result<u64> {
    let header = Header::new(session, 0, None).await?;
    let mut windows = Windows::oldest_first(header.after, header.safe_position);
    let mut exported = 0;
    while let Some(window) = windows.next(session).await? {
        exported += events(session, window, None, std::io::sink()).await?.0;
    }
    Ok(exported)
}
