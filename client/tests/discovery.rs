//! Streams that a command discovers while reading.

mod support;
#[path = "support/watched.rs"]
mod watched;

use eventcore::{
    AsyncCommandLogic, Command, CommandError, CommandLogic, Event, NewEvents, RetryPolicy,
    StoredEvent, StreamId, StreamResolver, Streams, emit, execute, execute_with, require,
};
use serde::{Deserialize, Serialize};
use support::stream;
use watched::{Call, Watched, write};

/// A stream refers to others: `Linked` with 7 refers to the stream `s-7`.
#[derive(Debug, Serialize, Deserialize, Event)]
enum LinkEvent {
    Linked { n: u64 },
    Visited { n: u64 },
}

/// Writes to every discovered stream.
#[derive(Command)]
struct Visit {
    #[stream]
    start: StreamId,
    #[stream]
    others: Vec<StreamId>,
    /// Rejects itself if it has found this many streams.
    at_most: usize,
}

impl Visit {
    fn from(start: &str) -> Self {
        Self {
            start: stream(start),
            others: Vec::new(),
            at_most: 1_000,
        }
    }
}

#[derive(Default)]
struct Found {
    links: Vec<StreamId>,
}

impl CommandLogic for Visit {
    type State = Found;
    type Event = LinkEvent;

    fn apply(&self, mut found: Found, stored: &StoredEvent<LinkEvent>) -> Found {
        if let LinkEvent::Linked { n } = stored.event {
            found.links.push(stream(&format!("s-{n}")));
        }
        found
    }

    fn handle(
        &self,
        found: Found,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        require!(found.links.len() <= self.at_most, "too many");
        let mut events = NewEvents::new();
        for discovered in streams.all_discovered() {
            emit!(events, discovered, LinkEvent::Visited { n: 0 });
        }
        if let Some(last) = found.links.last() {
            emit!(
                events,
                streams.discovered(last)?,
                LinkEvent::Visited { n: 1 }
            );
        }
        emit!(events, streams.start, LinkEvent::Visited { n: 2 });
        Ok(events)
    }

    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Found>> {
        Some(self)
    }
}

impl StreamResolver<Found> for Visit {
    fn discover_related_streams(&self, found: &Found) -> Vec<StreamId> {
        found.links.clone()
    }
}

fn read(streams: &[&str]) -> Call {
    Call::Read(
        streams
            .iter()
            .map(|stream| (stream.to_string(), 0))
            .collect(),
    )
}

#[tokio::test]
async fn each_stream_is_read_once_and_each_round_of_discovery_is_one_read() {
    let store = Watched::default();
    for (from, to) in [
        ("a", 1),
        ("a", 2),
        ("s-1", 3),
        ("s-2", 3),
        ("s-3", 1),
        ("s-3", 9),
    ] {
        write(store.inner(), from, "Linked", to);
    }
    let visit = Visit {
        others: vec![stream("s-9")],
        ..Visit::from("a")
    };
    let done = execute(&store, &visit).await.unwrap();
    let reads = [
        read(&["a", "s-9"]),
        read(&["s-1", "s-2"]),
        read(&["s-3"]),
        Call::Append,
    ];
    assert_eq!(store.interceptor().calls(), reads);
    let streams: Vec<_> = done
        .versions
        .iter()
        .map(|(stream, _)| stream.as_str())
        .collect();
    assert_eq!(streams, ["a", "s-9", "s-1", "s-2", "s-3"]);
    let written: Vec<_> = done
        .written
        .iter()
        .map(|event| {
            (
                event.stream_id.as_str(),
                event.version.get(),
                event.position.get(),
            )
        })
        .collect();
    let expected = [
        ("s-1", 2, 7),
        ("s-2", 2, 8),
        ("s-3", 3, 9),
        ("s-9", 1, 10),
        ("a", 3, 11),
    ];
    assert_eq!(written, expected);
}

#[tokio::test]
async fn a_discovered_stream_that_moved_is_a_conflict_and_the_command_discovers_again() {
    let mut disturbed = false;
    let store = watched::stepping_in(move |store, call| {
        if *call == Call::Append && !disturbed {
            disturbed = true;
            write(store, "s-1", "Linked", 2);
        }
    });
    write(store.inner(), "a", "Linked", 1);
    let done = execute(&store, &Visit::from("a")).await.unwrap();
    assert_eq!(done.attempts, 2);
    assert_eq!(done.version_of(&stream("s-2")).unwrap().get(), 2);
    let again = [read(&["a"]), read(&["s-1"]), read(&["s-2"]), Call::Append];
    assert_eq!(store.interceptor().calls()[3..], again);
}

