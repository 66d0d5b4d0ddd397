//! Actions: not there unless they are allowed, never without the form of a page, and in the log.

use eventcore_console::routes;

use crate::support::{Database, Running};

/// A path for a route: something for each part that varies.
fn some_path(route: &str) -> String {
    let parts = route.split('/').map(|part| match part.starts_with('{') {
        true => "1",
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_action_is_there_unless_actions_are_allowed() {
    let database = Database::new("console_read_only");
    let console = database.console().await;
    let browser = console.browser();
    for route in routes::all().filter(|route| route.is_action()) {
        let path = some_path(route.path());
        let status = browser.post(&path, &[]).await.status();
        assert!(status == 404 || status == 405, "{route:?}: {status}");
    }
    assert!(console.log().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_without_the_form_of_a_page_is_refused() {
    let database = Database::new("console_csrf");
    let console = Running::start(&database.url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    // So that it has a session.
    browser.page("/").await;
    for route in routes::all().filter(|route| route.is_action()) {
        let path = some_path(route.path());
        for token in ["", "0", &"0".repeat(64)] {
            let status = browser.post(&path, &[("csrf", token)]).await.status();
            assert_eq!(status, 403, "{route:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sessions_of_pages_cannot_write() {
    let database = Database::new("console_sessions");
    let console = Running::start(&database.url, |options| options.allow_actions(true)).await;
    console.page("/streams").await;
    let writers = database.sql(
        "SELECT count(*) FILTER (WHERE application_name = 'eventcore console') > 0 FROM pg_stat_activity
          WHERE datname = current_database()",
    );
    assert_eq!(writers.trim(), "t");
}
