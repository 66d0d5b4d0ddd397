//! Every route that is asked by GET: it answers, within its number of statements, with everything of
//! others escaped, and as the security of the browser wants it.

use std::collections::BTreeSet;

use eventcore_console::routes;
use reqwest::Response;

use crate::support::{Database, Running};

/// For each route that is asked by GET a path to ask for, and the most statements that it may need.
/// What must not be there is in no database: its status is another.
const EXAMPLES: &[(&str, &str, u64)] = &[
    ("/", "/", 0),
    ("/compare", "/compare", 0),
    (
        "/compare",
        "/compare?s=..&s=%3Cscript%3Ealert(1)%3C/script%3E",
        2,
    ),
    ("/events/{position}", "/events/1", 12),
    ("/events/{position}", "/events/1.json", 1),
    (
        "/events/id/{id}",
        "/events/id/00000000-0000-7000-8000-000000000001",
        40,
    ),
    ("/go", "/go?q=1", 0),
    ("/search", "/search", 13),
    (
        "/search",
        "/search?type=Large&since=1d&until=1s&where=/x",
        14,
    ),
    ("/streams", "/streams", 1),
    ("/streams", "/streams?prefix=%3Cscript", 1),
    ("/streams", "/streams?contains=alert", 1),
    ("/subscriptions", "/subscriptions", 1),
    (
        "/subscriptions/{name}",
        "/subscriptions/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        4,
    ),
    ("/subscriptions/{name}", "/subscriptions/-?name=..", 4),
    (
        "/subscriptions/{name}",
        "/subscriptions/a%2Fb%3Fc=d%23e%25f&lt;",
        4,
    ),
    (
        "/subscriptions/{name}/confirm",
        "/subscriptions/%3Cscript%3Ealert(1)%3C%2Fscript%3E/confirm?do=drop",
        1,
    ),
    (
        "/subscriptions/{name}/park",
        "/subscriptions/%3Cscript%3Ealert(1)%3C%2Fscript%3E/park?position=1",
        1,
    ),
    (
        "/subscriptions/{name}/park",
        "/subscriptions/-/park?name=..",
        1,
    ),
    (
        "/subscriptions/{name}/parked",
        "/subscriptions/%3Cscript%3Ealert(1)%3C%2Fscript%3E/parked",
        1,
    ),
    (
        "/subscriptions/{name}/parked",
        "/subscriptions/-/parked?name=..",
        1,
    ),
    (
        "/subscriptions/{name}/parked/confirm",
        "/subscriptions/%3Cscript%3Ealert(1)%3C%2Fscript%3E/parked/confirm?do=discard&position=1",
        0,
    ),
    ("/projections", "/projections", 1),
    (
        "/projections/{name}",
        "/projections/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        3,
    ),
    (
        "/projections/{name}/confirm",
        "/projections/-/confirm?name=..&do=rebuild",
        1,
    ),
    (
        "/projections/{name}/parked",
        "/projections/%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E/parked",
        1,
    ),
    (
        "/projections/{name}/parked/confirm",
        "/projections/-/parked/confirm?name=..&do=replay&position=1",
        0,
    ),
    ("/checkpoints", "/checkpoints", 1),
    ("/commands", "/commands", 1),
    (
        "/commands/{name}",
        "/commands/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        4,
    ),
    ("/commands/{name}", "/commands/-?name=..", 4),
    (
        "/commands/{name}/executions",
        "/commands/%3Cscript%3Ealert(1)%3C%2Fscript%3E/executions",
        1,
    ),
    (
        "/commands/{name}/kept",
        "/commands/%3Cscript%3Ealert(1)%3C%2Fscript%3E/kept",
        1,
    ),
    (
        "/commands/{name}/state",
        "/commands/-/state?name=..&stream=%3Cscript%3Ealert(1)%3C/script%3E",
        1,
    ),
    (
        "/commands/{name}/state.json",
        "/commands/-/state.json?name=..&stream=none&version=0",
        1,
    ),
    ("/inflight", "/inflight", 1),
    ("/doctor", "/doctor", 60),
    ("/settings", "/settings", 1),
    ("/metrics", "/metrics", 30),
    ("/healthz", "/healthz", 0),
    ("/readyz", "/readyz", 0),
    (
        "/streams/{id}",
        "/streams/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        2,
    ),
    ("/streams/{id}", "/streams/-?name=..", 2),
    ("/streams/{id}", "/streams/large?dir=forward", 2),
    (
        "/streams/{id}/{version}",
        "/streams/-/1?name=..&command=%3Cb%3E",
        3,
    ),
    ("/streams/{id}/{version}", "/streams/large/1", 2),
    ("/streams/{id}/{version}", "/streams/large/1.json", 1),
    ("/tail", "/tail", 7),
    ("/tail", "/tail?prefix=%3Cscript&type=%3Cscript", 7),
    (
        "/trace/{correlation}",
        "/trace/00000000-0000-4000-8000-000000000001?near=1",
        11,
    ),
];

