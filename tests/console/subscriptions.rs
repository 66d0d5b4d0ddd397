//! Subscriptions: their pages, what holds them, and what is done to them. Parked events: exactly
//! those that were chosen are replayed or discarded, and one that waits is set aside by hand.

use crate::support::{Database, Running};

/// A subscription that stops at parked events: 1 to 4 of the streams `a` to `d` are parked, 5 has
/// failed and waits, 6 is leased.
fn with_parked(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "SELECT eventcore_append(ARRAY['a','b','c','d','e','f'], array_fill(0::bigint, '{6}'),
            (SELECT jsonb_agg(jsonb_build_object('stream', chr(96 + n), 'type', 'Placed', 'payload', jsonb_build_object('n', n)))
               FROM generate_series(1, 6) n));
         SELECT eventcore_create_subscription('mails', on_parked => 'stop');
         DO $$ DECLARE polled record;
         BEGIN
            SELECT * INTO polled FROM eventcore_poll('mails', 'worker-1', 10, '0 s') LIMIT 1;
            PERFORM eventcore_nack('mails', polled.lease_id, ARRAY[1, 2, 3, 4]::bigint[], 'park', 'smtp: <no such user>');
            PERFORM eventcore_nack('mails', polled.lease_id, ARRAY[5]::bigint[], 'retry', 'try me later', '1 hour');
         END $$",
    );
    database
}

async fn with_actions(database: &Database) -> Running {
    Running::start(&database.url, |options| options.allow_actions(true)).await
}

