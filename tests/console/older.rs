//! A database whose objects are older than the console, which are updated while it runs, or that gets
//! them while it runs.

use crate::support::{Browser, Database, eventually};

/// Pages that read what version 0.1.0 has not: columns of views, and functions.
const PAGES: [&str; 3] = ["/subscriptions", "/subscriptions/mails", "/streams"];

#[tokio::test(flavor = "multi_thread")]
async fn older_objects_are_told_with_what_helps_and_an_update_needs_no_other_console() {
    let database = Database::empty("console_older");
    database.sql(
        "CREATE EXTENSION eventcore VERSION '0.1.0';
         SELECT eventcore_create_subscription('mails')",
    );
    let console = database.console().await;
    let browser = console.browser();
    // Each session of the pool has prepared its statements.
    for path in PAGES.repeat(3) {
        let response = browser.get(path).await;
        let status = response.status();
        let page = response.text().await.unwrap();
        assert!(
            page.contains("Run ALTER EXTENSION eventcore UPDATE."),
            "{path}: {status} {page}"
        );
    }
    database.sql("ALTER EXTENSION eventcore UPDATE");
    for path in PAGES.repeat(3) {
        let response = browser.get(path).await;
        let status = response.status();
        let page = response.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {page}");
    }
    until_overview(&browser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_that_is_created_while_the_console_runs_is_found() {
    let database = Database::empty("console_created");
    let console = database.console().await;
    let browser = console.browser();
    let response = browser.get("/streams").await;
    assert_eq!(response.status(), 503);
    let page = response.text().await.unwrap();
    assert!(page.contains("Run CREATE EXTENSION eventcore"), "{page}");
    database.sql("CREATE EXTENSION eventcore");
    browser.page("/streams").await;
    until_overview(&browser).await;
}

/// Waits until the monitor has asked.
async fn until_overview(browser: &Browser) {
    eventually("the figures", async || {
        let page = browser.page("/").await;
        page.contains("Events per second") && page.contains("<h2>Readers</h2>")
    })
    .await;
}
