//! Expected versions: when they hold, and what the error reports when they do not.

use eventcore::ExpectedVersion::{Exactly, Exists, Unchecked};
use eventcore::{EventStore, ReadAll, StreamVersion, VersionConflict};

use super::{add, declare, event, read, stream, told};

pub async fn every_kind_of_expected_version_holds_where_it_should_and_nowhere_else<S>(store: &S)
where
    S: EventStore,
{
    let large = Exactly(i64::MAX as u64);
    let demands = [
        Unchecked,
        Exists,
        Exactly(0),
        Exactly(1),
        Exactly(2),
        Exactly(3),
        large,
    ];
    for actual in 0..=2 {
        for (number, expected) in demands.into_iter().enumerate() {
            for writes in [false, true] {
                let name = format!("at-{actual}-{number}-{writes}");
                for n in 0..actual {
                    add(store, &name, n).await;
                }
                let mut append = declare(&[(&name, expected)]);
                if writes {
                    append = append.event(event(&name, 9));
                }
                let appended = store.append(&append).await;
                let holds = expected.holds(actual);
                assert_eq!(
                    appended.is_ok(),
                    holds,
                    "{expected} at {actual}: {appended:?}"
                );
                match appended {
                    Ok(appended) => assert_eq!(
                        appended.versions,
                        [StreamVersion::new(actual + u64::from(writes))]
                    ),
                    Err(error) => {
                        let conflict = VersionConflict {
                            stream: stream(&name),
                            expected,
                            actual,
                        };
                        assert_eq!(error.conflicts(), [conflict]);
                    }
                }
                let now = read(store, &name).await.len() as u64;
                assert_eq!(now, actual + u64::from(holds && writes));
            }
        }
    }
}

pub async fn all_conflicts_are_reported_at_once_and_nothing_is_written<S>(store: &S)
where
    S: EventStore,
{
    add(store, "a", 1).await;
    let streams = [
        ("e", Unchecked),
        ("d", Exactly(7)),
        ("a", Exactly(0)),
        ("c", Exactly(0)),
        ("b", Exists),
    ];
    let stale = declare(&streams).event(event("c", 1)).event(event("e", 1));
    let error = store.append(&stale).await.unwrap_err();
    assert!(error.is_version_conflict() && error.is_retriable());
    let conflict = |name, expected, actual| VersionConflict {
        stream: stream(name),
        expected,
        actual,
    };
    assert_eq!(
        error.conflicts(),
        [
            conflict("d", Exactly(7), 0),
            conflict("a", Exactly(0), 1),
            conflict("b", Exists, 0)
        ]
    );
    let all = store.read_all(&ReadAll::new()).await.unwrap();
    assert_eq!(told(&all), ["a@1:1"]);
}

pub async fn a_thousand_conflicts_are_reported_too<S>(store: &S)
where
    S: EventStore,
{
    let names: Vec<_> = (0..1_000).map(|n| format!("stream-{n}")).collect();
    let streams: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Exactly(5)))
        .collect();
    let error = store.append(&declare(&streams)).await.unwrap_err();
    let reported = error
        .conflicts()
        .iter()
        .map(|conflict| conflict.stream.as_str());
    assert!(reported.eq(names.iter().map(String::as_str)), "{error}");
}

pub async fn after_a_conflict_the_same_events_can_be_written_where_the_stream_is_now<S>(store: &S)
where
    S: EventStore,
{
    add(store, "a", 1).await;
    let mut append = declare(&[("a", Exactly(0))]).event(event("a", 2));
    let error = store.append(&append).await.unwrap_err();
    append.streams[0].1 = Exactly(error.conflicts()[0].actual);
    let appended = store.append(&append).await.unwrap();
    assert!(!appended.repeated);
    assert_eq!(told(&read(store, "a").await), ["a@1:1", "a@2:2"]);
}
