//! The recipes for an import and for a freeze work exactly as their pages show them.

use eventcore_harness::{Server, ServerOptions};
use std::time::{Duration, Instant};

use crate::support::{server_with_workers, value};

const PAGE: &str = concat!(
    include_str!("../../docs/guides/import.md"),
    "\n",
    include_str!("../../docs/operations/freeze.md")
);

/// The SQL of a section, without the indentation of a list.
fn blocks(heading: &str) -> Vec<String> {
    let (_, after) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = after.split("\n## ").next().unwrap();
    let blocks = section.split("```sql\n").skip(1);
    blocks
        .map(|rest| {
            let block = rest.split_once("```").unwrap().0;
            let lines: Vec<_> = block.lines().map(str::trim_end).collect();
            let margin = |line: &&str| line.len() - line.trim_start().len();
            let filled = lines.iter().filter(|line| !line.is_empty());
            let indented = filled.map(margin).min().unwrap_or(0);
            let lines = lines.iter().map(|line| line.get(indented..).unwrap_or(""));
            lines.collect::<Vec<_>>().join("\n")
        })
        .collect()
}

/// The contents of the other system: 1,200 events of 60 streams, mixed.
const LEGACY: &str = "
    INSERT INTO legacy_events (number, stream, type, payload, happened_at)
    SELECT n * 10, 'order-' || n * 7 % 60, 'Legacy', jsonb_build_object('n', n), '2001-02-03 04:05:06Z'::timestamptz + n * interval '1 s'
      FROM generate_series(1, 1200) n";

/// Each event has its place, id and time in the other system.
const MISPLACED: &str = "
    SELECT count(*) FROM (SELECT e.*, row_number() OVER (ORDER BY position) AS nth FROM eventcore.events e) e
      FULL JOIN (SELECT l.*, row_number() OVER (ORDER BY number) AS nth FROM legacy_events l) l USING (nth)
     WHERE (e.stream_id, e.version, e.event_type, e.payload, e.event_id) IS DISTINCT FROM
           (l.stream, l.version, l.type, l.payload, md5('legacy_events ' || l.number)::uuid)
        OR (e.metadata->>'happened_at')::timestamptz IS DISTINCT FROM l.happened_at";

#[tokio::test]
async fn an_import_as_documented_keeps_order_versions_ids_and_times_and_goes_on_where_it_was_cut_off()
 {
    let server = server_with_workers();
    let name = "recipe_import";
    let url = server.create_database(name).unwrap();
    let run = |sql: &str| server.psql(name, sql).unwrap();
    let blocks = blocks("Importing from another system");
    let [table, prepare, procedure, call, compare, subscribe] = &blocks[..] else {
        panic!("{blocks:#?}")
    };
    run(table);
    run(LEGACY);
    run(prepare);
    run(procedure);
    // The import is interrupted: an event in the middle is malformed.
    run("UPDATE legacy_events SET type = '' WHERE number = 7000");
    let error = server.psql(name, call).unwrap_err().to_string();
    assert!(error.contains("SE003"), "{error}");
    assert_eq!(run("SELECT count(*) FROM eventcore.events"), "500");
    assert!(!run(compare).is_empty());
    run("UPDATE legacy_events SET type = 'Legacy' WHERE number = 7000");
    run(call);
    assert_eq!(run(MISPLACED), "0");
    assert_eq!(run(compare), "");
    // It is unknown how far the import was.
    run("UPDATE import_progress SET up_to = 0");
    run(call);
    assert_eq!(run(MISPLACED), "0");
    // The other system has continued meanwhile.
    run(&format!("{LEGACY} WHERE n <= 100").replace("n * 10, 'order", "20000 + n, 'order"));
    run(prepare.split("CREATE TABLE").next().unwrap());
    run(call);
    assert_eq!(run(MISPLACED), "0");
    assert_eq!(run("SELECT count(*) FROM eventcore.events"), "1300");
    assert_eq!(run(compare), "");
    run(subscribe);
    run(
        "SELECT eventcore_append('{live}', '{0}', '[{\"stream\": \"live\", \"type\": \"T\", \"payload\": 1}]')",
    );
    let polled = |name: &str| {
        run(&format!(
            "SELECT count(*) FROM eventcore_poll('{name}', 'c', 10000)"
        ))
    };
    assert_eq!(
        (polled("mails"), polled("search index")),
        ("1".into(), "1301".into())
    );
    // A stream that has continued here is not mixed with it.
    run("INSERT INTO legacy_events VALUES (30000, 'live', 'Legacy', '1', now(), 1)");
    let error = server.psql(name, call).unwrap_err().to_string();
    assert!(error.contains("SE001"), "{error}");
    let client = crate::support::connect(&url).await;
    assert_eq!(
        value::<i64>(&client, "SELECT count(*) FROM eventcore.events").await,
        1301
    );
}

