//! The new events of a poll are one row. Acknowledging, giving back and losing some of them is as if
//! each had a row of its own, `P11`.

use tokio::task::JoinHandle;

use super::{ack, attempts, create, drain, lease, nack, poll, positions, write};
use crate::support::{Client, Failure, connect, database, failure, until_waiting, value};

/// A subscription `s` with events of these streams, all in one lease, and two more sessions.
struct Leased {
    url: String,
    client: Client,
    one: Client,
    other: Client,
    lease: uuid::Uuid,
    w: Vec<i64>,
}

async fn leased(name: &str, options: &str, streams: &[&str]) -> Leased {
    let (url, client) = database(name).await;
    let l = Leased {
        lease: uuid::Uuid::nil(),
        one: connect(&url).await,
        other: connect(&url).await,
        url,
        client,
        w: Vec::new(),
    };
    l.again(options, streams).await
}

const ROWS: &str = "SELECT count(*) FROM eventcore.deliveries";

/// What is left of leases anywhere.
const LEFT: &str = "SELECT (SELECT count(*) FROM eventcore.deliveries) + (SELECT count(*) FROM eventcore.acknowledged)
                         + (SELECT count(*) FROM eventcore.leases)";

const STATE: &str =
    "SELECT leased || ' ' || leases || ' ' || checkpoint FROM eventcore.stat_subscriptions";

impl Leased {
    /// New events, and a new subscription for them.
    async fn again(mut self, options: &str, streams: &[&str]) -> Self {
        let client = &self.client;
        let drop = "SELECT eventcore_drop_subscription(name) FROM eventcore.subscriptions";
        run(client, drop).await;
        create(client, "s", &format!(", start_from => 'now'{options}")).await;
        self.w = write(client, streams).await;
        let polled = poll(client, "s", "c", 100).await;
        assert_eq!(positions(&polled), self.w);
        assert_eq!(value::<i64>(client, ROWS).await, 1, "one row for all");
        self.lease = lease(&polled);
        self
    }

    /// How many events the call acknowledges, by another session that may wait.
    fn acks(&self, session: &'static str, positions: &str) -> JoinHandle<Result<i64, Failure>> {
        let sql = format!("SELECT eventcore_ack('s', '{}', {positions})", self.lease);
        let url = self.url.clone();
        tokio::spawn(async move {
            let client = connect(&url).await;
            client.batch_execute(session).await.unwrap();
            let acknowledged = client.query_one(&sql, &[]).await;
            // The server tells an error before it releases the locks of the transaction.
            let end = if session.is_empty() || acknowledged.is_err() {
                "ROLLBACK"
            } else {
                "COMMIT"
            };
            client.batch_execute(end).await?;
            Ok(acknowledged?.get(0))
        })
    }

    async fn ack(&self, client: &Client, positions: &[i64]) {
        ack(client, "s", self.lease, Some(positions)).await.unwrap();
    }
}

