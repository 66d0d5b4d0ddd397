//! Server-sent events.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Ground, LIMIT, Running};

/// One server-sent event.
#[derive(Debug, Clone, PartialEq)]
struct Sent {
    id: String,
    event: String,
    data: Value,
}

/// The events up to the signal that there are no more, or up to one of this type.
async fn follow(shop: &Running, path: &str, last: Option<&str>, until: &str) -> Vec<Sent> {
    let mut request = shop.request(Method::GET, path);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let (mut text, mut seen, mut events) = (String::new(), 0, Vec::new());
    let mut bytes = Box::pin(futures_util::stream::unfold(
        response,
        |mut response| async {
            let chunk = response.chunk().await.unwrap()?;
            Some((chunk, response))
        },
    ));
    let reading = async {
        while let Some(chunk) = bytes.next().await {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text[seen..].find("\n\n") {
                let block = &text[seen..seen + end];
                seen += end + 2;
                let field = |name: &str| {
                    let mut found = block.lines().filter_map(|line| line.strip_prefix(name));
                    found.next().unwrap_or_default().to_owned()
                };
                let data = serde_json::from_str(&field("data: ")).unwrap_or(Value::Null);
                let sent = Sent {
                    id: field("id: "),
                    event: field("event: "),
                    data,
                };
                let is_last = sent.event == until;
                events.push(sent);
                if is_last {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(LIMIT, reading)
        .await
        .expect("the event does not come");
    events
}

pub(crate) async fn live_updates_go_on_after_the_last_event_id(ground: Ground) {
    let shop = ground.start().await;
    shop.stock("A", 10).await;
    let order = shop.order(&[("A", 1)]).await;
    let all = follow(&shop, "/live?after=0", None, "caught-up").await;
    let types: Vec<_> = all.iter().map(|sent| sent.event.as_str()).collect();
    assert_eq!(
        types,
        ["StockReceived", "OrderCreated", "ItemAdded", "caught-up"]
    );
    assert_eq!(all[0].data.get("order_id"), None);
    assert_eq!(
        (&all[1].data["order_id"], &all[1].data["version"]),
        (&json!(order), &json!(1))
    );
    assert_eq!(
        all[2].data["payload"]["unit_price"],
        json!({ "cents": 1_000 })
    );

    // Whatever a reader has seen last, it gets what follows.
    for (seen, sent) in all[..3].iter().enumerate() {
        let rest = follow(&shop, "/live", Some(&sent.id), "caught-up").await;
        assert_eq!(rest, all[seen + 1..]);
    }
    // And what happens from then on, while it is connected.
    let last = all[3].id.clone();
    let (live, ended) = tokio::join!(
        follow(&shop, "/live", Some(&last), "FulfilmentCompleted"),
        shop.fulfil(&order)
    );
    assert_eq!(ended, "Completed");
    let events: Vec<_> = live
        .iter()
        .filter(|sent| sent.event != "caught-up")
        .collect();
    let positions: Vec<_> = events
        .iter()
        .map(|sent| sent.data["position"].as_u64())
        .collect();
    assert!(positions.is_sorted(), "{positions:?}");
    for expected in [
        "OrderSubmitted",
        "StockReserved",
        "PaymentTaken",
        "ShipmentBooked",
    ] {
        assert!(
            events.iter().any(|sent| sent.event == expected),
            "{expected}: {events:?}"
        );
    }
}

pub(crate) async fn live_updates_of_one_order_are_its_events(ground: Ground) {
    let shop = ground.start().await;
    shop.stock("A", 9).await;
    let order = shop.order(&[("A", 1)]).await;
    let other = shop.order(&[("A", 2)]).await;
    for order in [&order, &other] {
        assert_eq!(shop.fulfil(order).await, "Completed");
    }
    let path = format!("/live?after=0&order_id={order}");
    let events = follow(&shop, &path, None, "caught-up").await;
    let types: Vec<_> = events.iter().map(|sent| sent.event.as_str()).collect();
    assert_eq!(types[..2], ["OrderCreated", "ItemAdded"]);
    assert!(types.contains(&"FulfilmentCompleted"), "{types:?}");
    let reserved = events.iter().filter(|sent| sent.event == "StockReserved");
    let reserved: Vec<_> = reserved.map(|sent| &sent.data["order_id"]).collect();
    assert_eq!(reserved, [&json!(order)]);
    assert!(!types.contains(&"StockReceived"), "{types:?}");
}

pub(crate) async fn a_position_from_another_history_is_reset(ground: Ground) {
    let shop = ground.start().await;
    shop.order(&[("A", 1)]).await;
    let events = follow(&shop, "/live", Some("1000000"), "caught-up").await;
    let types: Vec<_> = events.iter().map(|sent| sent.event.as_str()).collect();
    assert_eq!(types, ["reset", "caught-up"]);
}
