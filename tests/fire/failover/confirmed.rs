//! P15: readers see nothing that a fail-over to a confirmed standby would take back.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::*;

/// A primary whose commits wait for the stopped standby "one", which has everything so far; and a
/// standby "two", for which no commit waits.
struct Three {
    primary: Server,
    one: Server,
    two: Server,
    url: String,
    /// The last position that all servers have.
    last: i64,
}

async fn three() -> Three {
    let (primary, session) = primary(10).await;
    let one = primary.standby_with(&[("cluster_name", "one")]).unwrap();
    let two = primary.standby_with(&[("cluster_name", "two")]).unwrap();
    let mut three = Three {
        url: primary.url("store"),
        primary,
        one,
        two,
        last: 0,
    };
    three.wait_for("one");
    three.last = append_one(&*session, "s").await;
    eventually("readers see what is confirmed", async || {
        safe_position(&*session).await.unwrap() == three.last
    })
    .await;
    three.one.stop().unwrap();
    three
}

impl Three {
    /// Commits wait for standbys of this name.
    fn wait_for(&self, name: &str) {
        self.primary
            .configure(&[("synchronous_standby_names", name)])
            .unwrap();
        self.primary
            .psql("postgres", "SELECT pg_reload_conf()")
            .unwrap();
    }

    /// Begins an append, which waits for "one".
    async fn begin_append(&self) -> (i32, JoinHandle<Result<Done, Error>>) {
        let session = connect(&self.url).await;
        let pid = session.pid;
        let append =
            tokio::spawn(async move { Append::one("unconfirmed", None).send(&*session).await });
        let watcher = connect(&self.primary.url("postgres")).await;
        eventually("the append waits for the standby", async || {
            let waits = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE pid = {pid} AND wait_event = 'SyncRep'"
            );
            number(&*watcher, &waits).await == 1
        })
        .await;
        (pid, append)
    }

    /// The event exists, but no reader of the global order sees it, on any server.
    async fn assert_held(&self) {
        let session = connect(&self.url).await;
        let there = "SELECT count(*) FROM eventcore.events WHERE stream_id = 'unconfirmed'";
        assert_eq!(number(&*session, there).await, 1);
        assert_eq!(read_all(&*session, self.last, 10).await.unwrap(), []);
        assert_eq!(safe_position(&*session).await.unwrap(), self.last);
        assert_eq!(wait(&*session, self.last, 1).await.unwrap(), self.last);
        let held = "SELECT count(*) FROM eventcore.stat_inflight
                     WHERE holder = 'standby' AND pid IS NULL AND holds_safe_position
                       AND lowest_position = eventcore_safe_position() + 1";
        assert_eq!(number(&*session, held).await, 1);
        self.two.catch_up_with(&self.primary).unwrap();
        let asynchronous = connect(&self.two.url("store")).await;
        assert_eq!(number(&*asynchronous, there).await, 1);
        assert_eq!(read_all(&*asynchronous, self.last, 10).await.unwrap(), []);
    }

    /// Waiting readers wake soon after the standby has confirmed it.
    async fn assert_told(&self) {
        let session = connect(&self.url).await;
        let told = in_time("a reader wakes", wait(&*session, self.last, 30)).await;
        assert!(told.unwrap() > self.last);
        let read = read_all(&*session, self.last, 10).await.unwrap();
        assert_eq!(read[0].stream, "unconfirmed");
        let held = "SELECT count(*) FROM eventcore.stat_inflight WHERE holder = 'standby'";
        assert_eq!(number(&*session, held).await, 0);
    }
}

#[tokio::test]
async fn an_append_whose_wait_for_a_standby_was_cancelled_is_seen_when_the_standby_has_it() {
    let mut three = three().await;
    let (pid, append) = three.begin_append().await;
    three.assert_not_even_committed().await;
    three
        .primary
        .psql("postgres", &format!("SELECT pg_cancel_backend({pid})"))
        .unwrap();
    in_time("the append", append).await.unwrap().unwrap();
    three.assert_held().await;
    three.one.start_again().unwrap();
    three.assert_told().await;
}

impl Three {
    /// While an append waits, its transaction holds the safe position.
    async fn assert_not_even_committed(&self) {
        let session = connect(&self.url).await;
        assert_eq!(safe_position(&*session).await.unwrap(), self.last);
    }
}

#[tokio::test]
async fn an_append_that_waited_when_the_server_restarted_is_seen_when_the_standby_has_it() {
    let mut three = three().await;
    let (_, append) = three.begin_append().await;
    three.primary.kill_postmaster_9().unwrap();
    assert!(append.await.unwrap().is_err());
    three.primary.start_again().unwrap();
    three.assert_held().await;
    three.one.start_again().unwrap();
    three.assert_told().await;
}