async fn run(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn transactions_that_acknowledge_different_events_of_a_lease_do_not_wait_for_one_another() {
    let l = leased("packed_parts", "", &["a", "b", "c", "a"]).await;
    run(&l.one, "BEGIN").await;
    run(&l.other, "BEGIN").await;
    l.ack(&l.one, &l.w[..1]).await;
    l.ack(&l.other, &l.w[1..2]).await;
    l.ack(&l.client, &l.w[2..3]).await;
    l.ack(&l.one, &l.w[3..]).await;
    run(&l.one, "ROLLBACK").await;
    run(&l.other, "COMMIT").await;
    let expected = format!("2 1 {}", l.w[0] - 1);
    assert_eq!(value::<String>(&l.client, STATE).await, expected);
    assert_eq!(l.acks("", "NULL").await.unwrap().unwrap(), 2);
    assert_eq!(drain(&l.client, "s").await, [0_i64; 0]);
}

#[tokio::test]
async fn an_acknowledgement_of_all_waits_for_parts_and_counts_the_rest() {
    for (end, rest) in [("COMMIT", 2), ("ROLLBACK", 3)] {
        let name = format!("packed_rest_{}", end.to_lowercase());
        let l = leased(&name, "", &["a", "b", "c"]).await;
        run(&l.one, "BEGIN").await;
        l.ack(&l.one, &l.w[1..2]).await;
        let all = l.acks("", "NULL");
        until_waiting(&l.client, 1).await;
        run(&l.one, end).await;
        assert_eq!(all.await.unwrap().unwrap(), rest, "{end}");
        let leases = value::<i64>(&l.client, "SELECT count(*) FROM eventcore.leases").await;
        assert_eq!(value::<i64>(&l.client, LEFT).await, leases);
    }
}

#[tokio::test]
async fn an_event_is_acknowledged_once_whoever_waits() {
    let mut l = leased("packed_once", "", &["a", "b"]).await;
    for (session, positions) in [
        ("", "ARRAY[$1]"),
        ("", "ARRAY[$1, $2]"),
        (
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1",
            "ARRAY[$1]",
        ),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", "NULL"),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1",
            "ARRAY[$1, $2]",
        ),
    ] {
        for (end, succeeds) in [("COMMIT", false), ("ROLLBACK", true)] {
            l = l.again("", &["a", "b"]).await;
            let positions = positions
                .replace("$1", &l.w[0].to_string())
                .replace("$2", &l.w[1].to_string());
            run(&l.one, "BEGIN").await;
            l.ack(&l.one, &l.w[..1]).await;
            let second = l.acks(session, &positions);
            until_waiting(&l.client, 1).await;
            run(&l.one, end).await;
            let second = second.await.unwrap();
            assert_eq!(
                second.is_ok(),
                succeeds,
                "{session} {positions} {end}: {second:?}"
            );
            if let Err(failed) = second {
                assert!(
                    ["SE008", "40001"].contains(&failed.code.as_str()),
                    "{failed:?}"
                );
            }
        }
    }
}

/// A snapshot from before another acknowledgement does not show that one.
#[tokio::test]
async fn an_old_snapshot_acknowledges_nothing_that_another_transaction_has_acknowledged() {
    let mut l = leased("packed_snapshot", "", &["a", "b"]).await;
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for wanted in ["NULL", "ARRAY[$1, $2]", "ARRAY[$1]"] {
            l = l.again("", &["a", "b"]).await;
            let wanted = wanted
                .replace("$1", &l.w[0].to_string())
                .replace("$2", &l.w[1].to_string());
            run(
                &l.other,
                &format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM eventcore.leases"),
            )
            .await;
            l.ack(&l.one, &l.w[..1]).await;
            let sql = format!("SELECT eventcore_ack('s', '{}', {wanted})", l.lease);
            let failed = failure(l.other.batch_execute(&sql).await);
            assert_eq!(failed.code, "40001", "{level} {wanted}");
            run(&l.other, "ROLLBACK").await;
            assert_eq!(l.acks("", "NULL").await.unwrap().unwrap(), 1);
        }
        l = l.again("", &["a", "b"]).await;
        let begin: &'static str = if level == "SERIALIZABLE" {
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1"
        } else {
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"
        };
        assert_eq!(l.acks(begin, "NULL").await.unwrap().unwrap(), 2);
        let again = l.acks("", "NULL").await.unwrap();
        again.unwrap_err().assert_ours("SE008");
        // What is left of the lease goes with the next poll that leases events.
        let more = write(&l.client, &["a"]).await;
        assert_eq!(positions(&poll(&l.client, "s", "c", 100).await), more);
        assert_eq!(value::<i64>(&l.client, LEFT).await, 2);
    }
}

