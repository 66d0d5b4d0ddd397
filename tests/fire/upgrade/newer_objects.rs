//! A library that is older than the objects: new files were installed and the server was not
//! restarted, or old files were installed again.

use super::made_up::{NEXT, PRESENT, UNGUARDED};
use super::*;
use crate::errors::scenarios::{SCENARIOS, SETUP};

#[tokio::test]
async fn an_update_before_the_restart_is_refused_and_changes_nothing() {
    let server = versions();
    let url = create(server, "newer_update", PRESENT);
    let session = connect(&url).await;
    let before = catalog(server, "newer_update");
    let update = format!("ALTER EXTENSION eventcore UPDATE TO '{NEXT}'");
    let error = session.batch_execute(&update).await.unwrap_err();
    let (sqlstate, reason, hint) = refusal(&error);
    assert_eq!((&*sqlstate, &*reason), ("SE009", "restart_needed"));
    assert!(hint.contains("restart"), "{hint}");
    assert_eq!(version(server, "newer_update"), PRESENT);
    let after = catalog(server, "newer_update");
    assert!(before == after, "{}", difference(&before, &after));
    append_one(&*session, "s").await;
}

#[tokio::test]
async fn a_newer_version_is_not_installed_before_the_restart() {
    let url = versions().create_empty_database("newer_create").unwrap();
    let session = connect(&url).await;
    let create = format!("CREATE EXTENSION eventcore VERSION '{NEXT}'");
    let error = session.batch_execute(&create).await.unwrap_err();
    assert_eq!(refusal(&error).1, "restart_needed");
    session
        .batch_execute("CREATE EXTENSION eventcore")
        .await
        .unwrap();
    append_one(&*session, "s").await;
}

#[tokio::test]
async fn a_library_that_is_too_old_writes_nothing() {
    let server = versions();
    let url = create(server, "newer_objects", PRESENT);
    let session = connect(&url).await;
    session.batch_execute(SETUP).await.unwrap();
    eventually("a notifier", async || {
        !notifiers(&*session).await.is_empty()
    })
    .await;
    session
        .batch_execute(&format!(
            "ALTER EXTENSION eventcore UPDATE TO '{UNGUARDED}'"
        ))
        .await
        .unwrap();
    let contents =
        "SELECT (SELECT count(*) FROM eventcore.events), (SELECT count(*) FROM eventcore.leases),
                           (SELECT count(*) FROM eventcore.executions)";
    let before = server.psql("newer_objects", contents).unwrap();
    let mut refused = 0;
    for scenario in SCENARIOS {
        let _ = session.batch_execute(scenario.before).await;
        if let Err(error) = session.batch_execute(scenario.call).await {
            let (sqlstate, reason, hint) = refusal(&error);
            if sqlstate == "SE009" {
                assert_eq!(reason, "restart_needed", "{}: {error:?}", scenario.call);
                assert!(hint.contains("restart the server"), "{hint}");
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "only {refused} calls were refused");
    assert_eq!(server.psql("newer_objects", contents).unwrap(), before);
    let insert = "INSERT INTO eventcore.events (position, version, recorded_at, event_id, stream_id, event_type, payload)
                  VALUES (1000000, 1, now(), gen_random_uuid(), 'by SQL', 'T', '1')";
    let error = session.batch_execute(insert).await.unwrap_err();
    assert_eq!(refusal(&error).1, "restart_needed");
    let check = "SELECT finding, statement IS NULL, detail FROM eventcore_check()";
    let found = server.psql("newer_objects", check).unwrap();
    assert!(
        found.starts_with("version|t|") && found.contains("restart the server"),
        "{found}"
    );
}
