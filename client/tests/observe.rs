//! What an operator sees of an execution: spans with the correlation id, and numbers.

#[path = "support/bank.rs"]
mod bank;
mod support;
#[path = "support/watched.rs"]
mod watched;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use bank::{Deposit, Transfer};
use eventcore::execute;
use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use support::stream;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use watched::{Call, Watched, write};

/// A store with money in `a`, in which the first transfer meets a conflict.
async fn store() -> Watched {
    let mut appends = 0;
    let store = Watched::stepping_in(move |store, call| {
        appends += u32::from(*call == Call::Append);
        if *call == Call::Append && appends == 2 {
            write(store, "b", "Deposited", 1);
        }
    });
    let deposit = Deposit {
        account: stream("a"),
        cents: 10,
    };
    execute(&store, &deposit).await.unwrap();
    store
}

fn transfer(cents: u64) -> Transfer {
    Transfer {
        from: stream("a"),
        to: stream("b"),
        cents,
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "current_thread")]
async fn each_phase_is_a_span_within_that_of_the_execution() {
    let store = store().await;
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let done = execute(&store, &transfer(4)).await.unwrap();
    let error = execute(&store, &transfer(400)).await.unwrap_err();
    drop(guard);

    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let of = |id: eventcore::CorrelationId| {
        let id = format!("correlation_id={id}");
        log.lines()
            .filter(|line| line.contains(&id))
            .collect::<Vec<_>>()
    };
    let closed = |lines: &[&str], phase: &str| {
        let span = format!(":{phase}: ");
        lines.iter().filter(|line| line.contains(&span)).count()
    };
    let lines = of(done.correlation_id);
    for (phase, times) in [
        ("eventcore.read", 2),
        ("eventcore.handle", 2),
        ("eventcore.append", 2),
    ] {
        assert_eq!(closed(&lines, phase), times, "{phase} in\n{log}");
    }
    assert_eq!(closed(&lines, "eventcore.back_off"), 1, "{log}");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("tried again") && line.contains("version conflict"))
    );
    let last = lines.last().unwrap();
    for part in ["command=\"Transfer\"", "outcome=\"written\"", "attempts=2"] {
        assert!(last.contains(part), "{part} in {last}");
    }
    assert!(
        of(error.correlation_id())
            .last()
            .unwrap()
            .contains("outcome=\"rejected\"")
    );
}

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
