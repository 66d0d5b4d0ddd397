//! A library serves the objects of the version before, for as long as nobody updates them. What was
//! written then, and what was under way, goes on after the update.

use super::made_up::SERVED;
use super::*;

/// Everything that a database can contain, in the middle of its work.
pub(super) const FILL: &str = include_str!("../../surface/copies/fill.sql");
/// Each row that it returns is a mistake.
const GO_ON: &str = include_str!("../../surface/copies/go_on.sql");

/// [`FILL`] for a version that lacks a column.
pub(super) fn fill(server: &Server, database: &str) {
    let with = "(stream_id, state, reason) VALUES ('closed', 'closed', 'why')";
    assert!(FILL.contains(with));
    let script = FILL.replace(with, "(stream_id, state) VALUES ('closed', 'closed')");
    server.psql(database, &script).unwrap();
}

/// What is under way: a lease that is held, a projection that has failed, and parked events.
pub(super) const UNDER_WAY: &str = "
    CREATE TABLE held AS SELECT NULL::uuid AS lease_id, 0::bigint AS position WHERE false;
    SELECT eventcore_create_subscription('held', lease => '1 hour');
    INSERT INTO held SELECT lease_id, position FROM eventcore_poll('held', 'consumer', 5);
    CREATE TABLE answers (projection text, position bigint);
    CREATE FUNCTION refuse(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not yet'; END $$;
    CREATE FUNCTION refuse_some(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        IF e.position % 50 = 0 THEN RAISE EXCEPTION 'not yet'; END IF;
        INSERT INTO public.answers VALUES ('parks', e.position);
    END $$;
    SELECT eventcore_create_projection('failed', 'refuse', retry_limit => 0, on_error => 'stop');
    SELECT eventcore_create_projection('parks', 'refuse_some', retry_limit => 0, on_error => 'park');";

pub(super) const REPAIRED: &str = "
    CREATE OR REPLACE FUNCTION refuse(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.answers VALUES ('failed', e.position); END $$;
    CREATE OR REPLACE FUNCTION refuse_some(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.answers VALUES ('parks', e.position); END $$;";

/// The rows of every table that has as many columns before and after.
pub(super) fn rows(server: &Server, database: &str) -> String {
    let tables = [
        "events",
        "history",
        "subscriptions",
        "leases",
        "backlogs",
        "parked",
        "checkpoints",
        "commands",
        "executions",
        "command_states",
        "projections",
        "projection_parked",
    ];
    let rows = tables.map(|table| {
        format!("SELECT '{table} ' || to_jsonb(t)::text FROM eventcore.{table} t ORDER BY 1;\n")
    });
    server.psql(database, &rows.concat()).unwrap()
}

/// Nothing is skipped, nothing is done twice, and no position is given out again.
#[track_caller]
pub(super) fn assert_goes_on(server: &Server, database: &str) {
    let given = server.psql(database, "SELECT max(position) FROM eventcore.events");
    let script = format!("\\set given {}\n{GO_ON}", given.unwrap());
    assert_eq!(server.psql(database, &script).unwrap(), "");
}

/// The consumer of [`UNDER_WAY`] still holds its lease, and nothing of it is delivered again. All other
/// events are delivered once.
pub(super) async fn assert_delivered_once(session: &Session) {
    let count = async |sql: &str| -> i64 { session.query_one(sql, &[]).await.unwrap().get(0) };
    let poll = "CREATE TABLE others AS SELECT lease_id, position FROM eventcore_poll('held', 'another', 100)";
    session.batch_execute(poll).await.unwrap();
    let again = "SELECT count(*) FROM others JOIN held USING (position)";
    assert_eq!(count(again).await, 0, "leased to two consumers");
    let mut left = count("SELECT count(*) FROM eventcore.events").await;
    for leased in ["held", "others"] {
        let events = count(&format!("SELECT count(*) FROM {leased}")).await;
        assert!(events > 0, "nothing was {leased}");
        let acknowledged = format!(
            "SELECT sum(eventcore_ack('held', lease_id, ARRAY[position]))::bigint FROM {leased}"
        );
        assert_eq!(count(&acknowledged).await, events, "{leased}");
        left -= events;
    }
    assert_eq!(count("SELECT consume('held')").await, left);
    let once = "SELECT count(DISTINCT position) FROM (SELECT position FROM consumed WHERE subscription = 'held'
                 UNION ALL SELECT position FROM held UNION ALL SELECT position FROM others) delivered";
    assert_eq!(
        count(once).await,
        count("SELECT count(*) FROM eventcore.events").await
    );
    let sql = "SELECT eventcore_drop_subscription('held')";
    session.batch_execute(sql).await.unwrap();
}

/// After [`REPAIRED`]: every event reaches the projections of [`UNDER_WAY`] once.
pub(super) async fn assert_answered_once(session: &Session) {
    let count = async |sql: &str| -> i64 { session.query_one(sql, &[]).await.unwrap().get(0) };
    for projection in ["failed", "parks"] {
        let missing = format!(
            "SELECT count(*) FROM eventcore.events e WHERE NOT EXISTS
                 (SELECT FROM answers a WHERE a.projection = '{projection}' AND a.position = e.position)"
        );
        eventually("every event has its answer", async || {
            count(&missing).await == 0
        })
        .await;
    }
    let parked = "SELECT count(*) FROM eventcore.projection_parked";
    eventually("nothing is parked", async || count(parked).await == 0).await;
    let twice = "SELECT count(*) FROM (SELECT FROM answers GROUP BY projection, position HAVING count(*) > 1) twice";
    assert_eq!(count(twice).await, 0);
}

#[tokio::test]
async fn what_is_under_way_goes_on_after_the_update() {
    let server = versions();
    let url = create(server, "served", SERVED);
    // Appends, polls, commands and projections work on the objects of the version before.
    fill(server, "served");
    server.psql("served", UNDER_WAY).unwrap();
    let session = connect(&url).await;
    let count = async |sql: &str| -> i64 { session.query_one(sql, &[]).await.unwrap().get(0) };
    eventually("a projection fails, another one parks", async || {
        count("SELECT count(*) FROM eventcore.projections WHERE status = 'failed'").await == 1
            && count("SELECT count(*) FROM eventcore.projection_parked").await > 1
            && count("SELECT checkpoint FROM eventcore.projections WHERE name = 'parks'").await
                >= count("SELECT max(position) FROM eventcore.events").await
    })
    .await;
    let views = server.psql(
        "served",
        "SELECT format('SELECT count(*) FROM eventcore.%I;', viewname) FROM pg_views WHERE schemaname = 'eventcore'",
    );
    server.psql("served", &views.unwrap()).unwrap();
    let check = "SELECT finding, statement FROM eventcore_check()";
    assert_eq!(
        server.psql("served", check).unwrap(),
        "version|ALTER EXTENSION eventcore UPDATE"
    );

    let before = rows(server, "served");
    update(server, "served");
    let after = rows(server, "served");
    assert!(before == after, "{}", difference(&before, &after));

    assert_delivered_once(&session).await;

    // The projection that has failed resumes, and the parked events are replayed.
    session.batch_execute(REPAIRED).await.unwrap();
    let parked = count("SELECT eventcore_replay_projection_parked('parks')").await;
    assert!(parked > 1);
    assert_goes_on(server, "served");
    assert_answered_once(&session).await;
}
