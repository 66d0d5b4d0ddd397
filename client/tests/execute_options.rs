//! The options of an execution: metadata, a deadline, a check without events.

#[path = "support/bank.rs"]
mod bank;
mod support;
#[path = "support/watched.rs"]
mod watched;

use std::error::Error;
use std::time::{Duration, Instant};

use bank::{AccountEvent, Deposit, Transfer};
use eventcore::{EventStore, ExecuteOptions, ReadAll, RetryPolicy, StoreError, execute_with};
use serde::{Deserialize, Serialize};
use serde_json::json;
use support::stream;
use watched::{Call, Watched, write};

fn deposit(cents: u64) -> Deposit {
    Deposit {
        account: stream("a"),
        cents,
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Audit {
    actor: String,
    address: Option<[u8; 4]>,
}

#[tokio::test]
async fn metadata_of_the_callers_type_is_kept_with_every_event() {
    let store = Watched::default();
    let audit = Audit {
        actor: "Zoë".to_owned(),
        address: Some([127, 0, 0, 1]),
    };
    execute_with(&store, &deposit(5), &ExecuteOptions::new())
        .await
        .unwrap();
    let options = ExecuteOptions::new().metadata(&audit).unwrap();
    let transfer = Transfer {
        from: stream("a"),
        to: stream("b"),
        cents: 2,
    };
    execute_with(&store, &transfer, &options).await.unwrap();

    let events = store.read_all(&ReadAll::new()).await.unwrap();
    let audits: Vec<_> = events
        .into_iter()
        .map(|event| event.decode_with::<AccountEvent, Audit>().unwrap().metadata)
        .collect();
    assert_eq!(audits[0], None);
    assert_eq!(audits[1].as_ref(), Some(&audit));
    assert_eq!(audits[2].as_ref(), Some(&audit));
}

#[test]
fn metadata_that_is_no_object_is_refused() {
    for metadata in [json!(1), json!([]), json!(null), json!("text")] {
        let error = ExecuteOptions::new().metadata(&metadata).unwrap_err();
        assert_eq!(error.what(), "metadata");
    }
}

#[tokio::test]
async fn a_deadline_ends_an_execution_that_gets_no_answer() {
    let store = watched::stuck_at(Call::Append);
    let options = ExecuteOptions::new().deadline(Instant::now() + Duration::from_millis(20));
    let error = execute_with(&store, &deposit(5), &options)
        .await
        .unwrap_err();
    assert!(error.is_deadline() && !error.is_retriable() && !error.is_version_conflict());
    assert!(error.source().is_none());
    assert_eq!(error.attempts(), 1);
}

#[tokio::test]
async fn a_deadline_ends_attempts_and_names_the_last_failure() {
    let store = watched::stepping_in(|store, call| {
        if *call == Call::Append {
            write(store, "a", "Deposited", 1);
        }
    });
    let endless = RetryPolicy::default()
        .attempts(u32::MAX)
        .cap(Duration::from_millis(1));
    let options = ExecuteOptions::new()
        .retry(endless)
        .deadline(Instant::now() + Duration::from_millis(50));
    let error = execute_with(&store, &deposit(5), &options)
        .await
        .unwrap_err();
    assert!(error.is_deadline() && error.attempts() > 1, "{error}");
    let cause = error
        .source()
        .and_then(|cause| cause.downcast_ref::<StoreError>());
    assert!(cause.is_some_and(StoreError::is_version_conflict));
}

#[tokio::test]
async fn a_deadline_that_has_passed_lets_nothing_be_written() {
    let store = watched::stuck_at(Call::Append);
    let options = ExecuteOptions::new().deadline(Instant::now());
    let error = execute_with(&store, &deposit(5), &options)
        .await
        .unwrap_err();
    assert!(error.is_deadline());
    assert_eq!(store.interceptor().calls(), []);
}

#[tokio::test]
async fn a_command_without_events_is_checked_when_asked_to() {
    let disturbed = || {
        let mut left = 1;
        watched::stepping_in(move |store, call| {
            if *call == Call::Append && left > 0 {
                left -= 1;
                write(store, "a", "Deposited", 1);
            }
        })
    };
    let read = || Call::Read(vec![("a".to_owned(), 0)]);

    let store = disturbed();
    let done = execute_with(&store, &deposit(0), &ExecuteOptions::new())
        .await
        .unwrap();
    assert!(!done.wrote() && done.attempts == 1);
    assert_eq!(store.interceptor().calls(), [read()]);

    let store = disturbed();
    let options = ExecuteOptions::new().always_check(true);
    let done = execute_with(&store, &deposit(0), &options).await.unwrap();
    assert!(!done.wrote() && done.recorded_at.is_none());
    assert_eq!(
        (done.attempts, done.version_of(&stream("a")).unwrap().get()),
        (2, 1)
    );
    assert_eq!(
        store.interceptor().calls(),
        [read(), Call::Append, read(), Call::Append]
    );
}

#[tokio::test]
async fn a_check_of_no_streams_is_not_sent() {
    #[derive(eventcore::Command)]
    struct Nothing {
        #[stream]
        streams: Vec<eventcore::StreamId>,
    }
    impl eventcore::CommandLogic for Nothing {
        type State = ();
        type Event = AccountEvent;
        fn apply(&self, (): (), _: &eventcore::StoredEvent<AccountEvent>) {}
        fn handle(
            &self,
            (): (),
            _: eventcore::Streams<Self>,
        ) -> Result<eventcore::NewEvents<Self>, eventcore::CommandError> {
            Ok(eventcore::NewEvents::new())
        }
    }
    let nothing = Nothing {
        streams: Vec::new(),
    };
    let options = ExecuteOptions::new().always_check(true);
    let done = execute_with(&Watched::default(), &nothing, &options).await;
    assert!(!done.unwrap().wrote());
}

#[tokio::test]
async fn an_error_tells_whether_the_events_may_have_been_written() {
    let store = watched::losing_answers();
    let error = execute_with(&store, &deposit(5), &ExecuteOptions::new())
        .await
        .unwrap_err();
    assert!(
        error.may_have_written() && !error.is_retriable(),
        "{error:?}"
    );
    assert_eq!(
        store.inner().stream_versions(&[stream("a")]).await.unwrap()[0].get(),
        1
    );

    let store = watched::stuck_at(Call::Append);
    let options = ExecuteOptions::new().deadline(Instant::now() + Duration::from_millis(20));
    let late = execute_with(&store, &deposit(5), &options)
        .await
        .unwrap_err();
    assert!(late.is_deadline() && late.may_have_written());

    let too_late = ExecuteOptions::new().deadline(Instant::now());
    let late = execute_with(&store, &deposit(5), &too_late)
        .await
        .unwrap_err();
    assert!(late.is_deadline() && !late.may_have_written());
}
