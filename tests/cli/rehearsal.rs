//! With nothing but the command `eventcore` each broken situation is found and repaired: `doctor`
//! names it, and does so until what it advises is done.

use std::time::{Duration, Instant};

use eventcore_harness::Binaries;
use eventcore_rehearsal::{SITUATIONS, Situation, Stage};
use serde_json::Value;

use crate::support::{Ran, program};

/// The longest time for what takes seconds on a machine that is not busy.
const LONGEST: Duration = Duration::from_secs(120);

/// A situation, and an operator who looks at it.
struct Rehearsal {
    stage: Stage,
}

impl Rehearsal {
    fn begin(name: &str) -> Self {
        let situation = Situation::named(name).unwrap();
        let stage = Stage::begin(Binaries::from_env().unwrap(), situation).unwrap();
        assert!(!stage.is_fixed().unwrap(), "{name} is not broken");
        Self { stage }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = program();
        command.env("EVENTCORE_URL", self.stage.url());
        Ran::of(command.args(arguments).output().unwrap())
    }

    /// What the doctor has found by this check, once it is as bad as this.
    fn look_for(&self, check: &str, level: &str) -> Option<Value> {
        self.look(check)
            .filter(|finding| finding["severity"] == level)
    }

    /// What the doctor has found by this check.
    fn look(&self, check: &str) -> Option<Value> {
        let text = self
            .run(&["doctor", "--fail-on", "never", "-o", "json"])
            .ok();
        let diagnosis: Value = serde_json::from_str(&text).unwrap();
        let findings = diagnosis["findings"].as_array().unwrap();
        findings
            .iter()
            .find(|finding| finding["id"] == check)
            .cloned()
    }

    #[track_caller]
    fn eventually<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            if began.elapsed() > LONGEST {
                panic!("not {what}: {:?}", self.run(&["doctor"]));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The doctor names the situation, with its level, its object and these values.
    #[track_caller]
    fn is_named(&self, check: &str, level: &str, object: &str, values: &[&str]) -> Value {
        let finding = self.eventually("named by the doctor", || self.look_for(check, level));
        assert_eq!(finding["object"], object, "{finding}");
        self.says(&finding, values);
        assert!(!self.stage.is_fixed().unwrap(), "{finding}");
        finding
    }

    #[track_caller]
    fn says(&self, finding: &Value, values: &[&str]) {
        let message = finding["message"].as_str().unwrap();
        for value in values {
            assert!(message.contains(value), "no {value}: {finding}");
        }
    }

    /// Does what the finding advises, and nothing else. Then all works, and the doctor says so.
    #[track_caller]
    fn is_mended_by(&mut self, finding: &Value) {
        let check = finding["id"].as_str().unwrap();
        let action = finding["action"].as_str().unwrap();
        // A program is the shop's own matter: the doctor can only say that another release is needed,
        // that one has to be started, or that a reason has to go first.
        if ["Deploy ", "Start ", "First "]
            .iter()
            .any(|word| action.starts_with(word))
        {
            self.stage.deploy().unwrap();
        }
        if !finding["statement"].is_null() {
            let repair = ["doctor", "--repair", check, "--yes", "--fail-on", "never"];
            let ran = self.run(&repair);
            assert!(ran.err.contains("done: "), "{ran:?}");
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        if action.starts_with("Then restart the server") {
            self.stage.restart_server().unwrap();
        }
        let stage = &self.stage;
        self.eventually("fixed", || stage.is_fixed().unwrap().then_some(()));
        self.eventually("clean", || match self.look(check) {
            Some(_) => None,
            None => Some(()),
        });
    }
}

#[test]
fn a_consumer_that_died_is_named_and_its_events_are_taken_over() {
    let mut rehearsal = Rehearsal::begin("no-mails");
    let values = ["mailer-1", "events back: no consumer is left"];
    let finding = rehearsal.is_named("expired_leases", "warning", "mails", &values);
    rehearsal.is_mended_by(&finding);
}

#[test]
fn an_event_that_fails_again_and_again_is_named_with_its_position_and_reason() {
    let mut rehearsal = Rehearsal::begin("one-customer");
    let values = ["order-13", "invalid input syntax", "12,50"];
    let finding = rehearsal.is_named("subscription_retries", "warning", "mails", &values);
    rehearsal.is_mended_by(&finding);
}

#[test]
fn a_projection_that_failed_is_resumed_after_its_handler_was_corrected() {
    let mut rehearsal = Rehearsal::begin("old-figures");
    let values = ["12,50", "22P02", "position"];
    let finding = rehearsal.is_named("projection_failed", "error", "turnover", &values);
    rehearsal.is_mended_by(&finding);
}

#[test]
fn a_transaction_that_holds_readers_back_is_ended() {
    let mut rehearsal = Rehearsal::begin("nothing-arrives");
    let look = || rehearsal.look_for("safe_position_held", "error");
    let finding = rehearsal.eventually("named", look);
    rehearsal.says(&finding, &["invoice run", "idle in transaction"]);
    rehearsal.is_mended_by(&finding);
}

#[test]
fn a_job_that_keeps_the_notifier_away_is_ended() {
    let mut rehearsal = Rehearsal::begin("slow-page");
    let values = ["nightly copy", "CREATE DATABASE shop_copy"];
    let finding = rehearsal.is_named("notifier_away", "warning", "notifier", &values);
    rehearsal.is_mended_by(&finding);
}

#[test]
fn a_server_without_a_free_worker_gets_more() {
    let mut rehearsal = Rehearsal::begin("new-shop");
    let values = ["max_worker_processes = 5", "shop_east, shop_north"];
    let finding = rehearsal.is_named("notifier_stands_still", "error", "notifier", &values);
    rehearsal.is_mended_by(&finding);
}

#[test]
fn a_stream_with_more_conflicts_than_appends_is_named() {
    let mut rehearsal = Rehearsal::begin("try-again");
    let values = ["refused for a version conflict", "of the stream stock"];
    let finding = rehearsal.is_named("conflicts", "warning", "appends", &values);
    rehearsal.is_mended_by(&finding);
}

#[test]
fn a_server_without_the_library_loads_it_again() {
    let mut rehearsal = Rehearsal::begin("after-restart");
    let object = "shared_preload_libraries";
    let finding = rehearsal.is_named("not_preloaded", "error", object, &["did not load"]);
    rehearsal.is_mended_by(&finding);
}

#[test]
fn objects_of_the_release_before_are_updated() {
    let mut rehearsal = Rehearsal::begin("after-upgrade");
    let values = [env!("CARGO_PKG_VERSION"), "0.1.0"];
    let finding = rehearsal.is_named("version", "error", "eventcore", &values);
    rehearsal.is_mended_by(&finding);
    assert_eq!(rehearsal.look("update_available"), None);
}

#[test]
fn parked_events_that_stop_their_streams_are_replayed() {
    let mut rehearsal = Rehearsal::begin("three-customers");
    let finding = rehearsal.is_named("streams_stopped", "error", "mails", &["3 streams"]);
    let parked = rehearsal.look("subscription_parked").unwrap();
    rehearsal.says(&parked, &["mail.example: connection refused"]);
    rehearsal.is_mended_by(&finding);
    assert_eq!(rehearsal.look("subscription_parked"), None);
}

#[test]
fn the_manual_lists_every_situation_with_what_people_say() {
    let page = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/operations/rehearsal.md"
    );
    let page = std::fs::read_to_string(page).unwrap();
    for situation in SITUATIONS {
        let row = format!("| `{}` | {} |", situation.name, situation.symptom);
        assert!(page.contains(&row), "{row}");
    }
}
