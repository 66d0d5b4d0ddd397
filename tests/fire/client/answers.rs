//! One list of scenarios, run on both stores.

use eventcore::ExpectedVersion::{Exactly, Exists, Unchecked};
use eventcore::{
    Append, EventId, EventStore, EventSubscription, EventType, Filter, InMemoryEventStore,
    Metadata, Position, PostgresEventStore, ReadAll, ReadStream, ReadStreams, RecordedEvent,
    StoreError, StreamVersion, Subscribe,
};
use serde_json::{Value, json};

use super::{append, event, stream};
use crate::support::{self, PATIENCE};

/// What does not depend on the store: everything but positions, ids and times.
fn essence(events: &[RecordedEvent]) -> Vec<(String, u64, String, Value)> {
    let of = |event: &RecordedEvent| {
        let id = event.stream_id.to_string();
        (
            id,
            event.version.get(),
            event.event_type.to_string(),
            event.payload.decode().unwrap(),
        )
    };
    events.iter().map(of).collect()
}

/// The same for an error.
fn kind(error: &StoreError) -> String {
    format!(
        "{:?} retriable={} conflicts={:?} stream={:?} ids={:?} text={error}",
        error.code(),
        error.is_retriable(),
        error.conflicts(),
        error.stream(),
        error.mismatched_event_ids(),
    )
}

/// Everything that a store returns for the list of scenarios.
struct Answers(Vec<String>);

impl Answers {
    fn note(&mut self, what: impl std::fmt::Debug) {
        self.0.push(format!("{what:?}"));
    }

    async fn append<S: EventStore>(&mut self, store: &S, name: &str, append: &Append) {
        let answer = match store.append(append).await {
            Ok(done) => {
                let span = done.first_position.zip(done.last_position);
                let span = span.map(|(first, last)| last.get() - first.get() + 1);
                format!(
                    "{:?} repeated={} span={span:?}",
                    done.versions, done.repeated
                )
            }
            Err(error) => kind(&error),
        };
        self.0.push(format!("{name}: {answer}"));
    }
}

