//! How often the Rust client calls the server for a command: once to read, once to append.

mod proxy;

use eventcore::{
    Command, CommandError, CommandLogic, Event, NewEvents, PostgresEventStore, StoredEvent,
    StreamId, Streams, emit, execute,
};
use eventcore_harness::shared;
use serde::{Deserialize, Serialize};

use self::proxy::Proxy;

#[derive(Debug, Serialize, Deserialize, Event)]
struct Counted {
    seen: u64,
}

/// Writes to each of its streams how many notes all of them have.
#[derive(Command)]
struct Count {
    #[stream]
    streams: Vec<StreamId>,
}

impl CommandLogic for Count {
    type State = u64;
    type Event = Counted;

    fn apply(&self, seen: u64, _: &StoredEvent<Counted>) -> u64 {
        seen + 1
    }

    fn handle(&self, seen: u64, to: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        let mut events = NewEvents::new();
        for stream in &to.streams {
            emit!(events, stream, Counted { seen });
        }
        Ok(events)
    }
}

fn count(streams: usize) -> Count {
    let stream = |number| StreamId::new(format!("of-{streams}-{number}")).unwrap();
    Count {
        streams: (0..streams).map(stream).collect(),
    }
}

/// The first command on a connection takes more, because each statement is prepared once. So one
/// command runs before those that are counted.
#[tokio::test]
async fn a_command_takes_two_round_trips_however_many_streams_it_has() {
    let server = shared();
    let url = server.create_database("round_trips").unwrap();
    let proxy = Proxy::start(server, "p");
    let folder = |folder: &std::path::Path| folder.display().to_string();
    let url = url.replace(&folder(server.socket_folder()), &folder(proxy.folder()));
    let builder = PostgresEventStore::builder(&url).unwrap().pool_size(1);
    let store = builder.clone().connect().await.unwrap();

    let (round_trips, done) = proxy.during(execute(&store, &count(1))).await;
    done.unwrap();
    assert_eq!(round_trips, 4, "two statements prepared, and run");

    for streams in [1, 2, 5] {
        for _again in 0..3 {
            let (round_trips, done) = proxy.during(execute(&store, &count(streams))).await;
            assert_eq!(done.unwrap().versions.len(), streams);
            assert_eq!(round_trips, 2, "{streams} streams");
        }
    }
    let unprepared = builder.transaction_pooling(true).connect().await.unwrap();
    for streams in [1, 5] {
        let (round_trips, done) = proxy.during(execute(&unprepared, &count(streams))).await;
        done.unwrap();
        assert_eq!(round_trips, 2, "{streams} streams, behind a pooler");
    }
}
