//! Actions: not there unless they are allowed, never without the form of a page, and in the log.

use std::time::Duration;

use eventcore_console::routes;
use reqwest::Method;

use crate::support::{Database, Running, until};

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
    browser.csrf("/subscriptions").await;
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

const CREATE: &str = "SELECT eventcore_create_subscription('mails')";

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_in_the_log_before_it_begins_and_ends_although_the_browser_has_left() {
    let database = Database::new("console_log");
    database.sql(CREATE);
    let console = Running::start(&database.url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    let csrf = browser.csrf("/subscriptions/mails").await;
    let holder = database.session().await;
    let hold = "BEGIN; SELECT FROM eventcore.subscriptions FOR UPDATE";
    holder.batch_execute(hold).await.unwrap();

    let request = browser
        .request(Method::POST, "/subscriptions/mails/pause")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("csrf={csrf}"));
    let sent = tokio::spawn(request.send());
    until("the action", || {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        database.sql(waits) == "1"
    })
    .await;
    let log = console.log();
    assert!(
        log.len() == 1
            && log[0].starts_with("action 1 by 127.0.0.1:")
            && log[0].ends_with("/subscriptions/mails/pause begins"),
        "{log:?}"
    );
    // The browser leaves.
    sent.abort();
    assert!(sent.await.unwrap_err().is_cancelled());
    tokio::time::sleep(Duration::from_millis(100)).await;
    holder.batch_execute("ROLLBACK").await.unwrap();
    until("the end of the action", || console.log().len() > 1).await;
    let log = console.log();
    assert!(
        log[1].ends_with("/subscriptions/mails/pause done: subscription \"mails\" is paused"),
        "{log:?}"
    );
    let paused = database.sql("SELECT paused FROM eventcore.subscriptions");
    assert_eq!(paused, "t");
    // What was done is told when the browser comes back.
    let page = browser.page("/subscriptions").await;
    assert!(page.contains("is paused"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_not_told_to_a_script_that_loads_a_part_again() {
    let database = Database::new("console_told");
    database.sql(CREATE);
    let console = Running::start(&database.url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    let csrf = browser.csrf("/subscriptions/mails").await;
    browser
        .post("/subscriptions/mails/pause", &[("csrf", &csrf)])
        .await;
    let part = browser
        .request(Method::GET, "/subscriptions/mails")
        .header("eventcore-part", "subscription");
    let part = browser.send(part).await.text().await.unwrap();
    assert!(!part.contains("is paused"), "{part}");
    let page = browser.page("/subscriptions/mails").await;
    assert!(page.contains("is paused"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_a_session_with_its_first_form() {
    let database = Database::new("console_lazy");
    let console = Running::start(&database.url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    for path in ["/", "/streams", "/metrics", "/healthz", "/no-such-page"] {
        let response = browser.get(path).await;
        assert!(!response.headers().contains_key("set-cookie"), "{path}");
    }
    let response = browser.get("/subscriptions").await;
    assert!(response.headers().contains_key("set-cookie"));
    let response = browser.get("/subscriptions").await;
    assert!(!response.headers().contains_key("set-cookie"));
}
