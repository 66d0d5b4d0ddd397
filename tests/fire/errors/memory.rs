//! A process of the server gets no more memory, at each place where a large append asks for some.

use std::fs;
use std::process::Command;

use eventcore_harness::Account;

use super::*;

const APPEND: &str = "SELECT eventcore_append('{s}', '{NULL}', array_fill('s'::text, '{200000}'),
    array_fill('T'::text, '{200000}'), array_fill('1'::jsonb, '{200000}'), NULL, NULL)";

const MEGABYTE: u64 = 1 << 20;

#[tokio::test]
async fn a_process_without_memory_ends_the_statement_and_nothing_else() {
    let server = own_server(options());
    let url = server.create_database("memory").unwrap();
    let (mut refused, mut extra) = (0, 4);
    loop {
        let session = connect(&url).await;
        if !limit(&session, extra * MEGABYTE) {
            println!("this needs Linux, and prlimit");
            return;
        }
        let done = outcome(&session, APPEND).await;
        assert_alive(&server, &format!("with {extra} MB"));
        match done {
            Ok(()) => break,
            Err(code) => assert_eq!(code, "53200", "with {extra} MB"),
        }
        assert_eq!(outcome(&session, "SELECT 1").await, Ok(()));
        refused += 1;
        extra += 4;
        assert!(extra < 1_000, "it never has enough");
    }
    assert!(refused > 3, "{refused}");
    println!("{refused} appends got no memory; one had enough with {extra} MB");
}

/// Lets the process of a session have so many bytes more than it has; `false` where that is not known here.
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