fn parked(database: &Database) -> String {
    let sql = "SELECT coalesce(string_agg(position::text, ',' ORDER BY position), '') FROM eventcore_parked('mails')";
    database.sql(sql).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_shown_with_what_holds_it() {
    let database = with_parked("console_subscription");
    let console = database.console().await;
    let list = console.page("/subscriptions").await;
    assert!(list.contains("href=\"/subscriptions/mails\""), "{list}");
    assert!(
        list.contains("href=\"/subscriptions/mails/parked\""),
        "{list}"
    );

    let page = console.page("/subscriptions/mails").await;
    for shown in [
        "worker-1",
        ">held<",
        "Streams that are stopped",
        "href=\"/streams/d\"",
        "try me later",
        "Parked events (4)",
        "href=\"/events/6\"",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }

    let page = console.page("/subscriptions/mails/parked").await;
    for shown in [
        "smtp: &lt;no such user&gt;",
        "{&quot;n&quot;: 4}",
        "href=\"/events/1\"",
        "href=\"/streams/a\"",
        "worker-1",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("<form method=\"get\" action=\"/subscriptions/mails/parked"));
    assert_eq!(
        console.browser().get("/subscriptions/none").await.status(),
        404
    );
    assert_eq!(
        console
            .browser()
            .get("/subscriptions/none/parked")
            .await
            .status(),
        404
    );
    assert_eq!(
        console
            .browser()
            .get("/subscriptions/mails/parked?after=x")
            .await
            .status(),
        400
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_chosen_events_are_replayed_after_their_number_was_shown() {
    let database = with_parked("console_replay");
    let console = with_actions(&database).await;
    let browser = console.browser();
    let list = browser.page("/subscriptions/mails/parked").await;
    assert!(list.contains("Replay all 4 on this page"), "{list}");

    let path = "/subscriptions/mails/parked/confirm?position=2&position=4&do=replay";
    let page = browser.page(path).await;
    assert!(page.contains("Replay 2 parked events of"), "{page}");
    for position in ["2", "4"] {
        let field = format!("name=\"position\" value=\"{position}\"");
        assert!(page.contains(&field), "{page}");
    }
    assert_eq!(parked(&database), "1,2,3,4");

    // Something is parked after the list was seen: it stays.
    let sent = [("position", "2"), ("position", "4")];
    let next = browser
        .act(path, "/subscriptions/mails/parked/replay", &sent)
        .await;
    assert!(
        next.contains("2 parked events of &quot;mails&quot;: replayed"),
        "{next}"
    );
    assert_eq!(parked(&database), "1,3");
    let log = console.log();
    assert!(
        log[0].contains("/subscriptions/mails/parked/replay position=2 position=4 begins")
            && log[1].contains(
                "/subscriptions/mails/parked/replay position=2 position=4 done: 2 parked"
            ),
        "{log:?}"
    );

    let path = "/subscriptions/mails/parked/confirm?position=3&do=discard";
    let page = browser.page(path).await;
    assert!(
        page.contains("Discard 1 parked event of") && page.contains("cannot be undone"),
        "{page}"
    );
    browser
        .act(
            path,
            "/subscriptions/mails/parked/discard",
            &[("position", "3")],
        )
        .await;
    assert_eq!(parked(&database), "1");

    // All of them or none.
    let csrf = browser.csrf(path).await;
    let sent = [
        ("csrf", csrf.as_str()),
        ("position", "1"),
        ("position", "6"),
    ];
    let refused = browser
        .post("/subscriptions/mails/parked/replay", &sent)
        .await;
    assert_eq!(refused.status(), 400);
    let nothing = browser
        .post("/subscriptions/mails/parked/replay", &sent[..1])
        .await;
    assert_eq!(nothing.status(), 400);
    assert_eq!(parked(&database), "1");
    for path in [
        "?do=replay",
        "?position=1",
        "?position=1&do=all",
        "?position=x&do=replay",
    ] {
        let path = format!("/subscriptions/mails/parked/confirm{path}");
        assert_eq!(browser.get(&path).await.status(), 400, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_created_paused_resumed_reset_and_dropped() {
    let database = with_parked("console_change");
    let console = with_actions(&database).await;
    let browser = console.browser();
    let sent = [
        ("new", "bills & more"),
        ("prefixes", "order-\norder/\n"),
        ("types", ""),
        ("from", "now"),
        ("lease", "1 minute"),
        ("retry_limit", "3"),
        ("on_parked", "stop"),
    ];
    let next = browser.act("/subscriptions", "/subscriptions", &sent).await;
    assert!(next.contains("is created"), "{next}");
    let made = database.sql(
        "SELECT stream_prefixes, event_types IS NULL, lease, retry_limit, on_parked FROM eventcore.subscriptions WHERE name LIKE 'bills%'",
    );
    assert_eq!(made.trim(), "{order-,order/}|t|00:01:00|3|stop");

    let page = "/subscriptions/mails";
    let next = browser.act(page, "/subscriptions/mails/pause", &[]).await;
    assert!(
        next.contains("is paused") && next.contains(">Resume<"),
        "{next}"
    );
    let next = browser.act(page, "/subscriptions/mails/resume", &[]).await;
    assert!(
        next.contains("is resumed") && next.contains(">Pause<"),
        "{next}"
    );

    let confirm = "/subscriptions/mails/confirm?do=reset";
    let csrf = browser.csrf(confirm).await;
    let sent = [("csrf", csrf.as_str()), ("to", "seven")];
    assert_eq!(
        browser
            .post("/subscriptions/mails/reset", &sent)
            .await
            .status(),
        400
    );
    browser
        .act(confirm, "/subscriptions/mails/reset", &[("to", "2")])
        .await;
    let at =
        database.sql("SELECT checkpoint FROM eventcore.stat_subscriptions WHERE name = 'mails'");
    assert_eq!(at.trim(), "2");

    let confirm = "/subscriptions/mails/confirm?do=drop";
    assert!(browser.page(confirm).await.contains("cannot be undone"));
    let next = browser.act(confirm, "/subscriptions/mails/drop", &[]).await;
    assert!(next.contains("is dropped"), "{next}");
    assert_eq!(browser.get(page).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_waits_is_parked_and_one_that_is_leased_is_refused() {
    let database = with_parked("console_park");
    let console = with_actions(&database).await;
    let browser = console.browser();
    let page = browser.page("/subscriptions/mails").await;
    for offered in [
        "href=\"/subscriptions/mails/park\"",
        "href=\"/subscriptions/mails/park?position=5\"",
    ] {
        assert!(page.contains(offered), "{offered}: {page}");
    }
    let path = "/subscriptions/mails/park?position=5";
    let page = browser.page(path).await;
    assert!(
        page.contains("name=\"positions\" value=\"5\"") && page.contains("stand still"),
        "{page}"
    );
    let sent = [("positions", "5"), ("reason", "the template <is> missing")];
    let next = browser.act(path, "/subscriptions/mails/park", &sent).await;
    assert!(
        next.contains("1 event of &quot;mails&quot; is parked")
            && next.contains("the template &lt;is&gt; missing"),
        "{next}"
    );
    assert_eq!(parked(&database), "1,2,3,4,5");
    let log = console.log();
    assert!(
        log[0].ends_with(
            "/subscriptions/mails/park positions=5 reason=the template <is> missing begins"
        ) && log[1].ends_with("done: 1 event of \"mails\" is parked"),
        "{log:?}"
    );

    // Parked already, and without a reason: the role is the reason of what is parked now.
    let sent = [("positions", "4, 5"), ("reason", "")];
    let next = browser.act(path, "/subscriptions/mails/park", &sent).await;
    assert!(next.contains("are parked already"), "{next}");

    let csrf = browser.csrf(path).await;
    for (positions, status) in [("6", 400), ("5 6", 400), ("", 400), ("x", 400), ("7", 400)] {
        let sent = [("csrf", csrf.as_str()), ("positions", positions)];
        let refused = browser.post("/subscriptions/mails/park", &sent).await;
        assert_eq!(refused.status(), status, "{positions:?}");
        let page = refused.text().await.unwrap();
        let is_leased = page.contains("has leased until");
        assert_eq!(is_leased, positions.contains('6'), "{positions:?}: {page}");
    }
    assert_eq!(parked(&database), "1,2,3,4,5");
    for (path, status) in [
        ("/subscriptions/none/park", 404),
        ("/subscriptions/mails/park?position=x", 400),
    ] {
        assert_eq!(browser.get(path).await.status(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_only_reads_offers_nothing_that_changes() {
    let database = with_parked("console_no_forms");
    let console = database.console().await;
    for path in [
        "/subscriptions",
        "/subscriptions/mails",
        "/subscriptions/mails/parked",
        "/subscriptions/mails/confirm?do=drop",
        "/subscriptions/mails/parked/confirm?do=replay&position=1",
        "/subscriptions/mails/park?position=5",
    ] {
        let page = console.page(path).await;
        assert!(!page.contains("method=\"post\""), "{path}: {page}");
        let park = [
            "href=\"/subscriptions/mails/park\"",
            "href=\"/subscriptions/mails/park?",
        ];
        assert!(
            !park.iter().any(|park| page.contains(park)),
            "{path}: {page}"
        );
    }
    let page = console.page("/subscriptions/mails/confirm?do=drop").await;
    assert!(page.contains("--allow-actions"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_role_may_not_see_or_do_is_said_with_its_code() {
    let database = with_parked("console_reader");
    database.sql("CREATE ROLE console_reader LOGIN IN ROLE eventcore_reader");
    let url = database.url.replacen("postgres@", "console_reader@", 1);
    let console = Running::start(&url, |options| options.allow_actions(true)).await;
    let browser = console.browser();
    let page = browser.page("/subscriptions/mails").await;
    assert!(
        page.contains("The role of this console may not see this"),
        "{page}"
    );
    let parked = browser.get("/subscriptions/mails/parked").await;
    assert_eq!(parked.status(), 403);

    let csrf = browser.csrf("/subscriptions/mails").await;
    for (path, field) in [
        ("/subscriptions/mails/pause", ("none", "")),
        ("/subscriptions/mails/drop", ("none", "")),
        ("/subscriptions/mails/reset", ("to", "1")),
        ("/subscriptions/mails/parked/replay", ("position", "1")),
        ("/subscriptions/mails/park", ("positions", "5")),
    ] {
        let refused = browser.post(path, &[("csrf", &csrf), field]).await;
        assert_eq!(refused.status(), 403, "{path}");
        let page = refused.text().await.unwrap();
        assert!(
            page.contains("SQLSTATE <code>42501</code>"),
            "{path}: {page}"
        );
    }
    let log = console.log();
    let ends = log.iter().filter(|line| !line.ends_with(" begins"));
    assert!(
        log.len() == 10
            && ends
                .clone()
                .all(|line| line.contains("failed: permission denied"))
            && ends.count() == 5,
        "{log:?}"
    );
    assert_eq!(self::parked(&database), "1,2,3,4");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_where_the_page_before_ended() {
    let database = Database::new("console_subscription_pages");
    database.sql("SELECT eventcore_create_subscription('s-' || to_char(n, 'FM000')) FROM generate_series(1, 130) n");
    let console = database.console().await;
    let first = console.page("/subscriptions").await;
    assert!(
        first.contains(">s-100<") && !first.contains(">s-101<"),
        "{first}"
    );
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap();
    let next = next.split('"').next().unwrap();
    let second = console.page(next).await;
    assert!(
        second.contains(">s-101<") && second.contains(">s-130<"),
        "{second}"
    );
    assert!(!second.contains("rel=\"next\""), "{second}");
}
