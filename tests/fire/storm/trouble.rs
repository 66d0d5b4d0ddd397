//! The faults of the storm.

use super::*;

/// How often each fault was injected.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    cancelled: usize,
    terminated: usize,
    killed: usize,
    without_locks: usize,
    without_space: usize,
}

/// Any process that works in the database, including eventcore's workers.
const VICTIM: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = 'storm' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1";

/// How long there are no locks and no disk space.
const SHORTAGE: Duration = Duration::from_millis(300);

/// Injects faults of every kind, one at a time, for this long.
pub(super) async fn make(
    server: &Server,
    storm: &Storm,
    disk: Option<&SmallDisk>,
    time: Duration,
) -> Troubles {
    let mut troubles = Troubles::default();
    let mut random = Random::new();
    let begun = Instant::now();
    let mut last_kill = Instant::now();
    let mut session = reconnect(&storm.url, "trouble").await;
    while begun.elapsed() < time {
        random.nap(60_000).await;
        if session.is_closed() {
            session = reconnect(&storm.url, "trouble").await;
        }
        let kind = random.below(40);
        if kind == 0 && last_kill.elapsed() > Duration::from_secs(4) {
            if let Some(pid) = victim(&session).await {
                server.signal(pid, "KILL").unwrap();
                troubles.killed += 1;
                eventually("the server notices", async || session.is_closed()).await;
                last_kill = Instant::now();
            }
        } else if kind < 4 {
            hoard(&session).await;
            troubles.without_locks += 1;
        } else if kind < 7 {
            if let Some(disk) = disk {
                disk.fill();
                tokio::time::sleep(SHORTAGE).await;
                disk.empty();
                troubles.without_space += 1;
            }
        } else if kind < 12 {
            let terminate = format!("SELECT pg_terminate_backend(pid) FROM ({VICTIM}) v");
            troubles.terminated += usize::from(session.batch_execute(&terminate).await.is_ok());
        } else {
            let cancel = format!("SELECT pg_cancel_backend(pid) FROM ({VICTIM}) v");
            troubles.cancelled += usize::from(session.batch_execute(&cancel).await.is_ok());
        }
    }
    troubles
}

async fn victim(session: &Session) -> Option<u32> {
    let rows = session.query_typed(VICTIM, &[]).await.ok()?;
    rows.first().map(|row| row.get::<_, i32>(0) as u32)
}

/// Takes all available locks.
async fn hoard(session: &Session) {
    let all = "SELECT pg_advisory_lock(n) FROM generate_series(1, 100000) n";
    let _ = session.batch_execute(all).await;
    tokio::time::sleep(SHORTAGE).await;
    let _ = session
        .batch_execute("SELECT pg_advisory_unlock_all()")
        .await;
}

/// The server has restarted only because this test has killed one of its processes.
pub(super) fn explains(server: &Server, troubles: &Troubles) {
    let log = server.log();
    let crashes: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("was terminated by signal"))
        .collect();
    let others = crashes.iter().filter(|line| !line.contains("signal 9"));
    assert_eq!(others.count(), 0, "{crashes:?}");
    assert!(
        crashes.len() <= troubles.killed,
        "{} kills: {crashes:?}",
        troubles.killed
    );
    let panic = log
        .lines()
        .find(|line| line.contains("PANIC:") || line.contains("TRAP:"));
    assert_eq!(panic, None);
}
