//! Commands on what their process has cached, across a fail-over that lost events.

use eventcore::{
    Command, CommandError, CommandLogic, Event, EventCache, ExecuteOptions, Execution, NewEvents,
    PostgresEventStore, Snapshots, StateCache, StoredEvent, StreamId, Streams, emit, execute_with,
    require,
};
use eventcore_harness::Server;
use serde::{Deserialize, Serialize};

use super::stream;
use crate::support::*;

#[derive(Debug, Serialize, Deserialize, Event)]
enum Spending {
    Spent { cents: u64 },
}

/// Spends one cent of a credit.
#[derive(Command)]
struct Spend {
    #[stream]
    account: StreamId,
    credit: u64,
    /// Whether its state is cached, or else the events.
    state: bool,
}

impl CommandLogic for Spend {
    type State = u64;
    type Event = Spending;

    fn apply(&self, spent: u64, stored: &StoredEvent<Spending>) -> u64 {
        let Spending::Spent { cents } = stored.event;
        spent + cents
    }

    fn handle(&self, spent: u64, streams: Streams<Self>) -> Result<NewEvents<Self>, CommandError> {
        require!(spent < self.credit, "{spent} are spent");
        let mut events = NewEvents::new();
        emit!(events, streams.account, Spending::Spent { cents: 1 });
        Ok(events)
    }

    fn snapshots(&self) -> Option<Snapshots<u64>> {
        self.state.then(|| Snapshots::named("spent").every(1_000))
    }
}

/// A process with its caches.
struct Process {
    account: &'static str,
    state: bool,
    options: ExecuteOptions,
}

impl Process {
    async fn spend(&self, server: &Server, credit: u64) -> Result<Execution, String> {
        let store = PostgresEventStore::connect(&server.url("store"))
            .await
            .unwrap();
        let command = Spend {
            account: stream(self.account),
            credit,
            state: self.state,
        };
        let done = execute_with(&store, &command, &self.options).await;
        done.map_err(|error| error.to_string())
    }
}

/// With each kind of cache, reading first and not.
fn processes() -> Vec<Process> {
    let options = ExecuteOptions::new();
    let state = |reads: bool| {
        let cache = StateCache::new(10);
        options.clone().state_cache(cache).skip_read(!reads)
    };
    let events = |reads: bool| {
        let cache = EventCache::new(100);
        options.clone().event_cache(cache).skip_read(!reads)
    };
    [
        ("state-read", true, state(true)),
        ("state", true, state(false)),
        ("events-read", false, events(true)),
        ("events", false, events(false)),
    ]
    .map(|(account, state, options)| Process {
        account,
        state,
        options,
    })
    .into()
}

#[tokio::test]
async fn what_is_cached_of_lost_events_decides_nothing() {
    let mut primary = Server::start(options()).unwrap();
    primary.create_database("store").unwrap();
    let mut standby = primary.standby().unwrap();
    let processes = processes();
    for process in &processes {
        for _ in 0..5 {
            process.spend(&primary, 10).await.unwrap();
        }
    }
    standby.catch_up_with(&primary).unwrap();
    standby.stop().unwrap();
    for process in &processes {
        for version in 6..=9 {
            let done = process.spend(&primary, 10).await.unwrap();
            assert_eq!(done.versions[0].1.get(), version);
        }
    }
    primary.kill_postmaster_9().unwrap();
    standby.start_again().unwrap();
    standby.promote().unwrap();

    // Others spend more, in as many events: the streams are at the versions that are cached.
    let others = connect(&standby.url("store")).await;
    for process in &processes {
        let append = format!(
            "SELECT eventcore_append(ARRAY['{0}'], '{{5}}', array_fill('{0}'::text, '{{4}}'),
                                     array_fill('Spent'::text, '{{4}}'), array_fill('{{\"cents\": 100}}'::jsonb, '{{4}}'), NULL)",
            process.account
        );
        others.batch_execute(&append).await.unwrap();
    }
    for process in &processes {
        let rejected = process.spend(&standby, 10).await.unwrap_err();
        assert!(
            rejected.contains("405 are spent"),
            "{}: {rejected}",
            process.account
        );
        // It goes on from there, on what it has cached again.
        for version in 10..=12 {
            let done = process.spend(&standby, 1_000).await.unwrap();
            assert_eq!(done.versions[0].1.get(), version, "{}", process.account);
            assert_eq!(done.attempts, 1);
        }
    }
}
