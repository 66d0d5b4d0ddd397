//! PostgreSQL 18 reads by one of several methods, two of them asynchronous.

use eventcore_harness::{Server, ServerOptions, shared};

use super::is_at_least;
use crate::copies::Original;

#[test]
fn everything_works_with_each_method_of_reading() {
    if !is_at_least(18) {
        return;
    }
    let methods = "SELECT unnest(enumvals) FROM pg_settings WHERE name = 'io_method'";
    let methods = shared().psql("postgres", methods).unwrap();
    assert!(methods.lines().count() >= 2, "{methods}");
    for method in methods.lines() {
        let options = ServerOptions::new().without_fsync();
        let mut server = match Server::start(options.set("io_method", method)) {
            Ok(server) => server,
            // A kernel, or what isolates containers, may refuse it.
            Err(error) if error.to_string().contains("could not setup io_uring queue") => continue,
            Err(error) => panic!("{method}: {error}"),
        };
        let original = Original::fill(&server, "io");
        // So that everything is read from the disk again.
        server.restart().unwrap();
        assert_eq!(server.psql("io", "SHOW io_method").unwrap(), method);
        original.assert_copied(&server, "io");
        let check = "SELECT * FROM eventcore_check(thorough => true)";
        assert_eq!(server.psql("io", check).unwrap(), "", "{method}");
    }
}
