//! Given, when, then: what passes, and what a failure reports.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use eventcore::{
    AsyncCommandLogic, Command, CommandError, NewEvents, StoredEvent, StreamId, Streams, emit,
};
use eventcore_testing::Scenario;
use eventcore_testing::contract::bank::AccountEvent::{self, Deposited, Withdrawn};
use eventcore_testing::contract::bank::Transfer;

fn transfer(cents: u64) -> Transfer {
    Transfer {
        from: StreamId::new("ada").unwrap(),
        to: StreamId::new("bob").unwrap(),
        cents,
    }
}

fn ten() -> Scenario {
    Scenario::new()
        .given("ada", [Deposited { cents: 12 }, Withdrawn { cents: 4 }])
        .given("ada", [Deposited { cents: 2 }])
}

/// The message of a failing test.
fn told(test: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(test)).expect_err("it holds");
    *panic.downcast::<String>().expect("a message")
}

#[test]
fn events_are_those_of_the_command_alone_and_in_its_order() {
    ten()
        .when(&transfer(3))
        .then([
            ("ada", Withdrawn { cents: 3 }),
            ("bob", Deposited { cents: 3 }),
        ])
        .then_state(7);
}

#[test]
fn a_rejection_is_recognised_by_its_message() {
    let outcome = ten().when(&transfer(11));
    outcome.then_rejected("11 cents are more than 10");
    assert!(outcome.result().unwrap_err().is_business_rule());
}

#[test]
fn unexpected_events_are_reported() {
    let outcome = ten().when(&transfer(3));
    let message = told(|| {
        outcome.then([
            ("ada", Withdrawn { cents: 4 }),
            ("bob", Deposited { cents: 3 }),
        ]);
    });
    assert_eq!(
        message,
        "expected these events:\n    ada Withdrawn {\"cents\":4}\n    bob Deposited {\"cents\":3}\n\
         but there was these events:\n    ada Withdrawn {\"cents\":3}\n    bob Deposited {\"cents\":3}"
    );
    for wrong in [
        // Fewer, more, in another order, in another stream.
        vec![("ada", Withdrawn { cents: 3 })],
        vec![
            ("ada", Withdrawn { cents: 3 }),
            ("bob", Deposited { cents: 3 }),
            ("bob", Deposited { cents: 3 }),
        ],
        vec![
            ("bob", Deposited { cents: 3 }),
            ("ada", Withdrawn { cents: 3 }),
        ],
        vec![
            ("ada", Withdrawn { cents: 3 }),
            ("eve", Deposited { cents: 3 }),
        ],
        vec![],
    ] {
        told(|| {
            outcome.then(wrong);
        });
    }
}

#[test]
fn a_failed_expectation_is_reported_whatever_it_was() {
    let (written, rejected) = (ten().when(&transfer(3)), ten().when(&transfer(11)));
    let nothing = told(|| {
        written.then_nothing();
    });
    assert!(
        nothing.starts_with("expected no event\nbut there was these events:"),
        "{nothing}"
    );
    let not_rejected = told(|| {
        written.then_rejected("more than");
    });
    assert!(
        not_rejected.contains("a rejection with \"more than\""),
        "{not_rejected}"
    );
    let other_message = told(|| {
        rejected.then_rejected("too late");
    });
    assert!(
        other_message.contains("was a rejection: "),
        "{other_message}"
    );
    let other_error = told(|| {
        rejected.then_rejected_with::<std::io::Error>();
    });
    assert!(
        other_error.contains("std::io::error::Error"),
        "{other_error}"
    );
    let events = told(|| {
        rejected.then([("ada", Withdrawn { cents: 11 })]);
    });
    assert!(events.contains("11 cents are more than 10"), "{events}");
    let state = told(|| {
        written.then_state(8);
    });
    assert_eq!(state, "expected the state 8\nbut it is      7");
    told(|| {
        rejected.then_nothing();
    });
    told(|| {
        rejected.then_state(10);
    });
}

#[test]
fn a_failure_that_is_not_a_rejection_is_reported_as_a_failure() {
    #[derive(serde::Serialize, serde::Deserialize, eventcore::Event)]
    struct Closed;
    let message = told(|| {
        Scenario::new()
            .given("ada", [Closed])
            .when(&transfer(1))
            .then_nothing();
    });
    assert!(
        message.contains("was a failure") && message.contains("Closed"),
        "{message}"
    );
}

#[test]
fn a_stream_with_an_invalid_name_is_reported() {
    let message = told(|| {
        let _ = Scenario::new().given("", [Deposited { cents: 1 }]);
    });
    assert!(message.contains("invalid stream id"), "{message}");
}

/// Withdraws the amount that another service returns after a while.
#[derive(Command)]
struct WithdrawLater {
    #[stream]
    account: StreamId,
}

impl AsyncCommandLogic for WithdrawLater {
    type State = u64;
    type Event = AccountEvent;

    fn apply(&self, events: u64, _: &StoredEvent<AccountEvent>) -> u64 {
        events + 1
    }

    async fn handle(
        &self,
        _: u64,
        streams: Streams<Self>,
    ) -> Result<NewEvents<Self>, CommandError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut events = NewEvents::new();
        emit!(events, streams.account, Withdrawn { cents: 1 });
        Ok(events)
    }
}

#[tokio::test]
async fn a_command_that_awaits_is_executed_on_its_runtime() {
    let account = StreamId::new("ada").unwrap();
    let outcome = ten().when_async(&WithdrawLater { account }).await;
    outcome
        .then([("ada", Withdrawn { cents: 1 })])
        .then_state(4);
}

#[tokio::test]
async fn a_scenario_may_run_on_a_runtime() {
    let nothing: [(&str, AccountEvent); 0] = [];
    ten()
        .given("bob", [Deposited { cents: 1 }])
        .when(&transfer(11))
        .then_rejected("more");
    told(|| {
        ten().when(&transfer(1)).then(nothing);
    });
}
