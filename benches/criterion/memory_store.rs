//! The in-memory store: appends and reads.

mod accounts;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use eventcore::{EventStore, Filter, InMemoryEventStore, ReadAll, ReadStream};

use crate::accounts::{account, deposits, now, store};

fn append(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append to an empty store");
    for events in [1, 100] {
        let append = deposits(&account(0), events);
        group.throughput(Throughput::Elements(events as u64));
        group.bench_function(BenchmarkId::from_parameter(events), |bencher| {
            bencher.iter_batched_ref(
                InMemoryEventStore::new,
                |store| now(store.append(&append)),
                BatchSize::SmallInput,
            );
        });
    }
}

fn read(criterion: &mut Criterion) {
    let store = store(100, 100);
    let mut group = criterion.benchmark_group("read from 100 streams of 100 events");

    group.throughput(Throughput::Elements(100));
    let one = ReadStream::new(account(50));
    group.bench_function("one stream", |bencher| {
        bencher.iter(|| now(store.read_stream(&one)));
    });

    group.throughput(Throughput::Elements(1000));
    let page = ReadAll::new().limit(1000);
    group.bench_function("a page of 1,000 of all", |bencher| {
        bencher.iter(|| now(store.read_all(&page)));
    });

    group.throughput(Throughput::Elements(100));
    let filtered = ReadAll::new().filter(Filter::all().stream_prefix("account-000099"));
    group.bench_function("the last 100 of all by prefix", |bencher| {
        bencher.iter(|| now(store.read_all(&filtered)));
    });
}

criterion_group!(benches, append, read);
criterion_main!(benches);
