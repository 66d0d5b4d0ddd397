//! A text to a jsonb by our encoder, beside a text to a tree by serde_json.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use eventcore_jsonb::Encoder;
use serde_json::{Value, json};

fn encode(criterion: &mut Criterion) {
    let numbers: Vec<u32> = (0..1_000).collect();
    let lines: Vec<Value> = (0..10)
        .map(|line| json!({"sku": format!("sku-{line:04}"), "quantity": line, "price": "12.50", "note": null}))
        .collect();
    let texts = [
        (
            "flat",
            json!({"from": "account-000123", "to": "account-000456", "cents": 123_456}),
        ),
        (
            "nested",
            json!({"id": 4711, "customer": {"name": "Jörg \"J\" Müller", "vip": false}, "lines": lines}),
        ),
        ("numbers", json!(numbers)),
        (
            "long string",
            json!({"text": "0123456789abcdef".repeat(1_000)}),
        ),
    ];
    for (name, value) in texts {
        let text = value.to_string();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(text.len() as u64));
        let mut encoder = Encoder::new();
        group.bench_function("to a jsonb", |bencher| {
            bencher.iter(|| encoder.encode(black_box(text.as_bytes())).map(<[u8]>::len));
        });
        group.bench_function("to a tree of serde_json", |bencher| {
            bencher.iter(|| serde_json::from_str::<Value>(black_box(&text)));
        });
        group.finish();
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
