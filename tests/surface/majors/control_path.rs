//! From PostgreSQL 18 on, the control file and the scripts may lie in a folder that `extension_control_path`
//! names, as where an image is mounted.

use eventcore_harness::{Server, ServerOptions, WithScripts};

use super::is_at_least;

#[test]
fn the_extension_is_found_created_updated_and_checked_in_another_folder() {
    if !is_at_least(18) {
        return;
    }
    let postgresql = WithScripts::new().unwrap();
    let aside = postgresql.set_aside("eventcore").unwrap();
    let mut server =
        Server::start_with(postgresql.binaries(), ServerOptions::new().without_fsync()).unwrap();
    server.create_empty_database("aside").unwrap();
    let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'eventcore'";
    assert_eq!(server.psql("aside", available).unwrap(), "0");

    let path = format!(
        "ALTER SYSTEM SET extension_control_path = '$system:{}'",
        aside.display()
    );
    server.psql("aside", &path).unwrap();
    server.restart().unwrap();
    let available = "SELECT default_version FROM pg_available_extensions WHERE name = 'eventcore'";
    let present = env!("CARGO_PKG_VERSION");
    assert_eq!(server.psql("aside", available).unwrap(), present);
    server
        .psql("aside", "CREATE EXTENSION eventcore VERSION '0.1.0'")
        .unwrap();
    let update = "ALTER EXTENSION eventcore UPDATE";
    server.psql("aside", update).unwrap();
    let versions = "SELECT extension, library FROM eventcore_version()";
    assert_eq!(
        server.psql("aside", versions).unwrap(),
        format!("{present}|{present}")
    );
    let check = "SELECT * FROM eventcore_check(thorough => true)";
    assert_eq!(server.psql("aside", check).unwrap(), "");
}
