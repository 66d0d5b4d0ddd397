//! `kill -9` in the middle of ALTER EXTENSION UPDATE, and just after it: either version is there, and
//! whole.

use super::made_up::{PRESENT, SERVED};
use super::served::{assert_goes_on, fill, rows};
use super::*;

/// Begins the update, and returns when it has reached its middle.
async fn halfway(url: &str) -> (Session, i32) {
    let watcher = connect(url).await;
    watcher
        .batch_execute("SELECT pg_advisory_lock(42)")
        .await
        .unwrap();
    let updating = connect(url).await;
    let pid = updating.pid;
    tokio::spawn(async move {
        updating
            .batch_execute("ALTER EXTENSION eventcore UPDATE")
            .await
    });
    is_waiting(&watcher, pid).await;
    (watcher, pid)
}

#[tokio::test]
async fn an_update_that_is_killed_leaves_the_version_before_and_one_that_has_ended_the_new_one() {
    let mut server = start(options());
    let url = create(&server, "killed", SERVED);
    fill(&server, "killed");
    let (objects, contents) = (catalog(&server, "killed"), rows(&server, "killed"));

    for kill_all in [false, true] {
        let (watcher, pid) = halfway(&url).await;
        if kill_all {
            // Without the postmaster the watcher may end first, and its lock with it: then the update
            // would go on to its end.
            server.signal(pid.unsigned_abs(), "STOP").unwrap();
            server.kill_postmaster_9().unwrap();
            server.signal(pid.unsigned_abs(), "KILL").unwrap();
            server.start_again().unwrap();
        } else {
            server.signal(pid.unsigned_abs(), "KILL").unwrap();
            // The server ends all sessions, and recovers.
            eventually("the sessions end", async || watcher.is_closed()).await;
        }
        drop(reconnect(&url, "after the kill").await);
        assert_eq!(version(&server, "killed"), SERVED);
        let (now, after) = (catalog(&server, "killed"), rows(&server, "killed"));
        assert!(objects == now, "{}", difference(&objects, &now));
        assert!(contents == after, "{}", difference(&contents, &after));
    }

    // The update works as if nothing had happened, and it is durable once it has returned.
    server
        .psql("killed", "ALTER EXTENSION eventcore UPDATE")
        .unwrap();
    server.kill_postmaster_9().unwrap();
    server.start_again().unwrap();
    drop(reconnect(&url, "after the update").await);
    assert_eq!(version(&server, "killed"), PRESENT);
    create(&server, "killed_fresh", PRESENT);
    let (fresh, now) = (catalog(&server, "killed_fresh"), catalog(&server, "killed"));
    assert!(fresh == now, "{}", difference(&fresh, &now));
    assert_goes_on(&server, "killed");
}