/// The scenarios. All stores get the same `ids`, so that errors that name ids are the same too.
pub(super) async fn run<S: EventSubscription>(store: &S, ids: &[EventId]) -> Vec<String> {
    let mut answers = Answers(Vec::new());
    let a = &mut answers;

    let first = append(&[("a", Exactly(0)), ("b", Exactly(0))]);
    a.append(store, "append to two streams", &first).await;
    a.append(store, "the same again", &first).await;
    a.append(
        store,
        "stale versions",
        &append(&[("b", Exactly(0)), ("a", Exactly(7))]),
    )
    .await;
    a.append(store, "existing", &append(&[("a", Exists)])).await;
    a.append(
        store,
        "not existing",
        &append(&[("c", Exists), ("b", Unchecked)]),
    )
    .await;
    a.append(store, "unchecked", &append(&[("c", Unchecked)]))
        .await;
    let undeclared = append(&[("a", Unchecked)]).event(event("x", "Happened", json!(1)));
    a.append(store, "undeclared", &undeclared).await;
    let only_checks = Append::new()
        .stream(stream("a"), Exactly(2))
        .stream(stream("nothing"), Exactly(0));
    a.append(store, "only checks", &only_checks).await;
    let failing = Append::new()
        .stream(stream("a"), Exactly(1))
        .stream(stream("nothing"), Exists);
    a.append(store, "checks that fail", &failing).await;
    a.append(store, "no streams", &Append::new()).await;
    let twice = Append::new()
        .stream(stream("a"), Unchecked)
        .stream(stream("a"), Exactly(0));
    a.append(store, "a stream twice", &twice).await;
    let too_many = (0..1_001).fold(Append::new(), |append, n| {
        append.stream(stream(&format!("m{n}")), Unchecked)
    });
    a.append(store, "too many streams", &too_many).await;
    let null = append(&[("a", Unchecked)]).event(event("a", "Happened", Value::Null));
    a.append(store, "a payload of null", &null).await;
    for payload in [json!("\u{0}"), json!({"k\u{0}": 1})] {
        let nul = Append::new()
            .stream(stream("a"), Unchecked)
            .event(event("a", "H", payload));
        a.append(store, "U+0000", &nul).await;
    }
    let impossible = append(&[("a", Exactly(u64::MAX)), ("b", Exactly(i64::MAX as u64))]);
    a.append(store, "versions out of reach", &impossible).await;

    // Repeats and mismatches, with exact versions and unchecked.
    let with = |name: &str, expected, ids: &[EventId], payload: Value| {
        ids.iter().fold(
            Append::new().stream(stream(name), expected),
            |append, id| append.event(event(name, "Known", payload.clone()).event_id(*id)),
        )
    };
    for (n, expected) in [Exactly(0), Unchecked].into_iter().enumerate() {
        let (name, ids) = (format!("known{n}"), &ids[8 * n..8 * n + 8]);
        let original = with(
            &name,
            expected,
            &ids[..3],
            json!({"a": [1, 2.5, "x"], "b": null}),
        );
        a.append(store, "original", &original).await;
        a.append(store, "repeat", &original).await;
        a.append(store, "something after it", &append(&[(&name, Exactly(3))]))
            .await;
        a.append(store, "repeat after that", &original).await;
        let other = with(
            &name,
            expected,
            &ids[..3],
            json!({"a": [1, 2.5, "y"], "b": null}),
        );
        a.append(store, "other content", &other).await;
        let part = with(
            &name,
            expected,
            &ids[..2],
            json!({"a": [1, 2.5, "x"], "b": null}),
        );
        a.append(store, "a part of it", &part).await;
        let more = with(
            &name,
            expected,
            &ids[..4],
            json!({"a": [1, 2.5, "x"], "b": null}),
        );
        a.append(store, "more than it", &more).await;
        let swapped = with(&name, expected, &[ids[1], ids[0], ids[2]], json!({"a": 1}));
        a.append(store, "in another order", &swapped).await;
        let elsewhere = with(&format!("other{n}"), expected, &ids[..1], json!(1));
        a.append(store, "an id in another stream", &elsewhere).await;
        let reused = with(&name, Exactly(4), &[ids[5], ids[1]], json!(1));
        a.append(store, "an id used again with the right version", &reused)
            .await;
        let doubled = with(&name, expected, &[ids[6], ids[6]], json!(1));
        a.append(store, "an id twice in one append", &doubled).await;
        let guarded = original.clone().stream(stream("a"), Exactly(99));
        a.append(store, "repeat with another check", &guarded).await;
    }

    reads(store, a).await;
    subscriptions(store, a).await;
    answers.0
}