#[tokio::test]
async fn acknowledgements_that_wait_while_events_are_given_back_acknowledge_the_others() {
    let mut l = leased("packed_nack", "", &["a", "b", "c"]).await;
    for (positions, acknowledged) in [
        ("NULL", Some(2)),
        ("ARRAY[$2]", Some(1)),
        ("ARRAY[$1]", None),
        ("ARRAY[$2, $3]", Some(2)),
    ] {
        for end in ["COMMIT", "ROLLBACK"] {
            l = l.again("", &["a", "b", "c"]).await;
            let positions = (0..3).fold(positions.to_owned(), |sql, n| {
                sql.replace(&format!("${}", n + 1), &l.w[n].to_string())
            });
            run(&l.one, "BEGIN").await;
            nack(&l.one, "s", l.lease, &l.w[..1], "release", "0")
                .await
                .unwrap();
            let waits = l.acks("", &positions);
            until_waiting(&l.client, 1).await;
            run(&l.one, end).await;
            let got = waits.await.unwrap();
            match (end, acknowledged) {
                ("ROLLBACK", _) => {
                    let all = if positions == "NULL" {
                        3
                    } else {
                        positions.split(',').count() as i64
                    };
                    assert_eq!(got.unwrap(), all, "{positions}");
                }
                (_, Some(number)) => assert_eq!(got.unwrap(), number, "{positions}"),
                (_, None) => drop(got.unwrap_err().assert_ours("SE008")),
            }
        }
    }
}

#[tokio::test]
async fn a_lease_that_expires_gives_back_what_was_not_acknowledged() {
    let l = leased(
        "packed_expired",
        ", lease => '100 ms'",
        &["a", "b", "a", "c"],
    )
    .await;
    l.ack(&l.client, &[l.w[0], l.w[3]]).await;
    run(&l.one, "BEGIN; SAVEPOINT s").await;
    l.ack(&l.one, &l.w[1..2]).await;
    run(&l.one, "ROLLBACK TO s; COMMIT; SELECT pg_sleep(0.2)").await;
    let again = poll(&l.other, "s", "c2", 100).await;
    assert_eq!(positions(&again), l.w[1..3]);
    assert_eq!(attempts(&again), [1, 1]);
    ack(&l.client, "s", l.lease, None)
        .await
        .unwrap_err()
        .assert_ours("SE008");
    ack(&l.other, "s", lease(&again), None).await.unwrap();
    assert_eq!(drain(&l.client, "s").await, [0_i64; 0]);
    assert_eq!(
        value::<i64>(&l.client, "SELECT count(*) FROM eventcore.acknowledged").await,
        0
    );
}

#[tokio::test]
async fn the_last_event_of_a_lease_that_expires_has_failed_though_it_was_polled_with_others() {
    let l = leased(
        "packed_last",
        ", lease => '100 ms', retry_limit => 0",
        &["a", "b", "c"],
    )
    .await;
    l.ack(&l.client, &l.w[..2]).await;
    run(&l.one, "SELECT pg_sleep(0.2)").await;
    poll(&l.other, "s", "c2", 100).await;
    assert_eq!(super::parked(&l.client, "s").await, l.w[2..]);
}

#[tokio::test]
async fn an_open_acknowledgement_keeps_its_part_of_a_lease_and_its_end_frees_the_streams() {
    let l = leased("packed_free", "", &["a", "b"]).await;
    let more = write(&l.client, &["a", "b"]).await;
    run(&l.one, "BEGIN").await;
    l.ack(&l.one, &l.w[..1]).await;
    assert!(poll(&l.other, "s", "c2", 100).await.is_empty());
    run(&l.one, "COMMIT").await;
    assert_eq!(positions(&poll(&l.other, "s", "c2", 100).await), more[..1]);
    // The lease is extended while all of it is being acknowledged, and not afterwards.
    run(&l.one, "BEGIN").await;
    ack(&l.one, "s", l.lease, None).await.unwrap();
    let extend = format!("SELECT eventcore_extend_lease('s', '{}')", l.lease);
    run(&l.other, &extend).await;
    run(&l.one, "COMMIT").await;
    failure(l.other.batch_execute(&extend).await).assert_ours("SE008");
}

