//! Commands on the in-memory store: reading and folding their streams, deciding, appending.

mod accounts;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eventcore::{
    Command, CommandError, CommandLogic, NewEvents, StoredEvent, StreamId, Streams, emit, execute,
    require,
};

use crate::accounts::{AccountEvent, account, now, store};

#[derive(Command)]
struct Transfer {
    #[stream]
    from: StreamId,
    #[stream]
    to: StreamId,
    /// With 0 nothing is written.
    cents: u64,
}

impl CommandLogic for Transfer {
    /// The balance of `from`.
    type State = u64;
    type Event = AccountEvent;

    fn apply(&self, balance: u64, stored: &StoredEvent<AccountEvent>) -> u64 {
        match &stored.event {
            _ if stored.stream_id != self.from => balance,
            AccountEvent::Deposited { cents, .. } => balance + cents,
            AccountEvent::Withdrawn { cents, .. } => balance - cents,
        }
    }

    fn handle(
        &self,
        balance: u64,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        require!(self.cents <= balance, "only {balance} cents left");
        let mut events = NewEvents::new();
        if self.cents > 0 {
            let withdrawn = AccountEvent::Withdrawn {
                cents: self.cents,
                reference: "invoice 2026-11-001".to_owned(),
            };
            emit!(events, streams.from, withdrawn);
            emit!(events, streams.to, AccountEvent::deposited(self.cents));
        }
        Ok(events)
    }
}

fn transfer(cents: u64) -> Transfer {
    Transfer {
        from: account(0),
        to: account(1),
        cents,
    }
}

/// A command that writes nothing: all it does is read, decode and fold.
fn fold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fold two streams");
    for events in [10, 100, 1000] {
        let store = store(2, events / 2);
        let nothing = transfer(0);
        group.throughput(Throughput::Elements(events as u64));
        group.bench_function(BenchmarkId::from_parameter(events), |bencher| {
            bencher.iter(|| now(execute(&store, &nothing)));
        });
    }
}

fn command(criterion: &mut Criterion) {
    let transfer = transfer(100);
    criterion.bench_function("transfer between streams of 10 events", |bencher| {
        // A store each: in one that grows, the next transfer would have more to fold.
        bencher.iter_batched_ref(
            || store(2, 10),
            |store| now(execute(store, &transfer)),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, fold, command);
criterion_main!(benches);