#[tokio::test]
async fn a_rejection_counts_only_if_all_that_was_read_held_together() {
    let mut disturbed = false;
    let store = watched::stepping_in(move |store, call| {
        // After `a` was read: `s-1` is now longer than it ever was together with what `a` said.
        if *call == read(&["s-1"]) && !disturbed {
            disturbed = true;
            write(store, "a", "Visited", 1);
        }
    });
    write(store.inner(), "a", "Linked", 1);
    let visit = Visit {
        at_most: 0,
        ..Visit::from("a")
    };
    let error = execute(&store, &visit).await.unwrap_err();
    assert!(error.is_business_rule(), "{error:?}");
    assert_eq!(error.attempts(), 2);
    let once = [read(&["a"]), read(&["s-1"]), Call::Append];
    assert_eq!(store.interceptor().calls(), [once.clone(), once].concat());
}

#[tokio::test]
async fn a_stream_that_was_not_discovered_has_no_handle() {
    /// Asks for the handle of a stream that no event refers to.
    #[derive(Command)]
    struct Presume {
        #[stream]
        start: StreamId,
    }
    impl CommandLogic for Presume {
        type State = ();
        type Event = LinkEvent;
        fn apply(&self, (): (), _: &StoredEvent<LinkEvent>) {}
        fn handle(&self, (): (), streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
            let mut events = NewEvents::new();
            emit!(
                events,
                streams.discovered(&self.start)?,
                LinkEvent::Visited { n: 1 }
            );
            emit!(
                events,
                streams.discovered(&stream("other"))?,
                LinkEvent::Visited { n: 2 }
            );
            Ok(events)
        }
    }
    let store = Watched::default();
    let error = execute(&store, &Presume { start: stream("a") })
        .await
        .unwrap_err();
    assert!(error.is_undeclared_stream() && !error.is_business_rule() && !error.is_retriable());
    assert!(error.to_string().contains("\"other\""), "{error}");
    assert_eq!(store.interceptor().calls(), [read(&["a"])]);
}

/// Discovers new streams without end, this many at a time.
#[derive(Command)]
struct Endless {
    #[stream]
    start: StreamId,
    at_a_time: usize,
}

impl CommandLogic for Endless {
    type State = ();
    type Event = LinkEvent;

    fn apply(&self, (): (), _: &StoredEvent<LinkEvent>) {}

    fn handle(&self, (): (), _: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        Ok(NewEvents::new())
    }

    fn stream_resolver(&self) -> Option<&dyn StreamResolver<()>> {
        Some(self)
    }
}

impl StreamResolver<()> for Endless {
    fn discover_related_streams(&self, (): &()) -> Vec<StreamId> {
        let new = || stream(&eventcore::EventId::new().to_string());
        (0..self.at_a_time).map(|_| new()).collect()
    }
}

#[tokio::test]
async fn discovery_that_does_not_end_is_an_error_that_says_so() {
    for (at_a_time, reads) in [(1, 101), (1_000, 1)] {
        let store = Watched::default();
        let endless = Endless {
            start: stream("a"),
            at_a_time,
        };
        let error = execute(&store, &endless).await.unwrap_err();
        assert!(
            error.is_runaway_discovery() && !error.is_retriable(),
            "{error}"
        );
        assert_eq!(error.attempts(), 1);
        assert_eq!(store.interceptor().calls().len(), reads);
    }
}

/// Like `Visit`, but its decision takes a while.
#[derive(Command)]
struct Ask {
    #[stream]
    start: StreamId,
}

impl AsyncCommandLogic for Ask {
    type State = Found;
    type Event = LinkEvent;

    fn apply(&self, mut found: Found, stored: &StoredEvent<LinkEvent>) -> Found {
        if let LinkEvent::Linked { n } = stored.event {
            found.links.push(stream(&format!("s-{n}")));
        }
        found
    }

    async fn handle(
        &self,
        found: Found,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        tokio::task::yield_now().await;
        let Some(last) = found.links.last() else {
            return Err(CommandError::failed("no answer"));
        };
        let mut events = NewEvents::new();
        emit!(
            events,
            streams.discovered(last)?,
            LinkEvent::Visited { n: 1 }
        );
        Ok(events)
    }

    fn stream_resolver(&self) -> Option<&dyn StreamResolver<Found>> {
        Some(self)
    }
}

impl StreamResolver<Found> for Ask {
    fn discover_related_streams(&self, found: &Found) -> Vec<StreamId> {
        found.links.clone()
    }
}

#[tokio::test]
async fn a_command_that_awaits_is_executed_like_any_other() {
    let store = Watched::default();
    let ask = Ask { start: stream("a") };
    let error = execute(&store, &ask).await.unwrap_err();
    assert!(error.command().unwrap().is_failure() && !error.is_business_rule());
    assert!(error.to_string().contains("no answer"), "{error}");

    write(store.inner(), "a", "Linked", 1);
    let never = RetryPolicy::none();
    let options = eventcore::ExecuteOptions::new().retry(never);
    let done = tokio::spawn(async move { execute_with(&store, &ask, &options).await });
    let done = done.await.unwrap().unwrap();
    assert_eq!(done.version_of(&stream("s-1")).unwrap().get(), 1);
    assert_eq!(done.version_of(&stream("a")).unwrap().get(), 1);
}