/// Returns when a query of the page returns this.
#[track_caller]
fn until(server: &Server, sql: &str, wanted: &str) {
    let start = Instant::now();
    loop {
        let got = server.psql("shop", sql).unwrap();
        if got == wanted {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{sql}: {got}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn a_switch_over_as_documented_loses_nothing_and_goes_on() {
    let append = "SELECT last_position FROM eventcore_append('{s}', '{NULL}', '[{\"stream\": \"s\", \"type\": \"T\", \"payload\": 1}]')";
    let mut old = Server::start(ServerOptions::new()).unwrap();
    let url = old.create_database("shop").unwrap();
    old.psql(
        "shop",
        "CREATE TABLE seen (position bigint);
         CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'INSERT INTO public.seen VALUES (e.position)';
         SELECT eventcore_create_projection('p', 'see');
         SELECT eventcore_create_subscription('s')",
    )
    .unwrap();
    old.psql("shop", append).unwrap();
    let new = old.standby().unwrap();
    let blocks = blocks("Freezing and switching over");
    let [freeze, quiet, place, arrived, look, thaw] = &blocks[..] else {
        panic!("{blocks:#?}")
    };
    // One that is in the middle of an append, and one that is idle.
    let open = crate::support::connect(&url).await;
    open.batch_execute(&format!("BEGIN; {append}"))
        .await
        .unwrap();
    let idle = crate::support::connect(&url).await;
    let ended: u32 = old
        .psql("postgres", freeze)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(ended >= 2, "{ended}");
    until(&old, quiet, "0|0|0|0");
    assert!(open.batch_execute("COMMIT").await.is_err());
    assert!(idle.batch_execute(append).await.is_err());
    let error = old.psql("shop", append).unwrap_err().to_string();
    assert!(error.contains("25006"), "{error}");
    let placed = old.psql("shop", place).unwrap();
    let (lsn, last_event) = placed.trim().split_once('|').unwrap();
    until(&new, &format!("\\set place {lsn}\n{arrived}"), "t");
    old.stop().unwrap();
    new.promote().unwrap();
    assert_eq!(new.psql("shop", look).unwrap(), last_event);
    let error = new.psql("shop", append).unwrap_err().to_string();
    assert!(error.contains("25006"), "{error}");
    new.psql("shop", thaw).unwrap();
    let last = new.psql("shop", append).unwrap();
    new.psql(
        "shop",
        "CALL eventcore_wait_for_projection('p', timeout => '20 s')",
    )
    .unwrap();
    let seen = "SELECT count(*), max(position) FROM seen";
    assert_eq!(new.psql("shop", seen).unwrap(), format!("2|{last}"));
    let polled = "SELECT count(*) FROM eventcore_poll('s', 'c')";
    assert_eq!(new.psql("shop", polled).unwrap(), "2");
    assert_eq!(
        new.psql("shop", "SELECT * FROM eventcore_check()").unwrap(),
        ""
    );
}