/// Routes that are no page of the database, or whose page is there only for a moment, or goes on for
/// ever, and has a test of its own.
const OTHERS: [&str; 4] = [
    "/assets/{file}",
    "/sign-in",
    "/inflight/{pid}/end",
    "/tail/events",
];

/// Names that would do something to a page that did not escape them.
pub(crate) const NAMES: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'onmouseover='alert(1)",
    "a/b?c=d#e%f&lt;",
    "rtl-\u{202e}drow\u{202c}",
    "seen-\u{200b}\u{feff}",
    "..",
    "c1-\u{9b}31m",
];

/// A database with events of hostile names and payloads.
fn hostile(name: &str) -> Database {
    let database = Database::new(name);
    database.sql(
        "CREATE FUNCTION h_apply(state jsonb, event eventcore.events) RETURNS jsonb LANGUAGE sql AS 'SELECT event.payload';
         CREATE FUNCTION h_handle(state jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
         CREATE FUNCTION h_project(event eventcore.events) RETURNS void LANGUAGE sql AS ''",
    );
    for (at, name) in NAMES.iter().enumerate() {
        let quoted = name.replace('\'', "''");
        database.sql(&format!(
            "SELECT eventcore_append(ARRAY['{quoted}'], ARRAY[0]::bigint[], jsonb_build_array(jsonb_build_object(
                 'id', '00000000-0000-7000-8000-00000000000{at}', 'stream', '{quoted}', 'type', '{quoted}',
                 'payload', jsonb_build_object('{quoted}', E'\\n{quoted}', 'n', 1234567890123456789012345678901234567890))),
                 correlation_id => '00000000-0000-4000-8000-000000000001',
                 causation_id => '00000000-0000-7000-8000-00000000000{cause}');
             SELECT eventcore_create_subscription('{quoted}');
             DO $$ DECLARE lease uuid;
             BEGIN
                SELECT lease_id INTO lease FROM eventcore_poll('{quoted}', '{quoted}', 1) LIMIT 1;
                PERFORM eventcore_nack('{quoted}', lease, NULL, 'park', '{quoted}');
                PERFORM FROM eventcore_poll('{quoted}', '{quoted}', 1);
             END $$;
             SELECT eventcore_advance_checkpoint('{quoted}', 0, 1);
             SELECT eventcore_register_command('{quoted}', 'h_apply', 'h_handle', '{{/stream}}');
             SELECT eventcore_execute('{quoted}', jsonb_build_object('stream', '{quoted}'), idempotency_key => '{quoted}');
             SELECT eventcore_create_projection('{quoted}', 'h_project');
             SELECT eventcore_pause_projection('{quoted}')",
            cause = at.saturating_sub(1),
        ));
    }
    database.sql(
        "SELECT eventcore_append(ARRAY['large'], ARRAY[0]::bigint[], jsonb_build_array(jsonb_build_object(
             'stream', 'large', 'type', 'Large', 'payload', repeat('<b>x\n', 262144))))",
    );
    database
}

/// The number of statements that an answer needed.
fn statements(response: &Response) -> u64 {
    let timing = response.headers()["server-timing"].to_str().unwrap();
    let text = timing.split("desc=\"").nth(1).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// A page without the values of its fields, which are sent back as they are.
fn shown(page: &str) -> String {
    let mut parts = page.split(" value=\"");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str(part.split_once('"').map_or("", |(_, rest)| rest));
    }
    shown
}

