//! The checks that every append makes of its names and versions.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use eventcore_rules::{ExpectedVersion, check_name};

fn names(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check_name");
    let longest = "a".repeat(eventcore_rules::MAX_NAME_BYTES);
    let names = [
        ("of 14 bytes", "account-000123"),
        ("of 255 bytes", &longest),
        ("with a control character", "account-000123\n"),
    ];
    for (what, name) in names {
        group.bench_function(what, |bencher| {
            bencher.iter(|| check_name(black_box(name.as_bytes())));
        });
    }
}

fn expected_versions(criterion: &mut Criterion) {
    criterion.bench_function("expected version, read from SQL and checked", |bencher| {
        bencher.iter(|| {
            let expected = ExpectedVersion::from_sql(black_box(Some(42)));
            expected.is_some_and(|expected| expected.holds(black_box(42)))
        });
    });
}

criterion_group!(benches, names, expected_versions);
criterion_main!(benches);
