//! Appends and reads that every store refuses, whatever it contains.

use eventcore::ExpectedVersion::{Exactly, Unchecked};
use eventcore::{
    Append, ErrorCode, EventStore, Filter, Position, ReadAll, ReadStream, ReadStreams, StoreError,
};
use serde_json::json;

use super::{declare, event, event_type, stream, with_payload};

/// Expects a refusal as malformed that names the argument, and that nothing was written.
async fn refuses(store: &impl EventStore, append: &Append, argument: &str) {
    let error = store.append(append).await.unwrap_err();
    is_malformed(&error);
    assert_eq!(error.argument(), Some(argument), "{error}");
    assert_eq!(store.safe_position().await.unwrap(), Position::START);
}

fn is_malformed(error: &StoreError) {
    assert!(error.is_malformed() && !error.is_retriable(), "{error}");
    assert_eq!(error.code(), Some(ErrorCode::Malformed));
}

pub async fn an_event_for_a_stream_that_is_not_declared_is_refused<S>(store: &S)
where
    S: EventStore,
{
    let append = declare(&[("a", Unchecked)])
        .event(event("a", 1))
        .event(event("b", 1));
    let error = store.append(&append).await.unwrap_err();
    assert!(error.is_undeclared_stream() && !error.is_retriable());
    assert_eq!(error.code(), Some(ErrorCode::UndeclaredStream));
    assert_eq!(error.stream().unwrap(), "b");
    assert_eq!(store.safe_position().await.unwrap(), Position::START);
}

/// This error comes before conflicts, because no other version makes such an append valid.
pub async fn an_undeclared_stream_is_reported_before_conflicts<S>(store: &S)
where
    S: EventStore,
{
    let append = declare(&[("a", Exactly(4))]).event(event("b", 1));
    let error = store.append(&append).await.unwrap_err();
    assert!(error.is_undeclared_stream(), "{error}");
}

pub async fn a_stream_twice_or_none_or_too_many_are_refused<S>(store: &S)
where
    S: EventStore,
{
    let twice = [("a", Unchecked), ("b", Unchecked), ("a", Unchecked)];
    refuses(store, &declare(&twice), "streams").await;
    refuses(store, &declare(&[]), "streams").await;
    let names: Vec<_> = (0..1_001).map(|n| n.to_string()).collect();
    let many: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Unchecked))
        .collect();
    refuses(store, &declare(&many), "streams").await;
}

pub async fn an_event_id_twice_is_refused<S>(store: &S)
where
    S: EventStore,
{
    let (one, two) = (event("a", 1), event("b", 2));
    let both = declare(&[("a", Unchecked), ("b", Unchecked)]);
    let twin = two.clone().event_id(one.event_id);
    let append = both.event(one).event(two).event(twin);
    refuses(store, &append, "event_ids").await;
}

pub async fn a_payload_of_null_or_with_u0000_is_refused<S>(store: &S)
where
    S: EventStore,
{
    for payload in [
        json!(null),
        json!("a\0b"),
        json!({ "text": ["a", { "deep": "\0" }] }),
        json!({ "a\0b": 1 }),
    ] {
        let bad = with_payload(&event("a", 1), payload);
        let append = declare(&[("a", Unchecked)]).event(event("a", 0)).event(bad);
        refuses(store, &append, "payloads").await;
    }
    for metadata in [json!({ "a\0b": 1 }), json!({ "by": [{ "name": "\0" }] })] {
        let bad = event("a", 1).metadata(metadata.as_object().cloned().unwrap());
        let append = declare(&[("a", Unchecked)]).event(bad);
        refuses(store, &append, "metadata").await;
    }
    // A null inside is not JSON null, and an escaped backslash is not the character U+0000.
    let good = with_payload(&event("a", 1), json!([null, "\\u0000", { "null": null }]));
    store
        .append(&declare(&[("a", Unchecked)]).event(good))
        .await
        .unwrap();
}

/// If several things are wrong, all stores name the same one.
pub async fn values_that_cannot_be_stored_are_reported_before_anything_else<S>(store: &S)
where
    S: EventStore,
{
    let null = with_payload(&event("undeclared", 1), json!(null));
    for streams in [&[][..], &[("a", Unchecked), ("a", Exactly(7))]] {
        let append = declare(streams).event(null.clone()).event(null.clone());
        refuses(store, &append, "payloads").await;
    }
}

pub async fn an_expected_version_that_no_stream_can_have_is_refused<S>(store: &S)
where
    S: EventStore,
{
    for version in [i64::MAX as u64 + 1, u64::MAX] {
        let append = declare(&[("a", Unchecked), ("b", Exactly(version))]);
        refuses(store, &append, "expected_versions").await;
    }
}

pub async fn a_read_of_a_stream_twice_or_of_too_many_is_refused<S>(store: &S)
where
    S: EventStore,
{
    let names: Vec<_> = (0..1_001).map(|n| stream(&n.to_string())).collect();
    let twice = vec![stream("a"), stream("b"), stream("a")];
    for streams in [twice, names] {
        let read = ReadStreams::new(streams.iter().cloned());
        is_malformed(&store.read_streams(&read).await.unwrap_err());
        is_malformed(&store.stream_versions(&streams).await.unwrap_err());
    }
}

pub async fn a_filter_of_more_than_a_thousand_elements_or_with_u0000_is_refused<S>(store: &S)
where
    S: EventStore,
{
    let of_types = |many: u32| {
        (0..many).fold(Filter::all(), |filter, n| {
            filter.event_type(event_type(&n.to_string()))
        })
    };
    let of_prefixes = |many: u32| {
        (0..many).fold(Filter::all(), |filter, n| {
            filter.stream_prefix(n.to_string())
        })
    };
    for good in [of_types(1_000), of_prefixes(1_000)] {
        store.read_all(&ReadAll::new().filter(good)).await.unwrap();
    }
    for bad in [of_types(1_001), of_prefixes(1_001)] {
        let error = store
            .read_all(&ReadAll::new().filter(bad))
            .await
            .unwrap_err();
        is_malformed(&error);
    }
    let nul = Filter::all().stream_prefix("a").stream_prefix("a\0");
    let error = store.read_all(&ReadAll::new().filter(nul)).await;
    is_malformed(&error.unwrap_err());
    let types = (0..1_001).map(|n| event_type(&n.to_string()));
    let one = ReadStream::new(stream("a")).event_types(types.clone());
    is_malformed(&store.read_stream(&one).await.unwrap_err());
    let several = ReadStreams::new([stream("a")]).event_types(types);
    is_malformed(&store.read_streams(&several).await.unwrap_err());
}
