//! What a role with few rights can see, and how the program says what it may not.

use crate::support::{Database, Ran, program};

fn as_role(database: &Database, role: &str, arguments: &[&str]) -> Ran {
    let mut command = program();
    command
        .args(["--url", &database.url_of(role)])
        .args(arguments);
    Ran::of(command.output().unwrap())
}

fn shop(name: &str, roles: &str) -> Database {
    let database = Database::new(name);
    database.sql(&format!(
        "CREATE ROLE {name} LOGIN; {roles};
         SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}}]',
            '11111111-1111-1111-1111-111111111111');
         SELECT eventcore_create_subscription('mails')"
    ));
    database
}

#[test]
fn a_reader_sees_everything_that_only_reads() {
    let database = shop("cli_reader", "GRANT eventcore_reader TO cli_reader");
    for arguments in [
        &["streams"][..],
        &["streams", "--contains", "a"],
        &["stream", "show", "a"],
        &["stream", "events", "a"],
        &["event", "1"],
        &["tail"],
        &["tail", "--since", "1h"],
        &["trace", "11111111-1111-1111-1111-111111111111"],
        &["trace", "--event", "1"],
        &["search", "--where", "/x"],
        &["subscriptions"],
        &["subscriptions", "show", "mails"],
        &["projections"],
        &["inflight"],
        &["stats"],
        &["commands"],
    ] {
        as_role(&database, "cli_reader", arguments).ok();
    }
    let shown = as_role(&database, "cli_reader", &["subscriptions", "show", "mails"]).ok();
    assert!(shown.contains("not permitted to see them"), "{shown}");
}

#[test]
fn what_a_role_may_not_do_is_told_with_its_code() {
    let database = shop("cli_denied", "GRANT eventcore_reader TO cli_denied");
    for arguments in [
        &["append", "a", "T"][..],
        &["close", "a", "--reason", "no", "--yes"],
        &["subscriptions", "pause", "mails"],
        &["subscriptions", "drop", "mails", "--yes"],
        &["parked", "mails"],
        &["checkpoints"],
        &["execute", "none"],
    ] {
        let ran = as_role(
            &database,
            "cli_denied",
            &[arguments, &["-o", "json"]].concat(),
        );
        assert_eq!(ran.code, 7, "{arguments:?}: {ran:?}");
        assert_eq!(ran.error()["sqlstate"], "42501");
    }
}

#[test]
fn a_role_without_any_right_is_told_so() {
    let database = shop("cli_nobody", "SELECT 1");
    for arguments in [&["streams"][..], &["tail"], &["stats"], &["subscriptions"]] {
        let ran = as_role(&database, "cli_nobody", arguments);
        assert_eq!(ran.code, 7, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains("permission denied"), "{ran:?}");
    }
}
