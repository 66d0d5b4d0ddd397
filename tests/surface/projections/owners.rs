//! P12: a projection has its owner's rights and no others, and only its owner can change it.

use tokio_postgres::Client;

use super::{create, database, server, until, wait, write};
use crate::support::{connect, failure, value};

const ROLES: &str = "
    CREATE SCHEMA app;
    ALTER TABLE seen SET SCHEMA app;
    DO $$ DECLARE one text; BEGIN
        FOREACH one IN ARRAY '{owner_ann,owner_bob}'::text[] LOOP
            EXECUTE format('CREATE ROLE %I LOGIN IN ROLE eventcore_projector', one);
        END LOOP;
    END $$;
    GRANT USAGE, CREATE ON SCHEMA app TO owner_ann, owner_bob";

async fn session_as(url: &str, role: &str) -> Client {
    let client = connect(url).await;
    let become_role = format!("SET SESSION AUTHORIZATION {role}; SET search_path = app, public");
    client.batch_execute(&become_role).await.unwrap();
    client
}

/// Roles belong to the whole server, so one test covers all of it.
#[tokio::test]
async fn a_worker_runs_as_the_owner_and_no_role_touches_the_projection_of_another() {
    let (url, client) = database("projection_owners").await;
    client.batch_execute(ROLES).await.unwrap();
    let (ann, bob) = (
        session_as(&url, "owner_ann").await,
        session_as(&url, "owner_bob").await,
    );
    ann.batch_execute(
        "CREATE TABLE app.who (position bigint, session name DEFAULT session_user, role name DEFAULT current_user);
         CREATE FUNCTION app.note(e eventcore.events) RETURNS void LANGUAGE sql AS $$
             INSERT INTO app.who (position) VALUES (e.position) $$;
         CREATE FUNCTION app.escape(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
             BEGIN
                 RESET SESSION AUTHORIZATION; RESET ROLE;
                 INSERT INTO app.who (position) VALUES (-e.position);
                 ALTER ROLE owner_ann SUPERUSER;
             END $$",
    )
    .await
    .unwrap();
    create(&ann, "note", "app.note", "").await;
    create(&ann, "escape", "app.escape", ", retry_limit => 0").await;
    write(&client, "a", 1..=2).await;
    wait(&client, "note").await.unwrap();
    let who = "SELECT string_agg(DISTINCT session || ' ' || role, ',') FROM app.who";
    assert_eq!(value::<String>(&client, who).await, "owner_ann owner_ann");
    wait(&client, "escape").await.unwrap_err();
    let code = "SELECT last_sqlstate FROM eventcore.projections WHERE name = 'escape'";
    assert_eq!(value::<String>(&client, code).await, "42501");

    client
        .batch_execute(
            "INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason)
             VALUES ('note', 1, 1, 'P0001', 'parked')",
        )
        .await
        .unwrap();
    let parked = "SELECT reason FROM eventcore_projection_parked('note')";
    assert_eq!(value::<String>(&bob, parked).await, "parked");

    // Bob may have projections too, but can neither change ann's nor create one that would run as
    // her.
    for sql in [
        "SELECT eventcore_pause_projection('note')",
        "SELECT eventcore_drop_projection('note')",
        "SELECT eventcore_rebuild_projection('note')",
        "SELECT eventcore_rebuild_projection('note', shadow => true)",
        "SELECT eventcore_replay_projection_parked('note')",
        "SELECT eventcore_discard_projection_parked('note')",
        "DELETE FROM eventcore.projection_parked",
        "INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason, replay)
         VALUES ('note', 2, 1, 'P0001', 'again', true)",
        "INSERT INTO eventcore.projection_parked (projection, position, attempts, sqlstate, reason, replay)
         VALUES ('nobodys', 2, 1, 'P0001', 'again', true)",
        "UPDATE eventcore.projections SET handler = 'app.mine(eventcore.events)' WHERE name = 'note'",
        "UPDATE eventcore.projections SET owner = 'owner_bob'::regrole WHERE name = 'note'",
        "INSERT INTO eventcore.projections (name, owner, handler, mode, on_error, takes_array, checkpoint, batch_size, retry_limit)
         VALUES ('hers', 'owner_ann'::regrole, 'app.mine(eventcore.events)', 'async', 'stop', false, 0, 1, 1)",
        "SELECT eventcore_create_projection('inline', 'app.note', mode => 'inline', start_from => 'now')",
        "SELECT eventcore.lock_events()",
        "SELECT eventcore.delete_projection('note')",
        "SELECT eventcore.lock_projection('note')",
        "INSERT INTO eventcore.projections (name, rebuilds, shadow_schema, owner, handler, mode, on_error, takes_array, checkpoint, batch_size, retry_limit)
         VALUES ('note/rebuild', 'note', 'eventcore_rebuild_x', 'owner_bob'::regrole, 'app.mine(eventcore.events)', 'async', 'stop', false, 0, 1, 1)",
        "DELETE FROM eventcore.projections",
        // Every append reads it.
        "BEGIN; LOCK TABLE eventcore.projections IN ACCESS EXCLUSIVE MODE",
        "ROLLBACK; BEGIN; LOCK TABLE eventcore.projections IN SHARE MODE",
        "ROLLBACK; SELECT eventcore.lock_events()",
        "TRUNCATE eventcore.projections",
    ] {
        assert_eq!(failure(bob.batch_execute(sql).await).code, "42501", "{sql}");
    }

    // Bob cannot change or lock any of her rows.
    let changed = bob
        .execute("UPDATE eventcore.projection_parked SET replay = true", &[])
        .await;
    assert_eq!(changed.unwrap(), 0);

    // Without the right to read events, a projection gets none.
    client
        .batch_execute("REVOKE eventcore_projector FROM owner_ann; GRANT SELECT, UPDATE ON eventcore.projections TO owner_ann;
             GRANT USAGE ON SCHEMA eventcore TO owner_ann;
             GRANT EXECUTE ON FUNCTION eventcore.projection_failed(text, bigint, bigint, bigint, text, text, boolean, boolean),
                 eventcore.lock_projection(text), eventcore.projections_changed(), eventcore.retry_time(integer), eventcore.is_blameless(text),
                 eventcore.lock_projection_soon(text),
                 eventcore.check_projection_owner(text, regrole), eventcore.home_id() TO owner_ann")
        .await
        .unwrap();
    write(&client, "a", 3..=3).await;
    let failed = wait(&client, "note").await.unwrap_err();
    assert!(failed.message.contains("permission denied"), "{failed:?}");
}

#[tokio::test]
async fn a_role_that_cannot_log_in_has_no_async_projection() {
    let (_, client) = database("projection_nologin").await;
    client
        .batch_execute(
            "CREATE ROLE nologin_owner NOLOGIN IN ROLE eventcore_projector; SET ROLE nologin_owner",
        )
        .await
        .unwrap();
    let sql = "SELECT eventcore_create_projection('p', 'see')";
    let failed = failure(client.batch_execute(sql).await);
    assert_eq!(failed.assert_ours("SE003")["argument"], "mode");
}

/// Code that runs for one role must not run in a session of another role, to which it could switch
/// back.
#[tokio::test]
async fn no_handler_runs_in_the_session_of_another_role() {
    let (url, client) = database("projection_sessions").await;
    // Carol's sessions begin as dave, and what she commits would make her dave again.
    client
        .batch_execute(
            "CREATE SCHEMA app;
             CREATE ROLE owner_dave LOGIN IN ROLE eventcore_projector;
             CREATE ROLE owner_carol LOGIN IN ROLE eventcore_projector, owner_dave;
             ALTER ROLE owner_carol SET role = 'owner_dave';
             GRANT USAGE, CREATE ON SCHEMA app TO owner_carol, owner_dave;
             CREATE TABLE app.who (position bigint, session name DEFAULT session_user, role name DEFAULT current_user);
             GRANT INSERT ON app.who TO owner_carol, owner_dave;
             CREATE FUNCTION app.change_role() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM set_config('role', 'owner_dave', false); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER change_role AFTER INSERT ON app.who DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW WHEN (NEW.session = 'owner_carol') EXECUTE FUNCTION app.change_role();
             CREATE FUNCTION app.note(e eventcore.events) RETURNS void LANGUAGE sql AS $$
                 INSERT INTO app.who (position) VALUES (e.position) $$",
        )
        .await
        .unwrap();
    for role in ["carol", "dave"] {
        let session = session_as(&url, &format!("owner_{role}")).await;
        session.batch_execute("RESET ROLE").await.unwrap();
        for number in 1..=2 {
            let name = format!("{role}{number}");
            create(&session, &name, "app.note", "").await;
        }
    }
    // One event: from PostgreSQL 18 on, a trigger changes the role only once in a transaction, so that
    // each event of hers has a transaction of its own and ends a worker.
    write(&client, "a", 1..=1).await;
    for name in ["carol1", "dave1", "carol2", "dave2"] {
        wait(&client, name).await.unwrap();
    }
    let who = "SELECT string_agg(DISTINCT session || ' ' || role, ', ') FROM app.who";
    let expected = "owner_carol owner_carol, owner_dave owner_dave";
    assert_eq!(value::<String>(&client, who).await, expected);
    let count = "SELECT count(*) FROM app.who";
    assert_eq!(value::<i64>(&client, count).await, 4);
}

/// A role with single grants, which lack what a later release has added: each checkpoint is written by itself, and
/// the log says which GRANT helps.
#[tokio::test]
async fn a_role_that_may_not_write_checkpoints_together_writes_each_and_the_log_names_the_grant() {
    let (_, client) = database("owner_single_grants").await;
    let role = "
        REVOKE EXECUTE ON FUNCTION eventcore.projections_passed(text[], bigint[], bigint[]) FROM eventcore_projector;
        CREATE ROLE single_grants LOGIN IN ROLE eventcore_projector;
        SET ROLE single_grants";
    client.batch_execute(role).await.unwrap();
    for name in ["p", "q"] {
        create(&client, name, "see", ", event_types => '{Never}'").await;
    }
    client.batch_execute("RESET ROLE").await.unwrap();
    let last = write(&client, "a", 1..=3).await;
    let done = format!("SELECT min(checkpoint) = {last} FROM eventcore.projections");
    until(&client, &done).await;
    let log = server().log();
    let said: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("could not write the checkpoints of its projections together"))
        .filter(|line| line.contains("permission denied for function projections_passed"))
        .collect();
    assert!(!said.is_empty(), "{log}");
    for part in [
        "the owner of projection \"p\"",
        "GRANT EXECUTE ON FUNCTION eventcore.projections_passed(text[], bigint[], bigint[])",
    ] {
        assert!(said[0].contains(part), "{part}: {said:?}");
    }
}
