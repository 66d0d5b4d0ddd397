//! The metrics of executions, with the feature `metrics`.

#[path = "support/bank.rs"]
mod bank;
#[path = "support/contended.rs"]
mod contended;
mod support;
#[path = "support/watched.rs"]
mod watched;

use std::collections::BTreeMap;

use contended::{store, transfer};
use eventcore::execute;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};

#[tokio::test(flavor = "current_thread")]
async fn executions_retries_conflicts_and_durations_are_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let guard = metrics::set_default_local_recorder(&recorder);
    let store = store().await;
    execute(&store, &transfer(4)).await.unwrap();
    execute(&store, &transfer(400)).await.unwrap_err();
    drop(guard);

    let mut numbers = BTreeMap::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key
            .key()
            .labels()
            .map(|label| label.value().to_owned())
            .collect();
        let name = format!("{} {}", key.key().name(), labels.join(" "));
        let value = match value {
            DebugValue::Counter(count) => count,
            DebugValue::Histogram(values) => values.len() as u64,
            DebugValue::Gauge(_) => panic!("there are no gauges"),
        };
        numbers.insert(name, value);
    }
    let expected = [
        ("eventcore_events_read_total Deposit", 0),
        ("eventcore_events_read_total Transfer", 7),
        ("eventcore_events_written_total Deposit", 1),
        ("eventcore_events_written_total Transfer", 2),
        ("eventcore_execution_duration_seconds Deposit", 1),
        ("eventcore_execution_duration_seconds Transfer", 2),
        ("eventcore_executions_total Deposit written", 1),
        ("eventcore_executions_total Transfer rejected", 1),
        ("eventcore_executions_total Transfer written", 1),
        ("eventcore_phase_duration_seconds Deposit append", 1),
        ("eventcore_phase_duration_seconds Deposit fold", 1),
        ("eventcore_phase_duration_seconds Deposit handle", 1),
        ("eventcore_phase_duration_seconds Deposit read", 1),
        ("eventcore_phase_duration_seconds Transfer append", 2),
        ("eventcore_phase_duration_seconds Transfer back_off", 1),
        ("eventcore_phase_duration_seconds Transfer fold", 3),
        ("eventcore_phase_duration_seconds Transfer handle", 3),
        ("eventcore_phase_duration_seconds Transfer read", 3),
        ("eventcore_retries_total Transfer conflict", 1),
        ("eventcore_version_conflicts_total Transfer", 1),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(numbers, BTreeMap::from(expected));
}
