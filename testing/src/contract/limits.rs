//! The largest and strangest values that a store must accept.

use eventcore::ExpectedVersion::{Exactly, Unchecked};
use eventcore::{ConsumerName, EventStore, EventType, ReadAll, ReadStreams, StreamId};
use serde_json::{Map, Value, json};

use super::{add_as, declare, event, read, stream, with_payload};

/// No store ever reaches these numbers.
pub async fn names_that_are_empty_too_long_or_have_control_characters_cannot_be_made<S>(_: &S)
where
    S: EventStore,
{
    let (long, wide) = ("a".repeat(256), "ü".repeat(128));
    for bad in ["", &long, &wide, "a\nb", "\t", "\0", "a\x1f", "\x7f"] {
        assert!(StreamId::new(bad).is_err(), "{bad:?}");
        assert!(EventType::new(bad).is_err(), "{bad:?}");
        assert!(ConsumerName::new(bad).is_err(), "{bad:?}");
    }
}

pub async fn names_of_255_bytes_and_of_any_letters_are_kept_letter_by_letter<S>(store: &S)
where
    S: EventStore,
{
    let long = "a".repeat(255);
    let (two, four) = (
        format!("{}x", "ü".repeat(127)),
        format!("{}abc", "🦀".repeat(63)),
    );
    let names = [
        &long[..],
        &long[..254],
        &two,
        &four,
        " ",
        " a",
        "a ",
        "A",
        "a",
        "\u{e9}",
        "e\u{301}",
        "Straße",
        "STRASSE",
        "ﬀ",
        "\u{200b}",
        "\u{feff}a",
        "مرحبا",
        "\u{10ffff}",
        "{\"a\",NULL}",
        "NULL",
        "null",
        "'; DROP TABLE events; --",
        "a\\b",
        "\\x41",
        "$1",
        "%_*?",
    ];
    for (n, name) in (0..).zip(names) {
        add_as(store, name, name, json!(n)).await;
    }
    for (n, name) in (0_u64..).zip(names) {
        let found = read(store, name).await;
        assert_eq!(found.len(), 1, "{name:?}");
        assert_eq!(found[0].stream_id, name);
        assert_eq!(found[0].event_type, name);
        assert!(found[0].payload == json!(n));
    }
    let versions = store.stream_versions(&names.map(stream)).await.unwrap();
    assert!(versions.iter().all(|version| version.get() == 1));
}

pub async fn an_append_may_declare_a_thousand_streams_and_write_all<S>(store: &S)
where
    S: EventStore,
{
    let names: Vec<_> = (0..1_000).map(|n| format!("stream-{n}")).collect();
    let streams: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Exactly(0)))
        .collect();
    let append = names.iter().fold(declare(&streams), |append, name| {
        append.event(event(name, 1))
    });
    let appended = store.append(&append).await.unwrap();
    assert_eq!(appended.versions.len(), 1_000);
    let ids: Vec<_> = names.iter().map(|name| stream(name)).collect();
    let found = store
        .read_streams(&ReadStreams::new(ids.iter().cloned()))
        .await
        .unwrap();
    assert!(found.events.iter().map(|event| &event.stream_id).eq(&ids));
    assert_eq!(found.versions, appended.versions);
}

pub async fn an_append_may_have_ten_thousand_events<S>(store: &S)
where
    S: EventStore,
{
    let append = (0..10_000).fold(declare(&[("a", Exactly(0))]), |append, n| {
        append.event(event("a", n))
    });
    let appended = store.append(&append).await.unwrap();
    assert_eq!(appended.versions[0].get(), 10_000);
    let all = store.read_all(&ReadAll::new().limit(20_000)).await.unwrap();
    assert_eq!(all.len(), 10_000);
    assert!(
        (0_u64..)
            .zip(&all)
            .all(|(n, event)| event.payload == json!(n))
    );
}

pub async fn every_json_value_but_null_is_kept<S>(store: &S)
where
    S: EventStore,
{
    let wide: Map<String, Value> = (0..2_000)
        .map(|n| (format!("field {n}"), json!(n)))
        .collect();
    let payloads = [
        json!({}),
        json!([]),
        json!(""),
        json!(false),
        json!({ "": { "": [[], {}, null, ""] } }),
        json!({ "quote\" \\ / \u{8}\u{c}\n\r\t": "\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}\u{2028}" }),
        json!("🦀 e\u{301} \u{e9} \u{feff}\u{fffd}\u{10ffff}"),
        nested(100),
        Value::Object(wide),
        json!("x".repeat(3_000_000)),
    ];
    comes_back(store, &payloads).await;
}

/// What a Rust program writes, a Rust program can decode.
pub async fn metadata_is_nested_as_deep_as_it_can_be_read_and_no_deeper<S>(store: &S)
where
    S: EventStore,
{
    // The metadata itself is the first level.
    for (depth, is_kept) in [(126, true), (127, false), (1_000, false)] {
        let metadata = Map::from_iter([("deep".to_owned(), nested(depth))]);
        let append = declare(&[("a", Unchecked)]).event(event("a", 1).metadata(metadata.clone()));
        match store.append(&append).await {
            Ok(_) => assert!(is_kept, "{depth}"),
            Err(error) => assert!(error.is_malformed() && !is_kept, "{depth}: {error}"),
        }
        let all = store.read_all(&ReadAll::new()).await.unwrap();
        assert_eq!(all.len(), 1);
        assert!(depth > 126 || all[0].metadata == Some(metadata.into()));
    }
}

pub async fn whole_numbers_are_kept_digit_by_digit<S>(store: &S)
where
    S: EventStore,
{
    let payloads = [
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!([9_007_199_254_740_993_u64, 1_000_000_000_000_000_000_u64]),
    ];
    comes_back(store, &payloads).await;
}

/// The same number in any notation: 1e300 may come back with 300 zeros.
pub async fn fractions_are_kept_to_the_last_bit<S>(store: &S)
where
    S: EventStore,
{
    let numbers = [
        0.1,
        -2.5,
        1.0,
        1e15,
        1e17,
        1e300,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
    ];
    let mut random = fastrand::Rng::with_seed(1);
    let drawn = std::iter::repeat_with(|| f64::from_bits(random.u64(..))).filter(|n| n.is_finite());
    for (n, number) in numbers.into_iter().chain(drawn.take(50)).enumerate() {
        add_as(store, &format!("number-{n}"), "Measured", json!(number)).await;
        let read = read(store, &format!("number-{n}")).await.remove(0);
        let text = read.payload.to_string();
        assert_eq!(text.parse::<f64>().unwrap(), number, "{text}");
    }
}

async fn comes_back(store: &impl EventStore, payloads: &[Value]) {
    let append = payloads
        .iter()
        .fold(declare(&[("a", Unchecked)]), |append, payload| {
            append.event(with_payload(&event("a", 0), payload.clone()))
        });
    store.append(&append).await.unwrap();
    let found = read(store, "a").await;
    assert_eq!(found.len(), payloads.len());
    for (found, sent) in found.iter().zip(payloads) {
        let shown: String = sent.to_string().chars().take(200).collect();
        assert!(found.payload == *sent, "{shown}");
    }
}

/// Arrays and objects, nested this deep.
fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, n| {
        if n % 2 == 0 {
            json!([inner])
        } else {
            json!({ "in": inner })
        }
    })
}
