//! What is in flight, the doctor, the settings, and what programs ask for.

use crate::support::{Database, Running, eventually, until};

const APPEND: &str = "SELECT eventcore_append(ARRAY['a'], ARRAY[NULL]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]')";

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_holds_readers_back_is_shown_and_ended_by_its_number() {
    let database = Database::new("console_inflight");
    database.sql(APPEND);
    let holder = database.session().await;
    let begin = format!("SET application_name = 'shop <b>'; BEGIN; {APPEND}");
    holder.batch_execute(&begin).await.unwrap();
    let pid = database.sql("SELECT pid FROM eventcore.stat_inflight");
    let pid = pid.trim();

    let console = database.console().await;
    let page = console.page("/inflight").await;
    for shown in [
        pid,
        ">holds<",
        "idle in transaction",
        "shop &lt;b&gt;",
        "eventcore_append",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("End…"), "{page}");

    let console = Running::start(&database.url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    assert!(
        browser
            .page("/inflight")
            .await
            .contains(&format!("href=\"/inflight/{pid}/end\""))
    );
    let confirm = format!("/inflight/{pid}/end");
    assert!(browser.page(&confirm).await.contains("Type the number"));
    let csrf = browser.csrf(&confirm).await;
    for typed in ["", "1", "yes"] {
        let refused = browser
            .post(&confirm, &[("csrf", &csrf), ("typed", typed)])
            .await;
        assert_eq!(refused.status(), 400, "{typed}");
    }
    assert_eq!(
        database
            .sql("SELECT count(*) FROM eventcore.stat_inflight")
            .trim(),
        "1"
    );
    assert_eq!(browser.get("/inflight/1/end").await.status(), 404);
    let next = browser.act(&confirm, &confirm, &[("typed", pid)]).await;
    assert!(next.contains("is ended"), "{next}");
    until("the end", || {
        database
            .sql("SELECT count(*) FROM eventcore.stat_inflight")
            .trim()
            == "0"
    })
    .await;
    assert_eq!(
        database.sql("SELECT count(*) FROM eventcore.events").trim(),
        "1"
    );
    let again = browser
        .post(&confirm, &[("csrf", &csrf), ("typed", pid)])
        .await;
    assert_eq!(again.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_readers_back_is_said_wherever_lag_is_shown() {
    let database = Database::new("console_held");
    database.sql(
        "SELECT eventcore_create_subscription('mails');
         CREATE FUNCTION nothing(event eventcore.events) RETURNS void LANGUAGE sql AS '';
         SELECT eventcore_create_projection('sales', 'nothing')",
    );
    let console = database.console().await;
    let browser = console.browser();
    const PAGES: [&str; 6] = [
        "/",
        "/subscriptions",
        "/subscriptions/mails",
        "/projections",
        "/projections/sales",
        "/checkpoints",
    ];
    for path in PAGES {
        let page = browser.page(path).await;
        assert!(!page.contains("held back"), "{path}: {page}");
    }
    let holder = database.session().await;
    let begin = "SET application_name = '<b>import</b>'; BEGIN; SELECT FROM eventcore_append(ARRAY['held'], ARRAY[0]::bigint[],
         '[{\"stream\": \"held\", \"type\": \"T\", \"payload\": {}}]')";
    holder.batch_execute(begin).await.unwrap();
    let pid: i32 = holder
        .query_one("SELECT pg_backend_pid()", &[])
        .await
        .unwrap()
        .get(0);
    let said = format!("by process <a href=\"/inflight\">{pid}</a>");
    eventually("the remark", async || {
        browser.page("/").await.contains(&said)
    })
    .await;
    for path in PAGES {
        let page = browser.page(path).await;
        assert!(
            page.contains("Readers have been held back for") && page.contains(&said),
            "{path}: {page}"
        );
        assert!(
            page.contains("&lt;b&gt;import&lt;/b&gt;, idle in transaction"),
            "{path}: {page}"
        );
    }
    holder.batch_execute("ROLLBACK").await.unwrap();
    eventually("the end of the remark", async || {
        !browser.page("/").await.contains("held back")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_shows_findings_by_level_and_runs_only_its_own_harmless_statements() {
    let database = Database::new("console_doctor");
    database.sql(
        "SELECT eventcore_create_subscription('stopped <b>', on_parked => 'stop');
         SELECT eventcore_pause_subscription('stopped <b>');
         SELECT eventcore_append(ARRAY['a'], ARRAY[0]::bigint[], '[{\"stream\":\"a\",\"type\":\"T\",\"payload\":1}]');
         INSERT INTO eventcore.command_states VALUES (1, 1, now(), 1, gen_random_uuid(), 10, 'gone <i>', 'a', '{}')",
    );
    let console = Running::start(&database.url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    let page = browser.page("/doctor").await;
    for shown in [
        "<h2>Notes (",
        "stopped &lt;b&gt;",
        "subscription_paused",
        "gone &lt;i&gt;",
        "DELETE FROM eventcore.command_states WHERE command = &#39;gone",
        "Run this statement",
        "Checks that found nothing",
        "operations/monitor.md#subscriptions",
        "href=\"/subscriptions/stopped%20%3Cb%3E\"",
    ]
    .map(|text| text.replace("&#39;", "'"))
    {
        assert!(page.contains(&shown), "{shown}: {page}");
    }
    let csrf = browser.csrf("/doctor").await;
    let statement = "DELETE FROM eventcore.command_states WHERE command = 'gone <i>'";
    for (id, object, statement) in [
        (
            "states_without_command",
            "gone <i>",
            "DROP TABLE eventcore.commands CASCADE",
        ),
        ("states_without_command", "other", statement),
        (
            "subscription_paused",
            "stopped <b>",
            "SELECT eventcore_resume_subscription('stopped <b>')",
        ),
    ] {
        let sent = [
            ("csrf", csrf.as_str()),
            ("id", id),
            ("object", object),
            ("statement", statement),
        ];
        let refused = browser.post("/doctor/fix", &sent).await;
        assert_eq!(refused.status(), 404, "{id} {object} {statement}");
    }
    assert_eq!(
        database
            .sql("SELECT count(*) FROM eventcore.command_states")
            .trim(),
        "1"
    );
    let sent = [
        ("id", "states_without_command"),
        ("object", "gone <i>"),
        ("statement", statement),
    ];
    let next = browser.act("/doctor", "/doctor/fix", &sent).await;
    assert!(next.contains("is repaired"), "{next}");
    assert_eq!(
        database
            .sql("SELECT count(*) FROM eventcore.command_states")
            .trim(),
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_shown_with_what_sets_them_and_what_a_change_needs() {
    let database = Database::new("console_settings");
    let console = database.console().await;
    let page = console.page("/settings").await;
    for shown in [
        "eventcore.max_databases",
        "eventcore.projection_workers",
        "eventcore.early_lock_release",
        "restart",
        "any role, any time",
        "max_worker_processes",
        "synchronous_commit",
        "configuration file",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_ask_for_metrics_and_whether_the_console_works() {
    let database = Database::new("console_metrics");
    database.sql(APPEND);
    let console = database.console().await;
    let browser = console.browser();
    let response = browser.get("/metrics").await;
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = response.text().await.unwrap();
    assert!(text.contains("\neventcore_up 1\n"), "{text}");
    assert!(
        text.contains("\neventcore_console_streams_open 0\n"),
        "{text}"
    );
    assert!(
        text.contains("eventcore_store_appends_total{datname=\"console_metrics\"} 1"),
        "{text}"
    );
    assert_eq!(browser.page("/healthz").await, "ok\n");
    assert_eq!(browser.page("/readyz").await, "ready\n");

    let gone = Database::new("console_gone");
    let console = gone.console().await;
    let browser = console.browser();
    assert_eq!(browser.get("/readyz").await.status(), 200);
    database.sql("DROP DATABASE console_gone WITH (FORCE)");
    assert_eq!(browser.get("/readyz").await.status(), 503);
    assert_eq!(browser.get("/healthz").await.status(), 200);
    let text = browser.page("/metrics").await;
    assert!(text.contains("\neventcore_up 0\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_browsers_share_what_the_doctor_says_for_a_few_seconds() {
    let database = Database::new("console_doctor_shared");
    database.sql(
        "SELECT eventcore_create_subscription('idle'); SELECT eventcore_pause_subscription('idle')",
    );
    let console = database.console().await;
    let said = async || {
        let page = console.page("/doctor").await;
        let at = page.split("<time datetime=\"").nth(1);
        at.and_then(|at| at.split('"').next()).map(str::to_owned)
    };
    let (first, second) = tokio::join!(said(), said());
    assert!(
        first.is_some(),
        "the page does not say when the doctor looked"
    );
    assert_eq!(first, second);
    // It looks again after a while.
    eventually("another look", async || said().await != first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_that_has_to_wait_says_what_it_has_not_looked_at() {
    let database = Database::new("console_doctor_waits");
    let holder = database.session().await;
    holder
        .batch_execute("BEGIN; LOCK TABLE eventcore.subscriptions, eventcore.projections, eventcore.commands IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let console = database.console().await;
    let page = console.page("/doctor").await;
    assert!(page.contains("the time was up"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_only_monitors_sees_the_figures_by_one_session() {
    let database = Database::new("console_monitor");
    database.sql(
        "CREATE ROLE console_monitor LOGIN IN ROLE eventcore_monitor;
         SELECT eventcore_create_subscription('mails');
         SELECT eventcore_advance_checkpoint('stock', 0, 0)",
    );
    let url = database.url.replacen("postgres@", "console_monitor@", 1);
    let console = Running::start(&url, |options| options).await;
    eventually("the figures", async || {
        let page = console.page("/").await;
        page.contains("Events per second") && page.contains("href=\"/subscriptions/mails\"")
    })
    .await;
    let asks = "usename = 'console_monitor' AND query LIKE '%checkpoints%'";
    asks_again_on_the_same_session(&database, asks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_see_nothing_does_not_connect_again_and_again() {
    let database = Database::new("console_stranger");
    database.sql("CREATE ROLE console_stranger LOGIN");
    let url = database.url.replacen("postgres@", "console_stranger@", 1);
    let console = Running::start(&url, |options| options).await;
    eventually("the refusal", async || {
        console.page("/").await.contains("permission denied")
    })
    .await;
    let asks = "usename = 'console_stranger' AND query LIKE '%stat_appends%'";
    asks_again_on_the_same_session(&database, asks).await;
}

/// Waits until the monitor has asked once more.
async fn asks_again_on_the_same_session(database: &Database, asks: &str) {
    let session = format!("SELECT pid || ' ' || query_start FROM pg_stat_activity WHERE {asks}");
    let mut rounds = Vec::new();
    while rounds.len() < 3 {
        until("the next round", || {
            let now = database.sql(&session);
            !now.is_empty() && rounds.last() != Some(&now)
        })
        .await;
        rounds.push(database.sql(&session));
    }
    let mut pids: Vec<&str> = rounds
        .iter()
        .map(|round| round.split(' ').next().unwrap_or_default())
        .collect();
    pids.dedup();
    assert_eq!(pids.len(), 1, "{rounds:?}");
}
