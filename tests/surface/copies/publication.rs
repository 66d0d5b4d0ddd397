//! Logical replication of all tables: the rows that arrive are copies. They are not delivered, run
//! or advanced until they are adopted.

use super::{Original, assert_goes_on, contents, failure, options};
use eventcore_harness::Server;
use std::time::{Duration, Instant};

/// A publisher and a subscriber, each a server of its own.
struct Pair {
    publisher: Server,
    subscriber: Server,
}

impl Pair {
    /// The subscriber has the empty tables, and receives all rows of the publisher.
    fn start() -> Self {
        let publisher = Server::start(options()).unwrap();
        let subscriber = Server::start(options()).unwrap();
        Original::fill(&publisher, "shop");
        subscriber.create_database("shop").unwrap();
        let mut dump = publisher.command("pg_dump");
        dump.args(["-d", "shop", "--schema-only"]);
        let schema = dump.output().unwrap().stdout;
        subscriber
            .psql("shop", &String::from_utf8(schema).unwrap())
            .unwrap();
        publisher
            .psql("shop", "CREATE PUBLICATION everything FOR ALL TABLES")
            .unwrap();
        let source = format!(
            "CREATE SUBSCRIPTION everything CONNECTION 'host={} port={} user=postgres dbname=shop' PUBLICATION everything",
            publisher.socket_folder().display(),
            publisher.port()
        );
        subscriber.psql("shop", &source).unwrap();
        let pair = Self {
            publisher,
            subscriber,
        };
        pair.catch_up();
        pair
    }

    /// Returns when everything has arrived.
    #[track_caller]
    fn catch_up(&self) {
        until(
            &self.subscriber,
            "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel",
        );
        let sent = self
            .publisher
            .psql("shop", "SELECT pg_current_wal_lsn()")
            .unwrap();
        until(
            &self.publisher,
            &format!(
                "SELECT coalesce(bool_and(replay_lsn >= '{sent}'), false) FROM pg_stat_replication WHERE application_name = 'everything'"
            ),
        );
    }
}