/// What a page must not have.
#[track_caller]
fn assert_harmless(path: &str, page: &str) {
    for harmful in [
        "<script>",
        "<img src=x",
        "onerror=alert(1)>",
        "<b>x",
        " style=",
        "<style",
        "javascript:",
        " onmouseover",
    ] {
        assert!(!page.contains(harmful), "{path} has {harmful}: {page}");
    }
    let unseen = ['\u{202e}', '\u{200b}', '\u{feff}', '\u{9b}'];
    assert!(!shown(page).contains(unseen), "{path}: {page}");
    for part in page.split(['"', '\'']) {
        let elsewhere =
            part.starts_with("http://") || part.starts_with("https://") || part.starts_with("//");
        assert!(!elsewhere, "{path} leads to {part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_answers_within_its_statements_and_escapes_what_others_wrote() {
    let database = hostile("console_hostile");
    let console = database.console().await;
    let browser = console.browser();
    for (route, path, most) in EXAMPLES {
        let response = browser.get(path).await;
        let run = statements(&response);
        let status = response.status();
        let is_redirect = *route == "/go";
        let is_html = response
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"));
        let page = response.text().await.unwrap();
        assert!(
            status == 200 || (is_redirect && status == 303),
            "{path}: {status} {page}"
        );
        assert!(run <= *most, "{path} needs {run} statements");
        // A browser takes nothing else for a page: X-Content-Type-Options.
        if is_html {
            assert_harmless(path, &page);
        }
    }
}

#[test]
fn every_route_has_an_example() {
    let pages = routes::all().filter(|route| route.method() == "GET");
    let paths: BTreeSet<&str> = pages.map(|route| route.path()).collect();
    let known: BTreeSet<&str> = EXAMPLES
        .iter()
        .map(|(route, _, _)| *route)
        .chain(OTHERS)
        .collect();
    assert_eq!(paths, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_two_routes_are_the_same() {
    let mut seen = BTreeSet::new();
    for route in routes::all() {
        assert!(seen.insert((route.method(), route.path())), "{route:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_headers_that_keep_a_browser_safe() {
    let database = Database::new("console_headers");
    let console = database.console().await;
    let browser = console.browser();
    for path in ["/", "/streams", "/no-such-page", "/assets/none"] {
        let response = browser.get(path).await;
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert_eq!(headers["x-robots-tag"], "noindex, nofollow");
        assert_eq!(headers["cache-control"], "no-store");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_page_are_there_and_may_be_kept() {
    let database = Database::new("console_assets");
    let console = database.console().await;
    let browser = console.browser();
    let page = browser.page("/").await;
    let files: BTreeSet<&str> = page
        .split('"')
        .filter(|part| part.starts_with("/assets/"))
        .collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let response = browser.get(file).await;
        assert_eq!(response.status(), 200, "{file}");
        let kept = response.headers()["cache-control"].to_str().unwrap();
        assert!(kept.contains("immutable"), "{file}: {kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_told_with_its_code_and_escaped() {
    let database = Database::new("console_errors");
    let console = database.console().await;
    let browser = console.browser();
    let response = browser.get("/%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!(response.status(), 404);
    assert_harmless("a page that is not there", &response.text().await.unwrap());

    database.sql("CREATE ROLE console_nobody LOGIN");
    let url = database.url.replacen("postgres@", "console_nobody@", 1);
    let console = Running::start(&url, |options| options).await;
    let response = console.browser().get("/streams").await;
    assert_eq!(response.status(), 403);
    let page = response.text().await.unwrap();
    assert!(page.contains("SQLSTATE <code>42501</code>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_that_is_told_to_end_ends() {
    let database = Database::new("console_ends");
    // No other test listens at this address, so the port is not taken again.
    let own = ([127, 0, 0, 2], 0).into();
    let console = Running::start(&database.url, |options| options.listen(own)).await;
    let address = console.address;
    console.page("/").await;
    console.stop().await;
    assert!(std::net::TcpStream::connect(address).is_err());
}
