//! Copies of the files: a template, a promoted standby, pg_upgrade.

use eventcore_harness::Server;

use super::{Original, options, server};

#[test]
fn a_database_made_from_a_template() {
    let original = Original::fill(server(), "template");
    let copy = "CREATE DATABASE template_copy TEMPLATE template";
    server().psql("postgres", copy).unwrap();
    original.assert_copied(server(), "template_copy");
}

#[test]
fn a_standby_that_is_promoted() {
    let mut primary = Server::start(options()).unwrap();
    let original = Original::fill(&primary, "shop");
    let standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    primary.crash().unwrap();
    standby.promote().unwrap();
    original.assert_copied(&standby, "shop");
}

#[test]
fn an_upgraded_server() {
    let mut old = Server::start(options()).unwrap();
    // Not through a template: pg_upgrade wants to connect to every database.
    old.create_empty_database("shop").unwrap();
    old.psql("shop", "CREATE EXTENSION eventcore").unwrap();
    old.psql("shop", include_str!("fill.sql")).unwrap();
    let original = Original::of(&old, "shop");
    old.stop().unwrap();
    let new = old.upgrade(options(), &[]).unwrap();
    original.assert_copied(&new, "shop");
}