#[track_caller]
fn until(server: &Server, condition: &str) {
    let start = Instant::now();
    while server.psql("shop", condition).unwrap() != "t" {
        let state = || {
            server
                .psql(
                    "shop",
                    "SELECT * FROM pg_subscription_rel; SELECT * FROM pg_stat_replication",
                )
                .unwrap()
        };
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "in vain: {condition}\n{}\n{}",
            state(),
            server.log_tail(20)
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_subscriber_leaves_what_it_gets_alone_until_it_takes_the_publishers_place() {
    let pair = Pair::start();
    let (publisher, subscriber) = (&pair.publisher, &pair.subscriber);

    // The publisher continues, and so does its projection. The subscriber receives the rows and
    // runs nothing.
    publisher
        .psql(
            "shop",
            "SELECT pay('account-1', 50);
             CALL eventcore_wait_for_projection('ledger', timeout => '30 s');
             SELECT eventcore_resume_projection('without key');
             CALL eventcore_wait_for_projection('without key', timeout => '30 s');
             SELECT consume('all')",
        )
        .unwrap();
    pair.catch_up();
    super::assert_same(&contents(publisher, "shop"), &contents(subscriber, "shop"));
    assert_eq!(
        subscriber
            .psql(
                "shop",
                "SELECT DISTINCT status FROM eventcore.stat_projections"
            )
            .unwrap(),
        "copy"
    );
    assert_eq!(
        subscriber
            .psql(
                "shop",
                "SELECT bool_and(is_copy) FROM eventcore.stat_subscriptions"
            )
            .unwrap(),
        "t"
    );
    for call in [
        "SELECT * FROM eventcore_poll('all', 'c')",
        "SELECT * FROM eventcore_poll('all', 'c', 1, '20 s')",
        "SELECT eventcore_ack('half way', lease_id) FROM eventcore.leases LIMIT 1",
        "SELECT eventcore_nack('half way', lease_id) FROM eventcore.leases LIMIT 1",
        "SELECT eventcore_extend_lease('half way', lease_id) FROM eventcore.leases LIMIT 1",
        "SELECT eventcore_create_subscription('all')",
        "SELECT eventcore_drop_subscription('all')",
        "SELECT eventcore_pause_subscription('all')",
        "SELECT eventcore_reset_subscription('all', 0)",
        "SELECT eventcore_replay_parked('half way')",
        "SELECT eventcore_discard_parked('half way')",
        "SELECT eventcore_park('half way', '{1}')",
        "SELECT eventcore_checkpoint('client view')",
        "SELECT eventcore_advance_checkpoint('client view', 0, 1)",
        "SELECT eventcore_pause_projection('ledger')",
        "SELECT eventcore_resume_projection('ledger')",
        "SELECT eventcore_rebuild_projection('ledger')",
        "SELECT eventcore_rebuild_projection('ledger', shadow => true)",
        "SELECT eventcore_drop_projection('ledger')",
        "SELECT eventcore_replay_projection_parked('ledger')",
        "SELECT eventcore_set_projection_owner('ledger', 'postgres')",
        // An inline projection also exists; it takes no part here.
        "SELECT pay('account-1', 1)",
    ] {
        let error = failure(subscriber, "shop", call);
        assert!(
            error.contains("SE009") && error.contains("eventcore_adopt_copies"),
            "{call}: {error}"
        );
    }
    let error = failure(subscriber, "shop", "SELECT * FROM eventcore_adopt_copies()");
    assert!(error.contains("still brings changes"), "{error}");

    // A row may arrive before the row that it belongs to.
    let waiting = "SELECT count(*) FROM eventcore.deliveries";
    let before = subscriber.psql("shop", waiting).unwrap();
    assert_ne!(before, "0");
    let after = subscriber.psql(
        "shop",
        &format!(
            "BEGIN;
             SET LOCAL session_replication_role = replica;
             DELETE FROM eventcore.subscriptions WHERE name = 'half way';
             SET LOCAL session_replication_role = origin;
             SELECT eventcore_create_subscription('while rows arrive') \\g /dev/null
             {waiting};
             ROLLBACK"
        ),
    );
    assert_eq!(after.unwrap(), before);

    // It can have subscriptions of its own.
    subscriber
        .psql(
            "shop",
            "SELECT eventcore_create_subscription('its own');
             SELECT consume('its own');
             SELECT eventcore_advance_checkpoint('its own', 0, 5);
             CREATE TABLE own (position bigint PRIMARY KEY);
             CREATE FUNCTION own(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO public.own VALUES (e.position)';
             SELECT eventcore_create_projection('its own', 'own');
             CALL eventcore_wait_for_projection('its own', timeout => '30 s');
             SELECT eventcore_pause_projection('its own');
             SELECT eventcore_drop_projection('its own')",
        )
        .unwrap();
    let own = subscriber.psql(
        "shop",
        "SELECT (SELECT count(*) FROM own) = (SELECT count(*) FROM eventcore.events)",
    );
    assert_eq!(own.unwrap(), "t");

    // Replication has not stopped.
    publisher
        .psql("shop", "SELECT pay('account-2', 5); CALL eventcore_wait_for_projection('ledger', timeout => '30 s')")
        .unwrap();
    pair.catch_up();
    let error = subscriber.psql(
        "shop",
        "SELECT apply_error_count + sync_error_count FROM pg_stat_subscription_stats",
    );
    assert_eq!(error.unwrap(), "0");

    // The publisher is lost, together with its last events. Positions that it has announced are not
    // given out again.
    let given: i64 = publisher
        .psql("shop", "SELECT eventcore_safe_position()")
        .unwrap()
        .parse()
        .unwrap();
    subscriber
        .psql(
            "shop",
            "ALTER SUBSCRIPTION everything DISABLE;
             ALTER SUBSCRIPTION everything SET (slot_name = NONE);
             DROP SUBSCRIPTION everything;
             SELECT eventcore_drop_subscription('its own')",
        )
        .unwrap();
    let adopted = subscriber.psql(
        "shop",
        "SELECT kind, count(*) FROM eventcore_adopt_copies() GROUP BY 1 ORDER BY 1",
    );
    assert_eq!(
        adopted.unwrap(),
        "checkpoint|1\nprojection|3\nsubscription|2"
    );
    assert_goes_on(subscriber, "shop", given);
}

/// The publisher gives out the positions as long as the replication is enabled.
#[test]
fn nothing_is_appended_on_a_subscriber_until_its_replication_is_disabled() {
    let publisher = Server::start(options()).unwrap();
    let subscriber = Server::start(options()).unwrap();
    for server in [&publisher, &subscriber] {
        server.create_database("shop").unwrap();
    }
    let append = "SELECT last_position FROM eventcore_append('{s}', '{NULL}', '[{\"stream\": \"s\", \"type\": \"T\", \"payload\": 1}]')";
    publisher.psql("shop", append).unwrap();
    publisher
        .psql(
            "shop",
            "CREATE PUBLICATION facts FOR TABLE eventcore.events, eventcore.streams",
        )
        .unwrap();
    let create = format!(
        "CREATE SUBSCRIPTION facts CONNECTION 'host={} port={} user=postgres dbname=shop' PUBLICATION facts WITH (copy_data = false)",
        publisher.socket_folder().display(),
        publisher.port()
    );
    // In one session, which checks again after each change of a subscription.
    let refused = "DO $$ BEGIN
        PERFORM eventcore_append('{s}', '{NULL}', '[{\"stream\": \"s\", \"type\": \"T\", \"payload\": 1}]');
        RAISE EXCEPTION 'it was appended';
    EXCEPTION WHEN SQLSTATE 'SE009' THEN NULL; END $$";
    subscriber
        .psql(
            "shop",
            &format!(
                "{append};
                 {create};
                 {refused};
                 SELECT eventcore_append('{{s}}', '{{NULL}}', '[]');
                 SELECT count(*) FROM eventcore_read_all();
                 ALTER SUBSCRIPTION facts DISABLE;
                 {append};
                 ALTER SUBSCRIPTION facts ENABLE;
                 {refused};"
            ),
        )
        .unwrap();
    let error = failure(&subscriber, "shop", append);
    assert!(
        error.contains("SE009")
            && error.contains("replicating")
            && error.contains("eventcore_adopt_copies"),
        "{error}"
    );
    subscriber
        .psql(
            "shop",
            &format!(
                "ALTER SUBSCRIPTION facts DISABLE;
                 ALTER SUBSCRIPTION facts SET (slot_name = NONE);
                 DROP SUBSCRIPTION facts;
                 {append}"
            ),
        )
        .unwrap();
}