#[tokio::test]
async fn two_transactions_that_acknowledge_the_last_two_events_leave_an_empty_lease() {
    let l = leased("packed_last_two", "", &["a", "b"]).await;
    run(&l.one, "BEGIN").await;
    run(&l.other, "BEGIN").await;
    l.ack(&l.one, &l.w[..1]).await;
    l.ack(&l.other, &l.w[1..]).await;
    run(&l.one, "COMMIT").await;
    run(&l.other, "COMMIT").await;
    let expected = format!("0 0 {}", l.w[1]);
    assert_eq!(value::<String>(&l.client, STATE).await, expected);
    for call in [
        "eventcore_extend_lease('s', $1)",
        "eventcore_ack('s', $1)",
        "eventcore_nack('s', $1)",
    ] {
        let sql = format!("SELECT {}", call.replace("$1", &format!("'{}'", l.lease)));
        failure(l.client.batch_execute(&sql).await).assert_ours("SE008");
    }
    let more = write(&l.client, &["a", "b"]).await;
    assert_eq!(positions(&poll(&l.client, "s", "c", 100).await), more);
    assert_eq!(value::<i64>(&l.client, LEFT).await, 2);
}

#[tokio::test]
async fn a_reset_leaves_nothing_of_a_lease_that_is_being_acknowledged() {
    let l = leased("packed_reset", "", &["a", "b"]).await;
    run(&l.one, "BEGIN").await;
    l.ack(&l.one, &l.w[..1]).await;
    run(&l.client, "SELECT eventcore_reset_subscription('s', 0)").await;
    run(&l.one, "COMMIT").await;
    assert_eq!(positions(&poll(&l.client, "s", "c", 100).await), l.w);
    run(&l.client, "SELECT eventcore_drop_subscription('s')").await;
    assert_eq!(value::<i64>(&l.client, LEFT).await, 0);
}

