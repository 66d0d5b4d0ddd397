//! The traces of an execution, with the feature `tracing`. This test has its own file, because a
//! process remembers which spans are enabled.

#[path = "support/bank.rs"]
mod bank;
#[path = "support/contended.rs"]
mod contended;
mod support;
#[path = "support/watched.rs"]
mod watched;

use std::io::Write;
use std::sync::{Arc, Mutex};

use contended::{store, transfer};
use eventcore::execute;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

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