#[tokio::test]
async fn an_append_that_waits_for_no_standby_is_seen_when_the_standby_has_it() {
    for level in ["local", "off"] {
        let mut three = three().await;
        let session = connect(&three.url).await;
        session
            .batch_execute(&format!("SET synchronous_commit = {level}"))
            .await
            .unwrap();
        append_one(&*session, "unconfirmed").await;
        session
            .batch_execute("SELECT pg_switch_wal()")
            .await
            .unwrap();
        three.assert_held().await;
        // A fail-over to the confirmed standby takes back nothing that readers have seen.
        if level == "off" {
            three.primary.kill_postmaster_9().unwrap();
            three.one.start_again().unwrap();
            three.one.promote().unwrap();
            let promoted = connect(&three.one.url("store")).await;
            assert_eq!(truth(&*promoted).await.last().unwrap().position, three.last);
            assert!(
                read_all(&*promoted, three.last, 10)
                    .await
                    .unwrap()
                    .is_empty()
            );
            continue;
        }
        three.one.start_again().unwrap();
        three.assert_told().await;
    }
}

#[tokio::test]
async fn readers_are_not_held_back_once_no_standby_is_named() {
    let three = three().await;
    let session = connect(&three.url).await;
    session
        .batch_execute("SET synchronous_commit = local")
        .await
        .unwrap();
    append_one(&*session, "unconfirmed").await;
    three.assert_held().await;
    // Also a waiter that is waiting already.
    let waiter = tokio::spawn({
        let (session, last) = (connect(&three.url).await, three.last);
        async move { wait(&*session, last, 30).await }
    });
    three.wait_for("");
    let told = in_time("a waiter wakes", waiter).await.unwrap();
    assert!(told.unwrap() > three.last);
    three.assert_told().await;
}

/// Readers follow while the standby is always a little behind: they do not wait for a moment at
/// which it has everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_go_on_while_appends_do_not_wait_for_a_standby_that_is_behind() {
    let mut three = three().await;
    three.one.start_again().unwrap();
    let writer = tokio::spawn({
        let session = connect(&three.url).await;
        async move {
            session
                .batch_execute("SET synchronous_commit = local")
                .await
                .unwrap();
            for _ in 0..500 {
                append_one(&*session, "unconfirmed").await;
            }
        }
    });
    let session = connect(&three.url).await;
    let mut follower = Follower::new("beside the writer");
    let mut pages = 0;
    while !writer.is_finished() {
        let page = read_all(&*session, follower.last(), 1000).await.unwrap();
        pages += usize::from(!page.is_empty());
        follower.take(page);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    writer.await.unwrap();
    let all = truth(&*session).await;
    eventually("everything is confirmed", async || {
        let page = read_all(&*session, follower.last(), 1000).await.unwrap();
        follower.take(page);
        follower.seen.len() == all.len()
    })
    .await;
    follower.saw_exactly(&all);
    assert!(pages > 3, "{pages} pages while the writer wrote");
}

impl Three {
    /// Appends without waiting for a standby.
    async fn append_locally(&self) -> i64 {
        let session = connect(&self.url).await;
        session
            .batch_execute("SET synchronous_commit = local")
            .await
            .unwrap();
        append_one(&*session, "unconfirmed").await
    }

    /// Readers stay where they are, however often they poll.
    async fn assert_stays(&self, at: i64) {
        let session = connect(&self.url).await;
        assert_eq!(safe_position(&*session).await.unwrap(), at);
        assert_eq!(wait(&*session, at, 1).await.unwrap(), at);
        assert_eq!(read_all(&*session, at, 10).await.unwrap(), []);
    }

    /// Readers get this far.
    async fn assert_reaches(&self, position: i64) {
        let session = connect(&self.url).await;
        eventually("readers see what is confirmed", async || {
            safe_position(&*session).await.unwrap() == position
        })
        .await;
    }
}

/// The process of a standby that receives the log.
fn receiver(standby: &Server) -> u32 {
    let sql = "SELECT pid FROM pg_stat_wal_receiver";
    standby.psql("postgres", sql).unwrap().parse().unwrap()
}