#[tokio::test]
async fn a_large_lease_is_acknowledged_in_parts_in_a_moment() {
    let streams: Vec<String> = (0..5_000).map(|n| format!("s-{n}")).collect();
    let (_, client) = database("packed_large").await;
    for part in streams.chunks(1_000) {
        let declared: Vec<_> = part.iter().map(|s| (s.as_str(), None)).collect();
        let events: Vec<_> = part.iter().map(|s| crate::support::event(s, 1)).collect();
        crate::support::append(&client, &declared, serde_json::json!(events))
            .await
            .unwrap();
    }
    create(&client, "s", "").await;
    let polled = poll(&client, "s", "c", 10_000).await;
    let all = positions(&polled);
    let begun = std::time::Instant::now();
    for part in all[..4_900].chunks(100) {
        ack(&client, "s", lease(&polled), Some(part)).await.unwrap();
    }
    let more = write(&client, &["s-0", "s-4999"]).await;
    // Its stream is free again; that of the other is not.
    assert_eq!(positions(&poll(&client, "s", "c", 100).await), more[..1]);
    let back = nack(&client, "s", lease(&polled), &all[4_999..], "release", "0")
        .await
        .unwrap();
    assert_eq!(back.len(), 1);
    ack(&client, "s", lease(&polled), None).await.unwrap();
    let patience = std::time::Duration::from_secs(20);
    assert!(begun.elapsed() < patience, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_person_sets_no_leased_event_aside_and_learns_whose_it_is() {
    let l = leased("packed_aside", "", &["a", "b", "c"]).await;
    l.ack(&l.client, &l.w[..1]).await;
    for (position, because) in [
        (l.w[0], "does not wait to be delivered again"),
        (l.w[1], "which consumer \\\"c\\\" has leased"),
        (l.w[2], "which consumer \\\"c\\\" has leased"),
    ] {
        let sql = format!("SELECT eventcore_park('s', ARRAY[{position}]::bigint[])");
        let detail = failure(l.client.batch_execute(&sql).await).assert_ours("SE003");
        assert!(detail.to_string().contains(because), "{detail}");
    }
    let expire = "UPDATE eventcore.leases SET leased_until = now() - interval '1 s'";
    run(&l.client, expire).await;
    let sql = format!("SELECT eventcore_park('s', ARRAY[{}]::bigint[])", l.w[2]);
    assert_eq!(value::<i64>(&l.client, &sql).await, 1);
    assert_eq!(drain(&l.client, "s").await, l.w[1..2]);
}

/// Removing what a reset left behind passes by an acknowledgement that is open, and leaves what others have
/// acknowledged of that lease.
#[tokio::test]
async fn a_reset_does_not_wait_for_an_acknowledgement_of_all_that_is_left() {
    let l = leased("packed_reset_open", "", &["a", "b", "c"]).await;
    l.ack(&l.client, &l.w[..1]).await;
    run(&l.one, "BEGIN").await;
    ack(&l.one, "s", l.lease, None).await.unwrap();
    run(&l.client, "SET lock_timeout = '5 s'").await;
    run(&l.client, "SELECT eventcore_reset_subscription('s', 0)").await;
    // A transaction that acknowledges may go on to poll.
    assert_eq!(positions(&poll(&l.one, "s", "c", 100).await), l.w);
    run(&l.one, "COMMIT").await;
    run(&l.client, "SELECT eventcore_drop_subscription('s')").await;
    assert_eq!(value::<i64>(&l.client, LEFT).await, 0);
}

#[tokio::test]
async fn an_old_snapshot_acknowledges_nothing_twice_of_a_lease_that_a_reset_has_voided() {
    for wanted in ["NULL", "ARRAY[$1]"] {
        let name = format!("packed_reset_old_{}", wanted.len());
        let l = leased(&name, "", &["a", "b", "c"]).await;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM eventcore.leases";
        run(&l.other, begin).await;
        l.ack(&l.client, &l.w[..1]).await;
        run(&l.one, "BEGIN").await;
        l.ack(&l.one, &l.w[1..2]).await;
        let reset = format!("SELECT eventcore_reset_subscription('s', {})", l.w[2]);
        run(&l.client, &reset).await;
        run(&l.one, "COMMIT").await;
        let wanted = wanted.replace("$1", &l.w[0].to_string());
        let sql = format!("SELECT eventcore_ack('s', '{}', {wanted})", l.lease);
        let failed = failure(l.other.batch_execute(&sql).await);
        assert_eq!(failed.code, "40001", "{wanted}");
    }
}

#[tokio::test]
async fn serializable_transactions_that_acknowledge_different_events_do_not_fail() {
    let l = leased("packed_serializable", "", &["a", "b", "c"]).await;
    for session in [&l.one, &l.other] {
        let begin =
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM eventcore.subscriptions";
        run(session, begin).await;
    }
    l.ack(&l.one, &l.w[..1]).await;
    l.ack(&l.other, &l.w[1..2]).await;
    run(&l.one, "COMMIT").await;
    run(&l.other, "COMMIT").await;
    assert_eq!(l.acks("", "NULL").await.unwrap().unwrap(), 1);
}

/// A lease with an event that came back, and with new events in one row.
#[tokio::test]
async fn acknowledgements_of_all_and_of_parts_of_a_lease_never_wait_for_each_other() {
    let mut l = leased("packed_mixed", "", &["a"]).await;
    run(
        &l.client,
        &format!(
            "SELECT eventcore_nack('s', '{}', action => 'release')",
            l.lease
        ),
    )
    .await;
    let more = write(&l.client, &["b", "c", "d"]).await;
    l.w.extend(more);
    let polled = poll(&l.client, "s", "c", 100).await;
    assert_eq!(positions(&polled), l.w);
    assert_eq!(value::<i64>(&l.client, ROWS).await, 2);
    l.lease = lease(&polled);
    run(&l.one, "BEGIN").await;
    l.ack(&l.one, &l.w[3..]).await;
    let all = l.acks("", "NULL");
    until_waiting(&l.client, 1).await;
    let part = l.acks("", &format!("ARRAY[{}, {}]", l.w[0], l.w[1]));
    until_waiting(&l.client, 2).await;
    run(&l.one, "COMMIT").await;
    assert_eq!(all.await.unwrap().unwrap(), 3);
    part.await.unwrap().unwrap_err().assert_ours("SE008");
    assert_eq!(drain(&l.client, "s").await, [0_i64; 0]);
}
