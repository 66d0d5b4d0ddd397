//! The live tail neither misses nor repeats an event: over a reconnect, a restart of the console and a
//! restart of the server.

use std::time::Duration;

use eventcore_harness::{Server, ServerOptions};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::support::{Browser, Database, Running};

/// How long an event may take to come on a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream of messages, as a browser reads it.
struct Stream {
    response: Response,
    text: String,
    /// The id of the last message that had one.
    place: Option<String>,
}

impl Stream {
    /// Opens it; a browser that comes back says where it was.
    async fn open(browser: &Browser, path: &str, place: Option<&str>) -> Self {
        let request = browser.request(Method::GET, path);
        let request = match place {
            Some(place) => request.header("last-event-id", place),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "text/event-stream");
        Self {
            response,
            text: String::new(),
            place: place.map(str::to_owned),
        }
    }

    /// The name and the data of the next message; `None` if the stream has ended.
    async fn message(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((message, rest)) = self.text.split_once("\n\n") {
                let lines: Vec<String> = message.lines().map(str::to_owned).collect();
                self.text = rest.to_owned();
                let field = |name: &str| {
                    let of_name = lines.iter().find_map(|line| line.strip_prefix(name));
                    of_name.map(|value| value.trim_start().to_owned())
                };
                self.place = field("id:").or(self.place.take());
                if let (Some(name), Some(data)) = (field("event:"), field("data:")) {
                    return Some((name, serde_json::from_str(&data).unwrap()));
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .unwrap();
            match chunk {
                Ok(Some(chunk)) => self.text.push_str(std::str::from_utf8(&chunk).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The positions of the events that come, until there are as many.
    async fn positions(&mut self, count: usize) -> Vec<i64> {
        let mut all = Vec::new();
        while all.len() < count {
            let (name, data) = self.message().await.unwrap();
            if name == "rows" {
                all.extend(positions(&data));
                assert_eq!(data["skipped"], 0);
            }
        }
        all
    }
}

/// The positions in the rows of a message, in order. They are sent with the newest first.
fn positions(data: &Value) -> Vec<i64> {
    let rows = data["rows"].as_str().unwrap();
    let parts = rows.split("data-position=\"").skip(1);
    let newest_first = parts.map(|part| part.split('"').next().unwrap().parse().unwrap());
    let mut found: Vec<i64> = newest_first.collect();
    found.reverse();
    assert_eq!(found.len() as u64, data["count"].as_u64().unwrap());
    found
}

fn append(count: usize, stream: &str, name: &str) -> String {
    format!(
        "SELECT eventcore_append(ARRAY['{stream}'], ARRAY[NULL]::bigint[], jsonb_agg(jsonb_build_object(
             'stream', '{stream}', 'type', '{name}', 'payload', n))) FROM generate_series(1, {count}) n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let database = Database::new("console_tail");
    database.sql(&append(3, "a", "Before"));
    let console = database.console().await;
    let browser = console.browser();
    let mut stream = Stream::open(&browser, "/tail/events?after=3", None).await;
    database.sql(&append(450, "a", "T"));
    // Pages of a large append end within it.
    let mut seen = stream.positions(200).await;
    let place = stream.place.clone();
    drop(stream);
    database.sql(&append(50, "b", "T"));
    let mut stream = Stream::open(&browser, "/tail/events?after=3", place.as_deref()).await;
    seen.extend(stream.positions(503 - 3 - seen.len()).await);
    assert_eq!(seen, (4..=503).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_leaves_out_what_does_not_match_and_nothing_else() {
    let database = Database::new("console_tail_filter");
    let console = database.console().await;
    let browser = console.browser();
    let path = "/tail/events?after=0&prefix=order-&type=Placed";
    let mut stream = Stream::open(&browser, path, None).await;
    database.sql(&append(300, "noise", "Noise"));
    database.sql(&append(2, "order-1", "Placed"));
    database.sql(&append(1, "order-1", "Paid"));
    database.sql(&append(1, "order-2", "Placed"));
    assert_eq!(stream.positions(3).await, [301, 302, 304]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_it_begins_with_what_comes_now() {
    let database = Database::new("console_tail_now");
    database.sql(&append(5, "a", "Before"));
    let console = database.console().await;
    let browser = console.browser();
    let mut stream = Stream::open(&browser, "/tail/events", None).await;
    assert_eq!(stream.message().await.unwrap().0, "begin");
    assert_eq!(stream.place.as_deref(), Some("5"));
    database.sql(&append(1, "a", "T"));
    assert_eq!(stream.positions(1).await, [6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_restart_of_the_console_nor_of_the_server_loses_or_repeats_an_event() {
    let mut server = Server::start(ServerOptions::new()).unwrap();
    let url = server.create_database("console_tail_restart").unwrap();
    let sql = |server: &Server, sql: &str| server.psql("console_tail_restart", sql).unwrap();
    let console = Running::start(&url, |options| options).await;
    let mut stream = Stream::open(&console.browser(), "/tail/events?after=0", None).await;
    sql(&server, &append(5, "a", "T"));
    let mut seen = stream.positions(5).await;

    // The stream stays open while the server is away.
    server.restart().unwrap();
    sql(&server, &append(5, "a", "T"));
    seen.extend(stream.positions(5).await);

    // The end of the console is the end of the stream.
    console.stop().await;
    while stream.message().await.is_some() {}
    sql(&server, &append(5, "a", "T"));
    let console = Running::start(&url, |options| options).await;
    let place = stream.place.clone();
    let mut stream = Stream::open(&console.browser(), "/tail/events", place.as_deref()).await;
    seen.extend(stream.positions(5).await);
    assert!(seen.is_sorted_by(|one, other| one < other), "{seen:?}");
    let known = sql(
        &server,
        "SELECT string_agg(position::text, ',' ORDER BY position) FROM eventcore.events",
    );
    let known: Vec<i64> = known
        .trim()
        .split(',')
        .map(|text| text.parse().unwrap())
        .collect();
    assert_eq!(seen, known);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_is_far_behind_skips_to_the_newest_events_and_told_how_many_were_left_out() {
    let database = Database::new("console_tail_far");
    database.sql(&append(9_000, "a", "T"));
    let console = database.console().await;
    let mut stream = Stream::open(&console.browser(), "/tail/events?after=0", None).await;
    let (mut shown, mut skipped, mut last) = (0, 0, 0);
    while last < 9_000 {
        let (_, data) = stream.message().await.unwrap();
        let found = positions(&data);
        assert!(found[0] > last, "{found:?}");
        last = *found.last().unwrap();
        shown += i64::try_from(found.len()).unwrap();
        skipped += data["skipped"].as_i64().unwrap();
    }
    assert!(skipped > 0, "{shown}");
    assert_eq!(shown + skipped, 9_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_tail_has_the_newest_events_and_where_to_go_on() {
    let database = Database::new("console_tail_page");
    database.sql(&append(60, "a", "T"));
    let console = database.console().await;
    let page = console.page("/tail").await;
    assert!(
        page.contains("data-source=\"/tail/events\" data-after=\"60\""),
        "{page}"
    );
    assert_eq!(page.matches("data-position=").count(), 50);
    assert!(page.find("data-position=\"60\"") < page.find("data-position=\"59\""));
}
