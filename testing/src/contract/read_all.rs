//! Reading all events by position: pages, directions and filters.

use eventcore::{EventStore, Filter, Position, ReadAll, RecordedEvent};
use serde_json::json;

use super::{add, add_as, event_type};

/// The payloads that a read returns, which the tests number from 1 on.
async fn numbers(store: &impl EventStore, read: ReadAll) -> Vec<u64> {
    let events = store.read_all(&read).await.unwrap();
    events.iter().map(number).collect()
}

fn number(event: &RecordedEvent) -> u64 {
    event.payload.to_string().parse().unwrap()
}

/// Appends 1, 2, … to these streams and returns their positions.
async fn add_to<S: EventStore>(store: &S, names: &[&str]) -> Vec<Position> {
    let mut positions = Vec::new();
    for (n, name) in (1..).zip(names) {
        positions.push(add(store, name, n).await);
    }
    positions
}

pub async fn all_events_are_read_forward_and_backward_from_a_position_on<S>(store: &S)
where
    S: EventStore,
{
    let read = ReadAll::new;
    let none = [0; 0];
    assert_eq!(numbers(store, read()).await, none);
    assert_eq!(numbers(store, read().backward()).await, none);
    let at = add_to(store, &["a", "b", "a", "c"]).await;
    assert_eq!(numbers(store, read()).await, [1, 2, 3, 4]);
    assert_eq!(numbers(store, read().after(at[0]).limit(2)).await, [2, 3]);
    assert_eq!(numbers(store, read().limit(0)).await, none);
    assert_eq!(numbers(store, read().after(at[3])).await, none);
    let end = Position::new(u64::MAX);
    // No reader of this store can have reached that position.
    let beyond = store.read_all(&read().after(end)).await.unwrap_err();
    assert!(beyond.is_diverged() && !beyond.is_retriable(), "{beyond:?}");
    assert!(beyond.agreed_position().unwrap() < end);

    let back = || read().backward();
    assert_eq!(numbers(store, back()).await, [4, 3, 2, 1]);
    assert_eq!(numbers(store, back().limit(3)).await, [4, 3, 2]);
    assert_eq!(numbers(store, back().after(at[2])).await, [2, 1]);
    assert_eq!(numbers(store, back().after(at[0])).await, none);
    assert_eq!(numbers(store, back().after(end).limit(1)).await, [4]);
}

pub async fn all_events_are_read_page_by_page_also_while_more_come<S>(store: &S)
where
    S: EventStore,
{
    add_to(store, &["a", "b", "c", "a", "b", "c", "d", "a", "b", "c"]).await;
    let mut seen = Vec::new();
    let mut read = ReadAll::new().limit(3);
    let mut more = 11..=14;
    // A limit on the number of pages, in case a wrong store never ends.
    for _ in 0..10 {
        let page = store.read_all(&read).await.unwrap();
        let Some(last) = page.last() else { break };
        read.after = last.position;
        seen.extend(page.iter().map(number));
        if let Some(n) = more.next() {
            add(store, "late", n).await;
        }
    }
    assert_eq!(seen, (1..=14).collect::<Vec<_>>());

    let mut back = ReadAll::new().backward().limit(4);
    let mut seen = Vec::new();
    for _ in 0..10 {
        let page = store.read_all(&back).await.unwrap();
        let Some(last) = page.last() else { break };
        back.after = last.position;
        seen.extend(page.iter().map(number));
    }
    assert_eq!(seen, (1..=14).rev().collect::<Vec<_>>());
}

pub async fn a_read_without_a_limit_returns_a_thousand_events<S>(store: &S)
where
    S: EventStore,
{
    let append = (1..=1_001).fold(
        super::declare(&[("a", eventcore::ExpectedVersion::Unchecked)]),
        |append, n| append.event(super::event("a", n)),
    );
    store.append(&append).await.unwrap();
    assert_eq!(
        numbers(store, ReadAll::new()).await,
        (1..=1_000).collect::<Vec<_>>()
    );
    let more = ReadAll::new().limit(u32::MAX);
    assert_eq!(numbers(store, more).await.len(), 1_001);
}

pub async fn events_are_filtered_by_prefix_and_by_type_and_by_both<S>(store: &S)
where
    S: EventStore,
{
    let written = [
        ("account-1", "Opened"),
        ("order-1", "Opened"),
        ("account-2", "Closed"),
        ("orders", "Opened"),
        ("Account-1", "Closed"),
        ("account-1", "Closed"),
    ];
    for (n, (name, as_type)) in (1..).zip(written) {
        add_as(store, name, as_type, json!(n)).await;
    }
    let all = Filter::all;
    let filtered = async |filter| numbers(store, ReadAll::new().filter(filter)).await;
    assert_eq!(filtered(all().stream_prefix("account-")).await, [1, 3, 6]);
    assert_eq!(
        filtered(all().stream_prefix("order-").stream_prefix("account-2")).await,
        [2, 3]
    );
    assert_eq!(
        filtered(all().stream_prefix("order").stream_prefix("orders")).await,
        [2, 4]
    );
    assert_eq!(filtered(all().stream_prefix("account-1")).await, [1, 6]);
    assert_eq!(filtered(all().stream_prefix("")).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        filtered(all().event_type(event_type("Closed"))).await,
        [3, 5, 6]
    );
    let either = all()
        .event_type(event_type("Closed"))
        .event_type(event_type("Opened"));
    assert_eq!(filtered(either).await, [1, 2, 3, 4, 5, 6]);
    let both = || {
        all()
            .stream_prefix("account-")
            .event_type(event_type("Closed"))
    };
    assert_eq!(filtered(both()).await, [3, 6]);
    assert_eq!(
        filtered(all().event_type(event_type("Close"))).await,
        [0; 0]
    );

    let back = ReadAll::new().filter(both()).backward().limit(1);
    assert_eq!(numbers(store, back).await, [6]);
    let limited = ReadAll::new().filter(both()).limit(1);
    assert_eq!(numbers(store, limited).await, [3]);
}

pub async fn what_other_languages_take_for_wildcards_are_letters_in_a_prefix<S>(store: &S)
where
    S: EventStore,
{
    add_to(
        store,
        &[
            "a_b",
            "axb",
            "a%b",
            "%",
            "a\\_b",
            "a*",
            "a.b",
            "[a]",
            "^a",
            "é-1",
            "e\u{301}-1",
        ],
    )
    .await;
    let prefixes = [
        ("a_", vec![1]),
        ("a%", vec![3]),
        ("%", vec![4]),
        ("_", vec![]),
        ("a\\", vec![5]),
        ("a\\_", vec![5]),
        ("a*", vec![6]),
        ("a.", vec![7]),
        ("[a]", vec![8]),
        ("^", vec![9]),
        ("é", vec![10]),
        ("e", vec![11]),
        ("A", vec![]),
    ];
    for (prefix, expected) in prefixes {
        let filter = Filter::all().stream_prefix(prefix);
        let found = numbers(store, ReadAll::new().filter(filter)).await;
        assert_eq!(found, expected, "{prefix:?}");
    }
}
