//! Projections: one that failed, with its event; one that is being rebuilt; parked events; what is
//! done to them.

use crate::support::{Database, Running, until};

/// A projection whose handler fails on the payload 2.
fn with_projection(name: &str, on_error: &str) -> Database {
    let database = Database::with_workers(name);
    database.sql(&format!(
        "CREATE TABLE totals (n bigint);
         CREATE FUNCTION add_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
         BEGIN
            PERFORM pg_advisory_xact_lock_shared(42);
            IF event.payload->'n' = '2' THEN RAISE EXCEPTION 'two is <too> much'; END IF;
            INSERT INTO totals VALUES ((event.payload->'n')::bigint);
         END $$;
         SELECT eventcore_create_projection('totals', 'add_up', on_error => '{on_error}', retry_limit => 0, tables => ARRAY['totals']);
         SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], (SELECT jsonb_agg(
            jsonb_build_object('stream', 'a', 'type', 'Counted', 'payload', jsonb_build_object('n', n))) FROM generate_series(1, 3) n))"
    ));
    database
}

fn status(database: &Database) -> String {
    let sql = "SELECT status || ' ' || parked || ' ' || lag_events FROM eventcore.stat_projections WHERE name = 'totals'";
    database.sql(sql).trim().to_owned()
}

const MENDED: &str =
    "CREATE OR REPLACE FUNCTION add_up(event eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(42);
        INSERT INTO totals VALUES ((event.payload->'n')::bigint);
    END $$";

async fn with_actions(database: &Database) -> Running {
    Running::start(&database.url, |options| options.allow_actions(true)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_projection_shows_its_error_and_the_event_and_is_tried_again() {
    let database = with_projection("console_failed", "stop");
    until("the failure", || status(&database) == "failed 0 2").await;
    let console = with_actions(&database).await;
    let browser = console.browser();
    let list = browser.page("/projections").await;
    assert!(
        list.contains(">failed<") && list.contains("href=\"/projections/totals\""),
        "{list}"
    );
    let page = browser.page("/projections/totals").await;
    for shown in [
        "It stands still",
        "two is &lt;too&gt; much",
        "<code><bdi>P0001</bdi></code>",
        "href=\"/events/2\"",
        "href=\"/streams/a\"",
        "Counted",
        "Try again",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    database.sql(MENDED);
    browser
        .act("/projections/totals", "/projections/totals/resume", &[])
        .await;
    until("the second try", || status(&database) == "running 0 0").await;
    let next = browser
        .act("/projections/totals", "/projections/totals/pause", &[])
        .await;
    assert!(next.contains("is paused"), "{next}");
    assert_eq!(status(&database), "paused 0 0");
    let confirm = "/projections/totals/confirm?do=drop";
    let next = browser.act(confirm, "/projections/totals/drop", &[]).await;
    assert!(next.contains("is dropped"), "{next}");
    assert_eq!(browser.get("/projections/totals").await.status(), 404);
    assert_eq!(database.sql("SELECT sum(n) FROM totals").trim(), "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_under_way_is_shown_and_ends() {
    let database = with_projection("console_rebuild", "skip");
    until("the projection", || status(&database) == "running 0 0").await;
    database.sql(MENDED);
    let console = with_actions(&database).await;
    let browser = console.browser();
    // The handler waits for this lock.
    let held = database.session().await;
    held.batch_execute("SELECT pg_advisory_lock(42)")
        .await
        .unwrap();

    let confirm = "/projections/totals/confirm?do=rebuild-shadow";
    assert!(
        browser
            .page(confirm)
            .await
            .contains("while the projection continues")
    );
    let next = browser
        .act(confirm, "/projections/totals/rebuild-shadow", &[])
        .await;
    for shown in [
        "is being rebuilt with a shadow",
        "Rebuild with a shadow</h2>",
        "href=\"/projections/totals%2Frebuild\"",
        "<progress max=\"3\" value=\"0\"",
        "Time to catch up",
    ] {
        assert!(next.contains(shown), "{shown}: {next}");
    }
    assert!(!next.contains("confirm?do=rebuild"), "{next}");
    let rebuild = browser.page("/projections/totals%2Frebuild").await;
    assert!(
        rebuild.contains("A rebuild of") && rebuild.contains("eventcore_rebuild_"),
        "{rebuild}"
    );
    assert_eq!(database.sql("SELECT sum(n) FROM totals").trim(), "4");

    drop(held);
    until("the rebuild", || {
        database.sql("SELECT sum(n) FROM totals").trim() == "6"
            && database
                .sql("SELECT count(*) FROM eventcore.projections")
                .trim()
                == "1"
    })
    .await;
    let confirm = "/projections/totals/confirm?do=rebuild";
    assert!(browser.page(confirm).await.contains("empties its tables"));
    browser
        .act(confirm, "/projections/totals/rebuild", &[])
        .await;
    until("the second rebuild", || {
        status(&database) == "running 0 0"
            && database.sql("SELECT sum(n) FROM totals").trim() == "6"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parked_events_of_a_projection_are_replayed_by_choice() {
    let database = with_projection("console_projection_parked", "park");
    until("the projection", || status(&database) == "running 1 0").await;
    let console = with_actions(&database).await;
    let browser = console.browser();
    let page = browser.page("/projections/totals/parked").await;
    for shown in [
        "two is &lt;too&gt; much",
        "P0001",
        "href=\"/events/2\"",
        "Replay all 1 on this page",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    database.sql(MENDED);
    let confirm = "/projections/totals/parked/confirm?do=replay&position=2";
    assert!(
        browser
            .page(confirm)
            .await
            .contains("Replay 1 parked event of")
    );
    browser
        .act(
            confirm,
            "/projections/totals/parked/replay",
            &[("position", "2")],
        )
        .await;
    until("the replay", || {
        status(&database) == "running 0 0"
            && database.sql("SELECT sum(n) FROM totals").trim() == "6"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_of_another_role_is_not_changed() {
    let database = with_projection("console_foreign", "park");
    database.sql("CREATE ROLE console_projector LOGIN IN ROLE eventcore_projector");
    let url = database.url.replacen("postgres@", "console_projector@", 1);
    let console = Running::start(&url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    let csrf = browser.csrf("/projections/totals").await;
    for rest in ["pause", "resume", "rebuild", "rebuild-shadow", "drop"] {
        let path = format!("/projections/totals/{rest}");
        let refused = browser.post(&path, &[("csrf", &csrf)]).await;
        assert_eq!(refused.status(), 403, "{path}");
        let page = refused.text().await.unwrap();
        assert!(page.contains("42501"), "{path}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_of_clients_are_shown_with_their_lag() {
    let database = Database::new("console_checkpoints");
    database.sql(
        "SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1},
            {\"stream\":\"a\",\"type\":\"T\",\"payload\":2}]');
         SELECT eventcore_advance_checkpoint('reports <daily>', 0, 1)",
    );
    let console = database.console().await;
    let page = console.page("/checkpoints").await;
    assert!(
        page.contains("reports &lt;daily&gt;") && page.contains("href=\"/events/1\""),
        "{page}"
    );
}
