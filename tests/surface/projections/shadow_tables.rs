//! Which handlers and tables a rebuild with shadow tables accepts, and what happens to their
//! constraints, sequences and keys.

use super::{create, database, seen, server, until, wait, write};
use crate::support::{failure, major, value};

const REBUILD: &str = "SELECT eventcore_rebuild_projection('p', shadow => true)";
const OVER: &str = "SELECT NOT EXISTS (SELECT FROM eventcore.projections WHERE rebuilds = 'p')";

/// Handlers that find the real tables anyway, each in another way.
const STUBBORN: &[(&str, &str)] = &[
    ("writes", "CREATE FUNCTION h(e eventcore.events) RETURNS void LANGUAGE sql AS $$
        INSERT INTO public.seen (position, n) VALUES (e.position, 0) ON CONFLICT (position) DO UPDATE SET n = seen.n + 1000 $$"),
    ("reads", "CREATE FUNCTION h(e eventcore.events) RETURNS void LANGUAGE sql AS $$
        INSERT INTO seen (position, n) SELECT e.position, count(*) FROM public.seen
        ON CONFLICT (position) DO UPDATE SET n = 1000 $$"),
    ("view", "CREATE VIEW all_seen AS SELECT * FROM seen;
        CREATE FUNCTION h(e eventcore.events) RETURNS void LANGUAGE sql AS $$
        INSERT INTO seen (position, n) SELECT e.position, count(*) FROM all_seen
        ON CONFLICT (position) DO UPDATE SET n = 1000 $$"),
    ("calls", "CREATE FUNCTION g(p bigint) RETURNS void LANGUAGE sql SET search_path = public AS $$
        INSERT INTO seen (position, n) VALUES (p, 0) ON CONFLICT (position) DO UPDATE SET n = seen.n + 1000 $$;
        CREATE FUNCTION h(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT g(e.position)'"),
    ("truncates", "CREATE FUNCTION h(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN TRUNCATE public.seen; END $$"),
    ("deferred", "CREATE TABLE notes (position bigint);
        CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
        BEGIN UPDATE seen SET n = n + 1000; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION late();
        CREATE FUNCTION h(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO notes VALUES (e.position)'"),
];

#[tokio::test]
async fn a_handler_that_finds_the_real_tables_fails_the_rebuild_and_writes_nothing() {
    for (name, handler) in STUBBORN {
        let (_, client) = database(&format!("shadow_stubborn_{name}")).await;
        write(&client, "a", 1..=3).await;
        create(
            &client,
            "p",
            "see",
            ", tables => '{seen}', on_error => 'skip'",
        )
        .await;
        wait(&client, "p").await.unwrap();
        client.batch_execute(handler).await.unwrap();
        client
            .batch_execute("CREATE OR REPLACE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
                BEGIN
                    IF current_schema() LIKE 'eventcore%' THEN
                        PERFORM h(e);
                    ELSE
                        INSERT INTO seen (position, n) VALUES (e.position, (e.payload->>'n')::int);
                    END IF;
                END $$")
            .await
            .unwrap();
        client.batch_execute(REBUILD).await.unwrap();
        until(
            &client,
            "SELECT status = 'failed' FROM eventcore.projections WHERE rebuilds = 'p'",
        )
        .await;
        let row = client
            .query_one("SELECT last_sqlstate, last_error, checkpoint, skipped FROM eventcore.projections WHERE rebuilds = 'p'", &[])
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), "SE009", "{name}");
        let error: &str = row.get(1);
        assert!(
            error.contains("public.seen") && error.contains("without their schema"),
            "{error}"
        );
        assert_eq!((row.get::<_, i64>(2), row.get::<_, i64>(3)), (0, 0));
        write(&client, "a", 4..=4).await;
        wait(&client, "p").await.unwrap();
        assert_eq!(seen(&client).await, [1, 2, 3, 4], "{name}");
    }
}

/// What the call of the rebuild already detects, and a part of the error.
const REFUSED: &[(&str, &str)] = &[
    ("ALTER FUNCTION see SET search_path = public", "search_path"),
    (
        "CREATE OR REPLACE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql
        BEGIN ATOMIC INSERT INTO seen (position) VALUES (e.position); END",
        "parsed",
    ),
    ("ALTER FUNCTION see RENAME TO saw", "missing"),
    (
        "UPDATE eventcore.projections SET tables = NULL",
        "without tables",
    ),
    (
        "UPDATE eventcore.projections SET tables = '{public.seen,public.gone}'",
        "public.gone",
    ),
    (
        "CREATE SCHEMA app; CREATE TABLE app.seen (n int); UPDATE eventcore.projections SET tables = '{public.seen,app.seen}'",
        "seen",
    ),
    ("CREATE TABLE more () INHERITS (seen)", "inherit"),
    (
        "CREATE TABLE points_there (position bigint REFERENCES seen)",
        "points_there",
    ),
];

#[tokio::test]
async fn what_cannot_be_rebuilt_so_is_refused_at_once() {
    let (_, client) = database("shadow_refused").await;
    create(&client, "p", "see", ", tables => '{seen}'").await;
    for (preparation, said) in REFUSED {
        client.batch_execute("BEGIN").await.unwrap();
        client.batch_execute(preparation).await.unwrap();
        let failed = failure(client.batch_execute(REBUILD).await);
        assert_eq!(
            failed.assert_ours("SE003")["argument"],
            "shadow",
            "{preparation}"
        );
        assert!(failed.message.contains(said), "{failed:?}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    create(&client, &"l".repeat(248), "see", ", tables => '{seen}'").await;
    create(
        &client,
        "i",
        "see",
        ", mode => 'inline', start_from => 'now'",
    )
    .await;
    for name in [&"l".repeat(248), "i"] {
        let sql = format!("SELECT eventcore_rebuild_projection('{name}', shadow => true)");
        let failed = failure(client.batch_execute(&sql).await);
        assert_eq!(failed.assert_ours("SE003")["argument"], "name");
    }
    let count = "SELECT count(*) FROM eventcore.projections";
    assert_eq!(value::<i64>(&client, count).await, 3);
}

/// Foreign keys between the tables, a key to a table of the application, names of constraints that
/// clash with the names that copies get, identity, serial, generated and dropped columns, a
/// trigger, a partitioned table.
const TABLES: &str = r#"
    CREATE TABLE kinds (kind text PRIMARY KEY);
    INSERT INTO kinds VALUES ('Even'), ('Odd');
    CREATE TABLE streams (id bigint GENERATED ALWAYS AS IDENTITY, "Stream" text,
                          CONSTRAINT streams_id_key UNIQUE ("Stream"), CONSTRAINT "streams_Stream_key" PRIMARY KEY (id));
    CREATE TABLE "Numbers" (serial bigserial, gone int, n int, twice int GENERATED ALWAYS AS (n * 2) STORED,
                            kind text REFERENCES kinds, stream bigint NOT NULL REFERENCES streams ON DELETE CASCADE,
                            previous int REFERENCES "Numbers" (n), CONSTRAINT once UNIQUE (n), CHECK (n > 0));
    ALTER TABLE "Numbers" DROP COLUMN gone;
    CREATE TABLE audit (n int);
    CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit VALUES (NEW.n); RETURN NULL; END $$;
    CREATE TRIGGER audit AFTER INSERT ON "Numbers" FOR EACH ROW EXECUTE FUNCTION audit();
    CREATE TABLE parts (n int) PARTITION BY RANGE (n);
    CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (5);
    CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (5) TO (100);
    CREATE FUNCTION note(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
        DECLARE
            number streams.id%TYPE;
            row_of "Numbers"%ROWTYPE;
        BEGIN
            INSERT INTO streams ("Stream") VALUES (e.stream_id)
                ON CONFLICT ON CONSTRAINT streams_id_key DO UPDATE SET "Stream" = excluded."Stream" RETURNING id INTO number;
            INSERT INTO "Numbers" (n, kind, stream, previous)
                VALUES ((e.payload->>'n')::int, e.event_type, number, (SELECT max(n) FROM "Numbers"))
                ON CONFLICT ON CONSTRAINT once DO NOTHING;
            SELECT * INTO row_of FROM "Numbers" WHERE n = (e.payload->>'n')::int;
            INSERT INTO parts VALUES (row_of.n);
        END $$"#;

/// From PostgreSQL 18 on: a virtual column, and a named constraint that a column is not NULL.
const TABLES_OF_18: &str = r#"
    ALTER TABLE "Numbers" ADD thrice int GENERATED ALWAYS AS (n * 3) VIRTUAL,
                          ADD CONSTRAINT "Numbers_stream_key" NOT NULL n"#;

const STATE: &str = r#"
    SELECT string_agg(concat_ws(' ', s."Stream", m.n, m.twice, m.kind, m.previous,
                                (SELECT count(*) FROM parts p WHERE p.n = m.n)), ', ' ORDER BY m.n)
      FROM "Numbers" m JOIN streams s ON s.id = m.stream"#;

#[tokio::test]
async fn tables_with_all_that_they_can_have_are_rebuilt_and_go_on() {
    let (_, client) = database("shadow_tables").await;
    client.batch_execute(TABLES).await.unwrap();
    let has_virtual_columns = major(server()) >= 18;
    if has_virtual_columns {
        client.batch_execute(TABLES_OF_18).await.unwrap();
    }
    create(
        &client,
        "p",
        "note",
        r#", tables => ARRAY['"Numbers"', 'streams', 'parts', 'streams'], batch_size => 2"#,
    )
    .await;
    write(&client, "a", 1..=4).await;
    write(&client, "b", 5..=7).await;
    wait(&client, "p").await.unwrap();
    let before = value::<String>(&client, STATE).await;
    assert!(
        before.starts_with("a 1 2 Odd 1, a 2 4 Even 1 1, "),
        "{before}"
    );
    client
        .batch_execute(r#"UPDATE "Numbers" SET kind = NULL; DELETE FROM parts; UPDATE streams SET "Stream" = "Stream" || '!'; ALTER TABLE streams ALTER id RESTART"#)
        .await
        .unwrap();
    assert_ne!(value::<String>(&client, STATE).await, before);
    client.batch_execute(REBUILD).await.unwrap();
    until(&client, OVER).await;
    assert_eq!(value::<String>(&client, STATE).await, before);
    // Triggers have fired for the inserted rows, and fire as usual afterwards.
    let audited = "SELECT count(*) FROM audit";
    assert_eq!(value::<i64>(&client, audited).await, 14);
    // Identity and serial continue, and the constraints hold.
    write(&client, "c", 8..=9).await;
    wait(&client, "p").await.unwrap();
    let after = value::<String>(&client, STATE).await;
    assert!(
        after.ends_with("c 8 16 Even 7 1, c 9 18 Odd 8 1"),
        "{after}"
    );
    let error = "SELECT count(*) FROM eventcore.projections WHERE last_error IS NOT NULL";
    assert_eq!(value::<i64>(&client, error).await, 0);
    if has_virtual_columns {
        let thrice = r#"SELECT count(*) FROM "Numbers" WHERE thrice = 3 * n"#;
        assert_eq!(value::<i64>(&client, thrice).await, 9);
    }
    let parts = "SELECT count(*) FROM parts_low";
    assert_eq!(value::<i64>(&client, parts).await, 4);
}

/// An error of the swap is a failure of the rebuild, and the projection continues.
#[tokio::test]
async fn rows_that_the_real_table_does_not_take_fail_the_rebuild() {
    let (_, client) = database("shadow_does_not_fit").await;
    create(
        &client,
        "p",
        "see",
        ", tables => '{seen}', retry_limit => 1",
    )
    .await;
    client
        .batch_execute(
            "CREATE TABLE known (stream_id text PRIMARY KEY);
             INSERT INTO known VALUES ('a');
             ALTER TABLE seen ADD FOREIGN KEY (stream_id) REFERENCES known",
        )
        .await
        .unwrap();
    write(&client, "a", 1..=3).await;
    wait(&client, "p").await.unwrap();
    client
        .batch_execute(
            "CREATE OR REPLACE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS $$
                 INSERT INTO seen (position, stream_id, n)
                 VALUES (e.position, CASE WHEN current_schema() LIKE 'eventcore%' THEN 'x' ELSE 'a' END, (e.payload->>'n')::int) $$",
        )
        .await
        .unwrap();
    client.batch_execute(REBUILD).await.unwrap();
    until(
        &client,
        "SELECT status = 'failed' FROM eventcore.projections WHERE rebuilds = 'p'",
    )
    .await;
    let error =
        "SELECT last_sqlstate || ' ' || attempts FROM eventcore.projections WHERE rebuilds = 'p'";
    assert_eq!(value::<String>(&client, error).await, "23503 2");
    write(&client, "a", 4..=4).await;
    wait(&client, "p").await.unwrap();
    assert_eq!(seen(&client).await, [1, 2, 3, 4]);
}

/// Otherwise every event would be skipped, and an empty table would replace a full one.
#[tokio::test]
async fn what_the_handler_does_not_find_in_the_shadow_fails_the_rebuild_and_skips_no_event() {
    let (_, client) = database("shadow_not_found").await;
    client
        .batch_execute(
            "CREATE FUNCTION takes(row_of seen) RETURNS int LANGUAGE sql AS 'SELECT row_of.n';
             CREATE FUNCTION see_row(e eventcore.events) RETURNS void LANGUAGE plpgsql AS $$
                 BEGIN
                     PERFORM see(e);
                     PERFORM takes(s) FROM seen s;
                 END $$",
        )
        .await
        .unwrap();
    let more = ", tables => '{seen}', on_error => 'skip', retry_limit => 0";
    create(&client, "p", "see_row", more).await;
    write(&client, "a", 1..=3).await;
    wait(&client, "p").await.unwrap();
    client.batch_execute(REBUILD).await.unwrap();
    let failed = "SELECT status = 'failed' AND skipped = 0 AND last_sqlstate = '42883'
                    FROM eventcore.projections WHERE rebuilds = 'p'";
    until(&client, failed).await;
    assert_eq!(seen(&client).await, [1, 2, 3]);
}

/// A trigger of the table fills a column that must not be NULL, and the shadow has no triggers.
/// Skipping would leave nothing.
#[tokio::test]
async fn a_rebuild_whose_events_all_fail_replaces_nothing() {
    let (_, client) = database("shadow_skips").await;
    client
        .batch_execute(
            "ALTER TABLE seen ADD tenant text NOT NULL;
             CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN NEW.tenant := 'one'; RETURN NEW; END $$;
             CREATE TRIGGER fill BEFORE INSERT ON seen FOR EACH ROW EXECUTE FUNCTION fill()",
        )
        .await
        .unwrap();
    write(&client, "a", 1..=3).await;
    let more = ", tables => '{seen}', on_error => 'skip', retry_limit => 0";
    create(&client, "p", "see", more).await;
    wait(&client, "p").await.unwrap();
    let rebuild = "SELECT eventcore_rebuild_projection('p', shadow => true)";
    client.batch_execute(rebuild).await.unwrap();
    let failed = "SELECT last_sqlstate = '23502' FROM eventcore.projections WHERE rebuilds = 'p' AND status = 'failed'
                  UNION ALL SELECT false LIMIT 1";
    until(&client, failed).await;
    assert_eq!(seen(&client).await, [1, 2, 3]);
}

/// A condition that makes a rebuild impossible may arise while it runs: rows of other tables must
/// not be lost.
#[tokio::test]
async fn what_was_checked_at_the_call_is_checked_when_it_takes_the_place() {
    for (name, change, others) in [
        (
            "referenced",
            "CREATE TABLE other (position bigint REFERENCES seen (position) ON DELETE CASCADE);
             INSERT INTO other SELECT position FROM seen",
            "other",
        ),
        (
            "inherited",
            "CREATE TABLE other () INHERITS (seen);
             INSERT INTO other (position, n) VALUES (-1, 100)",
            "ONLY other",
        ),
    ] {
        let (_, client) = database(&format!("shadow_{name}")).await;
        write(&client, "a", 1..=3).await;
        create(&client, "p", "see", ", tables => '{seen}'").await;
        wait(&client, "p").await.unwrap();
        client
            .batch_execute(
                "SELECT eventcore_rebuild_projection('p', shadow => true);
                 SELECT eventcore_pause_projection('p/rebuild')",
            )
            .await
            .unwrap();
        client.batch_execute(change).await.unwrap();
        let count = format!("SELECT count(*) FROM {others}");
        let before: i64 = value(&client, &count).await;
        assert!(before > 0);
        let gone = "SELECT count(*) = 0 FROM eventcore.projections WHERE rebuilds = 'p'";
        if value::<bool>(&client, gone).await {
            // The rebuild was faster than the pause.
            continue;
        }
        let resume = "SELECT eventcore_resume_projection('p/rebuild')";
        client.batch_execute(resume).await.unwrap();
        let failed = "SELECT count(*) = 1 FROM eventcore.projections WHERE rebuilds = 'p' AND status = 'failed' AND last_sqlstate = 'SE003'";
        until(&client, failed).await;
        assert_eq!(value::<i64>(&client, &count).await, before, "{name}");
    }
}
