//! A server process gets no more memory, at each place where a large append allocates some.

use std::fs;
use std::process::Command;

use eventcore_harness::Account;

use super::*;

const APPEND: &str = "SELECT eventcore_append('{s}', '{NULL}', array_fill('s'::text, '{200000}'),
    array_fill('T'::text, '{200000}'), array_fill('1'::jsonb, '{200000}'), NULL, NULL)";

const MEGABYTE: u64 = 1 << 20;

/// An append in its JSON form, which fails in the end because no stream has this version.
const APPEND_JSON: &str = "SELECT eventcore_append('{s}', '{999999999}', (SELECT
    jsonb_agg('{\"stream\":\"s\",\"type\":\"T\",\"payload\":1}'::jsonb) FROM generate_series(1, 100000)))";

#[tokio::test]
async fn a_process_without_memory_ends_the_statement_and_nothing_else() {
    fails_until_it_has_enough("memory", APPEND, 4, Ok(())).await;
}

#[tokio::test]
async fn an_append_of_json_without_memory_ends_the_statement_and_nothing_else() {
    fails_until_it_has_enough("memory_json", APPEND_JSON, 8, Err("SE001".to_owned())).await;
}

/// Runs the statement with a little more memory each time, until it ends as it should.
async fn fails_until_it_has_enough(
    database: &str,
    statement: &str,
    step: u64,
    end: Result<(), String>,
) {
    let server = own_server(options());
    let url = server.create_database(database).unwrap();
    let (mut refused, mut extra) = (0, step);
    loop {
        let session = connect(&url).await;
        if !limit(&session, extra * MEGABYTE) {
            println!("this needs Linux, and prlimit");
            return;
        }
        let done = outcome(&session, statement).await;
        assert_alive(&server, &format!("with {extra} MB"));
        if done == end {
            break;
        }
        assert_eq!(done, Err("53200".to_owned()), "with {extra} MB");
        assert_eq!(outcome(&session, "SELECT 1").await, Ok(()));
        refused += 1;
        extra += step;
        assert!(extra < 1_000, "it never has enough");
    }
    assert!(refused > 3, "{refused}");
    println!("{refused} appends got no memory; one had enough with {extra} MB");
}

/// Lets the process of a session allocate this many more bytes; `false` where that is not
/// supported.
fn limit(session: &Session, extra: u64) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", session.pid)).unwrap_or_default();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let Some(kilobytes) = size.and_then(|size| size.trim().split(' ').next()?.parse::<u64>().ok())
    else {
        return false;
    };
    let mut command = Command::new("prlimit");
    command.arg(format!("--pid={}", session.pid));
    command.arg(format!("--as={}", kilobytes * 1024 + extra));
    // A process may limit others of its own user.
    Account::for_servers().unwrap().apply(&mut command);
    command.status().is_ok_and(|status| status.success())
}