#[tokio::test]
async fn of_a_quorum_any_standby_confirms() {
    let mut three = three().await;
    three.wait_for("ANY 1 (one, two)");
    let confirmed = three.append_locally().await;
    // "two" is running, and "one" is not.
    three.assert_reaches(confirmed).await;
    three.two.stop().unwrap();
    let last = three.append_locally().await;
    three.assert_stays(confirmed).await;
    three.one.start_again().unwrap();
    three.assert_reaches(last).await;
    // Two of two: one of them is not enough.
    three.wait_for("ANY 2 (one, two)");
    let both = three.append_locally().await;
    three.assert_stays(last).await;
    three.two.start_again().unwrap();
    three.assert_reaches(both).await;
}

#[tokio::test]
async fn by_priority_the_first_standby_that_is_connected_confirms() {
    let mut three = three().await;
    three.one.start_again().unwrap();
    three.wait_for("FIRST 1 (one, two)");
    let confirmed = append_one(&*connect(&three.url).await, "s").await;
    three.assert_reaches(confirmed).await;
    // The first one is connected but does not answer: the second one does not count, although it
    // has the event.
    let receiver = receiver(&three.one);
    three.one.signal(receiver, "STOP").unwrap();
    let last = three.append_locally().await;
    three.two.catch_up_with(&three.primary).unwrap();
    three.assert_stays(confirmed).await;
    // Once disconnected, it is no longer the first.
    three.one.signal(receiver, "CONT").unwrap();
    three.assert_reaches(last).await;
    three.one.stop().unwrap();
    let last = three.append_locally().await;
    three.assert_reaches(last).await;
}

/// Writers wait until the standby has replayed, and hold their positions until then. An append
/// whose wait is cancelled becomes visible when the standby has flushed it: a fail-over does not
/// take it back.
#[tokio::test]
async fn with_remote_apply_readers_see_what_is_applied_or_will_be_after_a_fail_over() {
    let mut three = three().await;
    three
        .primary
        .configure(&[("synchronous_commit", "remote_apply")])
        .unwrap();
    three.wait_for("one");
    three.one.start_again().unwrap();
    three.one.catch_up_with(&three.primary).unwrap();
    let before = append_one(&*connect(&three.url).await, "s").await;
    three.assert_reaches(before).await;
    let replay = |what: &str| format!("SELECT pg_wal_replay_{what}()");
    three.one.psql("postgres", &replay("pause")).unwrap();
    let (_, append) = three.begin_append().await;
    three.assert_stays(before).await;
    three.one.psql("postgres", &replay("resume")).unwrap();
    let done = in_time("the append", append).await.unwrap().unwrap();
    three.assert_reaches(done.last.unwrap()).await;

    three.one.psql("postgres", &replay("pause")).unwrap();
    let (pid, append) = three.begin_append().await;
    let cancel = format!("SELECT pg_cancel_backend({pid})");
    three.primary.psql("postgres", &cancel).unwrap();
    let cancelled = in_time("the append", append).await.unwrap().unwrap();
    three.assert_reaches(cancelled.last.unwrap()).await;
    three.primary.kill_postmaster_9().unwrap();
    three.one.psql("postgres", &replay("resume")).unwrap();
    three.one.promote().unwrap();
    let promoted = connect(&three.one.url("store")).await;
    let last = truth(&*promoted).await.last().unwrap().position;
    assert_eq!(Some(last), cancelled.last);
}

/// A standby may lose what it has written and not flushed. `pg_receivewal` confirms what it has written, and nothing as
/// flushed before a segment is full.
#[tokio::test]
async fn with_remote_write_readers_see_what_is_flushed() {
    let (primary, session) = primary(1).await;
    let received = primary.socket_folder().join("received");
    std::fs::create_dir(&received).unwrap();
    let mut program = primary.command("pg_receivewal");
    program.arg("--directory").arg(&received);
    program.args(["--slot", "written", "--status-interval", "1"]);
    let create = "SELECT pg_create_physical_replication_slot('written', true)";
    session.batch_execute(create).await.unwrap();
    let mut program = program.spawn().unwrap();
    let setting = [("synchronous_standby_names", "pg_receivewal")];
    primary.configure(&setting).unwrap();
    primary.psql("postgres", "SELECT pg_reload_conf()").unwrap();
    eventually("it is the synchronous standby", async || {
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        number(&*session, sql).await == 1
    })
    .await;
    let level = "SET synchronous_commit = remote_write";
    session.batch_execute(level).await.unwrap();
    let written = append_one(&*session, "s").await;
    let seen = safe_position(&*session).await.unwrap();
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(seen < written, "a reader saw {seen}");
    // From now on no standby has to confirm.
    primary
        .configure(&[("synchronous_standby_names", "")])
        .unwrap();
    primary.psql("postgres", "SELECT pg_reload_conf()").unwrap();
    eventually("readers see it", async || {
        safe_position(&*session).await.unwrap() == written
    })
    .await;
}
