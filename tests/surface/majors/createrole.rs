//! From PostgreSQL 16 on, a role with CREATEROLE grants only what it has with ADMIN OPTION, and has itself
//! no more of the roles that it creates than `createrole_self_grant` says.

use serde_json::json;

use super::is_at_least;
use crate::support::{append, database, event, failure, session_as};

#[tokio::test]
async fn a_role_with_createrole_hands_out_our_roles_only_if_an_administrator_lets_it() {
    if !is_at_least(16) {
        return;
    }
    let (_, admin) = database("majors_createrole").await;
    let create = "CREATE ROLE majors_manager LOGIN CREATEROLE";
    admin.batch_execute(create).await.unwrap();
    let manager = session_as("majors_createrole", "majors_manager").await;
    let create = "CREATE ROLE majors_app LOGIN";
    manager.batch_execute(create).await.unwrap();
    let grant = "GRANT eventcore_writer TO majors_app";
    assert_eq!(failure(manager.batch_execute(grant).await).code, "42501");

    let let_it =
        "GRANT eventcore_writer TO majors_manager WITH ADMIN TRUE, INHERIT FALSE, SET FALSE";
    admin.batch_execute(let_it).await.unwrap();
    manager.batch_execute(grant).await.unwrap();
    let app = session_as("majors_createrole", "majors_app").await;
    append(&app, &[("a", Some(0))], json!([event("a", 1)]))
        .await
        .unwrap();
    // To hand a role out is not to have it.
    let own = append(&manager, &[("a", Some(1))], json!([event("a", 2)])).await;
    assert_eq!(own.unwrap_err().code, "42501");
}

#[tokio::test]
async fn who_creates_an_owner_changes_its_projections_only_if_it_may_become_that_owner() {
    if !is_at_least(16) {
        return;
    }
    let (_, admin) = database("majors_self_grant").await;
    admin
        .batch_execute(
            "CREATE ROLE majors_creator LOGIN CREATEROLE;
             GRANT eventcore_projector TO majors_creator WITH ADMIN TRUE;
             CREATE FUNCTION see(e eventcore.events) RETURNS void LANGUAGE sql AS 'SELECT'",
        )
        .await
        .unwrap();
    let creator = session_as("majors_self_grant", "majors_creator").await;
    for (name, self_grant, may) in [
        ("majors_stranger", "", false),
        ("majors_heir", "inherit", false),
        ("majors_double", "set, inherit", true),
    ] {
        let create = format!(
            "SET createrole_self_grant = '{self_grant}';
             CREATE ROLE {name} LOGIN; GRANT eventcore_projector TO {name}"
        );
        creator.batch_execute(&create).await.unwrap();
        let owner = session_as("majors_self_grant", name).await;
        let create = format!("SELECT eventcore_create_projection('{name}', 'see')");
        owner.batch_execute(&create).await.unwrap();
        let pause = format!("SELECT eventcore_pause_projection('{name}')");
        let paused = creator.batch_execute(&pause).await;
        if may {
            paused.unwrap();
        } else {
            assert_eq!(failure(paused).code, "42501", "{name}");
        }
    }
}
