//! Copies and updates: a dump of the version before restored into a server with the new one, and a
//! standby that replays the update.

use std::process::Stdio;

use super::made_up::{OLD, PRESENT, SERVED};
use super::served::{assert_goes_on, fill};
use super::*;

#[test]
fn a_dump_of_the_version_before_is_restored_into_the_new_one() {
    let server = versions();
    create(server, "dumped", SERVED);
    fill(server, "dumped");
    let dump = server
        .command("pg_dump")
        .args(["-d", "dumped"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(dump.status.success());
    server.create_empty_database("restored").unwrap();
    let script = String::from_utf8(dump.stdout).unwrap();
    server.psql("restored", &script).unwrap();
    assert_eq!(version(server, "restored"), PRESENT);
    let check = "SELECT * FROM eventcore_check(thorough => true)";
    assert_eq!(server.psql("restored", check).unwrap(), "");
    assert_goes_on(server, "restored");
}

#[tokio::test]
async fn a_standby_serves_both_versions_and_replays_the_update() {
    let primary = start(options());
    create(&primary, "replayed", SERVED);
    create(&primary, "replayed_old", OLD);
    fill(&primary, "replayed");
    let standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    // Sessions that know the objects of before.
    let session = connect(&standby.url("replayed")).await;
    let old = connect(&standby.url("replayed_old")).await;
    let seen = read_all(&*session, 0, 1000).await.unwrap();
    assert!(seen.len() > 100);
    let error = read_all(&*old, 0, 1).await.unwrap_err();
    assert_eq!(refusal(&error).1, "update_needed");

    update(&primary, "replayed");
    update(&primary, "replayed_old");
    let writer = connect(&primary.url("replayed_old")).await;
    append_one(&*writer, "s").await;
    standby.catch_up_with(&primary).unwrap();
    assert_eq!(read_all(&*session, 0, 1000).await.unwrap(), seen);
    let row = session
        .query_one("SELECT extension FROM eventcore_version()", &[])
        .await
        .unwrap();
    assert_eq!(row.get::<_, &str>(0), PRESENT);
    eventually(
        "the standby reads what was appended after the update",
        async || read_all(&*old, 0, 10).await.unwrap().len() == 1,
    )
    .await;
}
