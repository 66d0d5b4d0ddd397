//! P20: `pg_upgrade` from each PostgreSQL major that is at hand to the next one: what is under way in a
//! database goes on after it. `cargo xtask test pg-upgrade` has all of them at hand.

use eventcore_harness::Binaries;

use super::pg_upgrade::{WITH_WORKERS, assert_no_process_has_worked};
use super::served::{
    FILL, REPAIRED, UNDER_WAY, assert_answered_once, assert_delivered_once, assert_goes_on, rows,
};
use super::*;

/// Projections of the databases that are upgraded do not run, so that they lag behind.
fn at_rest() -> ServerOptions {
    options()
        .without_fsync()
        .set("eventcore.projection_workers", "0")
}

const RUN_AGAIN: &str =
    "ALTER SYSTEM SET eventcore.projection_workers = 4; SELECT pg_reload_conf()";

/// What the other tests of updates cannot compare, because a version lacks it; and the sequences, but
/// for that of positions: another history has positions of its own.
const MORE_ROWS: &str = "
    SELECT 'streams ' || to_jsonb(t)::text FROM eventcore.streams t ORDER BY 1;
    SELECT 'snapshots ' || to_jsonb(t)::text FROM eventcore.snapshots t ORDER BY 1;
    SELECT 'sequence ' || sequencename || ' ' || coalesce(last_value::text, 'not called')
      FROM pg_sequences WHERE schemaname = 'eventcore' AND sequencename <> 'position_blocks' ORDER BY 1;";

/// Everything but the histories: the new cluster begins another one.
fn state(server: &Server) -> String {
    let rows = rows(server, "majors") + &server.psql("majors", MORE_ROWS).unwrap();
    let rows = rows.lines().filter(|row| !row.starts_with("history "));
    rows.map(|row| format!("{row}\n")).collect()
}

/// A state that is kept, beside those of `served::FILL`.
const KEEP: &str = "
    SELECT eventcore_save_snapshot('balance', '{account-1}', ARRAY[(SELECT max(version) FROM eventcore.events
                WHERE stream_id = 'account-1')], '42')";

#[tokio::test]
async fn what_is_under_way_goes_on_after_pg_upgrade_from_major_to_major() {
    let majors = Binaries::of_all_majors().unwrap();
    let (first, others) = majors.split_first().unwrap();
    // Where there is one major only, the cluster moves to another one of the same major.
    let others = match others {
        [] => std::slice::from_ref(first),
        others => others,
    };
    let options = options().without_fsync();
    let mut server = Server::start_with(first.clone(), options).unwrap();
    // Not through a template: pg_upgrade wants to connect to every database.
    let url = create(&server, "majors", PRESENT);
    server.psql("majors", FILL).unwrap();
    server.psql("majors", UNDER_WAY).unwrap();
    server.psql("majors", KEEP).unwrap();
    let session = connect(&url).await;
    eventually("a projection has failed, another one has parked", async || {
        let sql = "SELECT count(*) FILTER (WHERE status = 'failed') = 1,
                          (SELECT count(*) > 1 FROM eventcore.projection_parked) FROM eventcore.projections";
        let row = session.query_one(sql, &[]).await.unwrap();
        row.get::<_, bool>(0) && row.get::<_, bool>(1)
    })
    .await;
    drop(session);
    server
        .psql(
            "majors",
            "ALTER SYSTEM SET eventcore.projection_workers = 0",
        )
        .unwrap();
    server.restart().unwrap();
    // Events that no projection has seen.
    server
        .psql(
            "majors",
            "SELECT pay('account-' || n % 5, 3) FROM generate_series(1, 20) n",
        )
        .unwrap();
    let before = state(&server);
    for next in others {
        server.stop().unwrap();
        server = server.upgrade_to(next, at_rest(), &WITH_WORKERS).unwrap();
        assert_no_process_has_worked(&server);
        let after = state(&server);
        assert!(before == after, "{}", difference(&before, &after));
        let check = "SELECT * FROM eventcore_check(thorough => true)";
        assert_eq!(server.psql("majors", check).unwrap(), "");
    }

    server.psql("majors", RUN_AGAIN).unwrap();
    let session = connect(&server.url("majors")).await;
    let count = async |sql: &str| -> i64 { session.query_one(sql, &[]).await.unwrap().get(0) };
    assert_delivered_once(&session).await;
    session.batch_execute(REPAIRED).await.unwrap();
    assert!(count("SELECT eventcore_replay_projection_parked('parks')").await > 1);
    assert_goes_on(&server, "majors");
    assert_answered_once(&session).await;
}
