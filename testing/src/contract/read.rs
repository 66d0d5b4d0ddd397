//! Reading one stream, and several in one snapshot.

use eventcore::ExpectedVersion::Unchecked;
use eventcore::{EventStore, ReadStream, ReadStreams, StreamVersion};
use serde_json::json;

use super::{add, add_as, declare, event, event_type, stream, told};

/// The versions that a read returns.
async fn versions(store: &impl EventStore, read: ReadStream) -> Vec<u64> {
    let events = store.read_stream(&read).await.unwrap();
    assert!(events.iter().all(|event| event.stream_id == read.stream_id));
    events.iter().map(|event| event.version.get()).collect()
}

fn version(number: u64) -> StreamVersion {
    StreamVersion::new(number)
}

pub async fn a_stream_is_read_forward_and_backward_from_a_version_on_up_to_a_limit<S>(store: &S)
where
    S: EventStore,
{
    for n in 1..=5 {
        add(store, "a", n).await;
        add(store, "b", 100 + n).await;
    }
    let a = || ReadStream::new(stream("a"));
    let (all, none) = ([1, 2, 3, 4, 5], [0; 0]);
    assert_eq!(versions(store, a()).await, all);
    assert_eq!(versions(store, a().limit(5)).await, all);
    assert_eq!(versions(store, a().limit(u32::MAX)).await, all);
    assert_eq!(versions(store, a().limit(0)).await, none);
    assert_eq!(
        versions(store, a().after(version(2)).limit(2)).await,
        [3, 4]
    );
    assert_eq!(versions(store, a().after(version(5))).await, none);
    assert_eq!(versions(store, a().after(version(u64::MAX))).await, none);
    assert_eq!(versions(store, ReadStream::new(stream("none"))).await, none);

    let back = || a().backward();
    assert_eq!(versions(store, back()).await, [5, 4, 3, 2, 1]);
    assert_eq!(versions(store, back().limit(2)).await, [5, 4]);
    assert_eq!(versions(store, back().limit(0)).await, none);
    assert_eq!(versions(store, back().after(version(3))).await, [2, 1]);
    assert_eq!(versions(store, back().after(version(1))).await, none);
    assert_eq!(
        versions(store, back().after(version(9)).limit(1)).await,
        [5]
    );
    assert_eq!(
        versions(store, back().after(version(u64::MAX)).limit(1)).await,
        [5]
    );
}

/// The limit counts matching events, not skipped ones.
pub async fn a_stream_is_read_by_event_type<S>(store: &S)
where
    S: EventStore,
{
    for n in 1..=9 {
        add_as(store, "a", ["Even", "Odd", "odd"][n as usize % 3], json!(n)).await;
    }
    let of = |types: &[&str]| {
        let types: Vec<_> = types.iter().map(|name| event_type(name)).collect();
        ReadStream::new(stream("a")).event_types(types)
    };
    assert_eq!(versions(store, of(&["Odd"])).await, [1, 4, 7]);
    assert_eq!(versions(store, of(&["Odd"]).limit(2)).await, [1, 4]);
    assert_eq!(
        versions(store, of(&["Odd", "Even"])).await,
        [1, 3, 4, 6, 7, 9]
    );
    assert_eq!(
        versions(store, of(&["Odd"]).backward().limit(2)).await,
        [7, 4]
    );
    assert_eq!(
        versions(store, of(&["Odd"]).after(version(1)).limit(1)).await,
        [4]
    );
    assert_eq!(versions(store, of(&["Od"])).await, [0; 0]);
    assert_eq!(versions(store, of(&["O%", "Od_"])).await, [0; 0]);
}

pub async fn a_stream_is_read_page_by_page_forward_and_backward<S>(store: &S)
where
    S: EventStore,
{
    let append = (1..=50).fold(declare(&[("a", Unchecked)]), |append, n| {
        append.event(event("a", n))
    });
    store.append(&append).await.unwrap();
    for backward in [false, true] {
        let mut seen = Vec::new();
        let mut read = ReadStream::new(stream("a")).limit(7);
        if backward {
            read = read.backward();
        }
        // A limit on the number of pages, in case a wrong store never ends.
        for _ in 0..10 {
            let page = versions(store, read.clone()).await;
            assert!(page.len() <= 7);
            let Some(last) = page.last() else { break };
            read.after = version(*last);
            seen.extend(page);
            // There is nothing before the first event, and 0 would mean the end.
            if backward && read.after == version(1) {
                break;
            }
        }
        if backward {
            seen.reverse();
        }
        assert_eq!(seen, (1..=50).collect::<Vec<_>>());
    }
}

pub async fn several_streams_are_read_in_the_order_given_each_after_its_version<S>(store: &S)
where
    S: EventStore,
{
    for n in 1..=3 {
        add(store, "a", n).await;
        add(store, "b", n).await;
    }
    let read =
        ReadStreams::new([stream("b"), stream("none")]).stream_after(stream("a"), version(2));
    let found = store.read_streams(&read).await.unwrap();
    assert_eq!(told(&found.events), ["b@1:1", "b@2:2", "b@3:3", "a@3:3"]);
    assert_eq!(found.versions, [3, 0, 3].map(version));

    let limited = store.read_streams(&read.limit(1)).await.unwrap();
    assert_eq!(told(&limited.events), ["b@1:1", "a@3:3"]);
    assert_eq!(limited.versions, [1, 0, 3].map(version));

    let nothing = store.read_streams(&ReadStreams::default()).await.unwrap();
    assert!(nothing.events.is_empty() && nothing.versions.is_empty());
}

/// The result reports how far a stream was read, even if nothing was found there.
pub async fn several_streams_are_read_by_event_type_and_from_beyond_their_end<S>(store: &S)
where
    S: EventStore,
{
    for (n, name) in [(1, "Odd"), (2, "Even"), (3, "Odd"), (4, "Even")] {
        add_as(store, "a", name, json!(n)).await;
        add_as(store, "b", name, json!(n)).await;
    }
    let read = ReadStreams::new([stream("a")])
        .stream_after(stream("b"), version(3))
        .event_types([event_type("Odd")]);
    let found = store.read_streams(&read).await.unwrap();
    assert_eq!(told(&found.events), ["a@1:1", "a@3:3"]);
    assert_eq!(found.versions, [3, 3].map(version));

    let beyond = ReadStreams::default().stream_after(stream("a"), version(9));
    let found = store.read_streams(&beyond).await.unwrap();
    assert_eq!((found.events.len(), found.versions), (0, vec![version(9)]));
}