async fn reads<S: EventStore>(store: &S, a: &mut Answers) {
    for n in 0..6 {
        let kind = if n % 2 == 0 { "Even" } else { "Odd" };
        let append = Append::new().stream(stream("numbers"), Exactly(n)).event(
            event(
                "numbers",
                kind,
                json!({"n": n, "text": "ü🦀", "deep": [[{"x": 0.1}]]}),
            )
            .metadata(
                [("who".to_owned(), json!("me"))]
                    .into_iter()
                    .collect::<Metadata>(),
            ),
        );
        a.append(store, "number", &append).await;
    }
    let numbers = || ReadStream::new(stream("numbers"));
    let even = EventType::new("Even").unwrap();
    for read in [
        numbers(),
        numbers().after(StreamVersion::new(2)).limit(2),
        numbers().limit(0),
        numbers().after(StreamVersion::new(6)),
        numbers().after(StreamVersion::new(u64::MAX)),
        numbers().backward(),
        numbers().backward().limit(2),
        numbers().backward().after(StreamVersion::new(3)),
        numbers().backward().after(StreamVersion::new(1)),
        numbers().backward().after(StreamVersion::new(99)),
        numbers().event_types([even.clone()]).limit(2),
        numbers().event_types([even.clone()]).backward().limit(2),
        ReadStream::new(stream("no such stream")),
    ] {
        a.note(
            store
                .read_stream(&read)
                .await
                .map(|events| essence(&events))
                .map_err(|e| kind(&e)),
        );
    }
    for read in [
        ReadStreams::new([stream("numbers"), stream("a"), stream("no such stream")]),
        ReadStreams::new([stream("a")]).stream_after(stream("numbers"), StreamVersion::new(4)),
        ReadStreams::new([stream("numbers"), stream("a")]).limit(1),
        ReadStreams::new([stream("numbers"), stream("a")]).event_types([even.clone()]),
        ReadStreams::new([stream("a"), stream("a")]),
        ReadStreams::new([]),
    ] {
        let answer = store.read_streams(&read).await;
        a.note(
            answer
                .map(|read| (essence(&read.events), read.versions))
                .map_err(|e| kind(&e)),
        );
    }
    for streams in [vec![stream("numbers"), stream("none"), stream("a")], vec![]] {
        a.note(
            store
                .stream_versions(&streams)
                .await
                .map_err(|error| kind(&error)),
        );
    }

    let all = store.read_all(&ReadAll::new()).await.unwrap();
    a.note(essence(&all));
    let last = all.last().unwrap().position;
    a.note(store.safe_position().await.unwrap() >= last);
    let middle = all[all.len() / 2].position;
    for read in [
        ReadAll::new().limit(3),
        ReadAll::new().after(middle),
        ReadAll::new().after(middle).backward(),
        ReadAll::new().backward().limit(2),
        ReadAll::new().after(last),
        ReadAll::new().filter(Filter::all().stream_prefix("known")),
        ReadAll::new()
            .filter(Filter::all().stream_prefix("a").stream_prefix("num"))
            .limit(3),
        ReadAll::new().filter(Filter::all().stream_prefix("%")),
        ReadAll::new()
            .filter(Filter::all().event_type(even).stream_prefix(""))
            .backward(),
        ReadAll::new().filter(Filter::all().stream_prefix("nothing has this prefix")),
    ] {
        a.note(
            store
                .read_all(&read)
                .await
                .map(|events| essence(&events))
                .map_err(|e| kind(&e)),
        );
    }
    // The position on which they agree differs from store to store.
    let beyond = ReadAll::new().after(Position::new(u64::MAX));
    a.note(store.read_all(&beyond).await.unwrap_err().is_diverged());
    let one = &all
        .iter()
        .find(|event| event.stream_id.as_str() == "numbers")
        .unwrap();
    let metadata = one.metadata.as_ref();
    let metadata = metadata.map(|metadata| metadata.decode::<Value>().unwrap());
    a.note((metadata, one.correlation_id, one.causation_id));
}

async fn subscriptions<S: EventSubscription>(store: &S, a: &mut Answers) {
    let all = store.read_all(&ReadAll::new()).await.unwrap();
    for subscribe in [
        Subscribe::from_start().page(3),
        Subscribe::after(all[4].position),
        Subscribe::from_start()
            .filter(Filter::all().stream_prefix("num"))
            .page(2),
    ] {
        let wanted = all
            .iter()
            .filter(|event| event.position > subscribe.after && subscribe.filter.matches(event));
        let count = wanted.count();
        let mut subscription = store.subscribe(subscribe);
        let mut seen = Vec::new();
        for _ in 0..count {
            let next = tokio::time::timeout(PATIENCE, subscription.next_event());
            seen.push(next.await.expect("no next event").unwrap());
        }
        a.note(essence(&seen));
        // And an event that is appended while it waits.
        let live = Append::new()
            .stream(stream("numbers"), Unchecked)
            .event(event("numbers", "Live", json!(1)));
        let (next, appended) = tokio::join!(subscription.next_event(), store.append(&live));
        appended.unwrap();
        a.note(essence(&[next.unwrap()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_stores_give_the_same_answers() {
    let url = support::database("same_answers");
    let postgres = PostgresEventStore::connect(&url).await.unwrap();
    let ids: Vec<_> = (0..16).map(|_| EventId::new()).collect();
    let in_memory = run(&InMemoryEventStore::new(), &ids).await;
    let in_postgres = run(&postgres, &ids).await;
    let differences: Vec<_> = in_memory
        .iter()
        .zip(&in_postgres)
        .filter(|(memory, postgres)| memory != postgres)
        .map(|(memory, postgres)| format!("memory:   {memory}\npostgres: {postgres}"))
        .collect();
    assert_eq!(in_memory.len(), in_postgres.len());
    println!("client: {} answers compared", in_memory.len());
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}
