//! A library that does not serve the objects of an older version says so, with the statement that
//! helps. Workers write nothing and do not spin, and go on after the update.

use std::time::Duration;

use super::made_up::{OLD, SERVED};
use super::*;
use crate::errors::scenarios::{SCENARIOS, SETUP};

/// Events, and a projection that is behind, as the library of that version has left them. The rows
/// come beneath the triggers, which call the present library.
const CONTENTS: &str = "
    CREATE TABLE seen (position bigint PRIMARY KEY, causation_id uuid);
    ALTER TABLE eventcore.events DISABLE TRIGGER USER;
    INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
    SELECT n, n, now(), gen_random_uuid(), 's', 'T', '1' FROM generate_series(1, 50) n;
    ALTER TABLE eventcore.events ENABLE TRIGGER ALL;
    SELECT setval('eventcore.position_blocks', 1);
    ALTER TABLE eventcore.projections DISABLE TRIGGER USER;
    INSERT INTO eventcore.projections (checkpoint, owner, owner_name, batch_size, retry_limit, takes_array, name, mode, on_error,
                                       handler, home_id)
    SELECT 10, r.oid, r.rolname, 7, 0, false, 'behind', 'async', 'stop', 'public.see(eventcore.events)', h.last_value
      FROM pg_roles r, eventcore.home_id h WHERE r.rolname = current_user;
    ALTER TABLE eventcore.projections ENABLE TRIGGER ALL;
    ALTER TABLE eventcore.projections DISABLE TRIGGER projections_are_settled;
    ALTER TABLE eventcore.projections ENABLE TRIGGER projections_are_settled;
";

/// A SQL function would bind the columns of the event.
const HANDLER: &str = "
    CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.seen VALUES (e.position, e.causation_id); END $$";

const FAILURES: &str =
    "SELECT coalesce(max(failures), 0) FROM eventcore.stat_workers WHERE kind = 'notifier'";

#[tokio::test]
async fn every_call_on_older_objects_works_or_says_which_statement_helps() {
    for version in older() {
        let database = format!("older_{version}");
        let url = create(versions(), &database, &version);
        let session = connect(&url).await;
        // All of it, but for a snapshot and a command that earlier versions refuse.
        let setup = SETUP
            .split("SELECT eventcore_save_snapshot")
            .next()
            .unwrap();
        let is_set_up = session.batch_execute(setup).await.is_ok();
        let refused = refused_calls(&session).await;
        match &*version {
            OLD => assert!(!is_set_up && refused > 20, "{refused} calls were refused"),
            SERVED => assert!(is_set_up && refused == 0, "{refused} calls were refused"),
            _ => {}
        }
        let check = "SELECT finding, statement FROM eventcore_check()";
        assert_eq!(
            versions().psql(&database, check).unwrap(),
            "version|ALTER EXTENSION eventcore UPDATE"
        );
        update(versions(), &database);
        append_one(&*session, "s").await;
    }
}

/// Calls every function; returns how often the objects are too old.
async fn refused_calls(session: &Session) -> usize {
    let mut refused = 0;
    for scenario in SCENARIOS {
        // Whatever comes before it may be refused as well.
        let _ = session.batch_execute(scenario.before).await;
        let Err(error) = session.batch_execute(scenario.call).await else {
            continue;
        };
        let (sqlstate, reason, hint) = refusal(&error);
        if sqlstate == "SE009" {
            assert_eq!(reason, "update_needed", "{}: {error:?}", scenario.call);
            assert!(hint.contains("ALTER EXTENSION eventcore UPDATE"), "{hint}");
            refused += 1;
        } else {
            // It does not exist in this version, or what it needs does not exist.
            let others = [
                "42883", "42P01", "42704", "22P02", "SE003", "SE007", "SE008",
            ];
            assert!(
                others.contains(&sqlstate.as_str()),
                "{}: {error:?}",
                scenario.call
            );
        }
    }
    refused
}

#[tokio::test]
async fn workers_leave_objects_that_are_too_old_alone_and_go_on_after_the_update() {
    let mut server = start(options().without_fsync());
    let url = create(&server, "old_workers", OLD);
    server.psql("old_workers", HANDLER).unwrap();
    server.psql("old_workers", CONTENTS).unwrap();
    // The launcher looks at every database when the server has started.
    server.restart().unwrap();
    let session = connect(&url).await;
    let failures = async || -> i64 {
        let row = session.query_one(FAILURES, &[]).await.unwrap();
        row.get(0)
    };
    eventually("the notifier is refused", async || failures().await > 0).await;
    let sqlstate = "SELECT last_sqlstate FROM eventcore.stat_workers WHERE kind = 'notifier'";
    let row = session.query_one(sqlstate, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "SE009");

    // Between two attempts there is a pause of a second or more, and nothing is written.
    let next_id = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text";
    let before: String = session.query_one(next_id, &[]).await.unwrap().get(0);
    let (seen, begin) = (failures().await, std::time::Instant::now());
    eventually("two more attempts", async || failures().await >= seen + 2).await;
    assert!(begin.elapsed() > Duration::from_millis(500), "it spins");
    let after: String = session.query_one(next_id, &[]).await.unwrap().get(0);
    assert_eq!(before, after, "a worker has written something");

    update(&server, "old_workers");
    eventually("the projection catches up", async || {
        let sql = "SELECT count(*) FROM seen";
        let row = session.query_one(sql, &[]).await.unwrap();
        row.get::<_, i64>(0) == 40
    })
    .await;
    // The rows of before lack the new column. It is NULL.
    let read = "SELECT count(*), count(causation_id) FROM eventcore_read_all(0)";
    let row = session.query_one(read, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (50, 0));
    let done = Append::one("s", Some(50)).send(&*session).await.unwrap();
    assert_eq!(done.versions, [51]);
    eventually("the projection sees the new event", async || {
        let sql = "SELECT max(position) FROM seen";
        let row = session.query_one(sql, &[]).await.unwrap();
        row.get::<_, Option<i64>>(0) == done.last
    })
    .await;
}

/// The function that writes the checkpoints of idle projections together is not in all versions.
#[tokio::test]
async fn idle_projections_write_their_checkpoints_before_and_after_the_update() {
    let url = create(versions(), "idle_older", "0.1.0");
    let session = connect(&url).await;
    let create = "
        CREATE FUNCTION ignore(e eventcore.events) RETURNS void LANGUAGE sql AS '';
        SELECT eventcore_create_projection('idle-' || n, 'ignore', event_types => '{Never}')
          FROM generate_series(1, 5) n";
    session.batch_execute(create).await.unwrap();
    let all_at = async |position: i64| {
        let behind = "SELECT count(*) FROM eventcore.projections WHERE checkpoint < $1";
        let row = session.query_one(behind, &[&position]).await.unwrap();
        row.get::<_, i64>(0) == 0
    };
    for round in 0..3 {
        let last = append_one(&*session, "s").await;
        eventually("the checkpoints", async || all_at(last).await).await;
        let failed = "SELECT count(*) FROM eventcore.projections WHERE last_error IS NOT NULL";
        let row = session.query_one(failed, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 0);
        if round == 0 {
            update(versions(), "idle_older");
        }
    }
}
