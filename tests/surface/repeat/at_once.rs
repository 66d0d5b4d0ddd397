//! Two sessions that send the same append at the same time.

use serde_json::json;

use super::ids;
use crate::support::{append, connect, database, event_with_id, session, stream, until_waiting};

#[tokio::test]
async fn of_two_sessions_that_send_the_same_append_at_once_one_writes() {
    let (one, two) = (session().await, session().await);
    for (expected, name) in [(Some(0), "at-once-exact"), (None, "at-once-unchecked")] {
        for round in 0..40 {
            let name = format!("{name}-{round}");
            let [first, second] = ids();
            let declared = [(name.as_str(), expected)];
            let events = json!([
                event_with_id(&name, 1, first),
                event_with_id(&name, 2, second)
            ]);
            let (a, b) = tokio::join!(
                append(&one, &declared, events.clone()),
                append(&two, &declared, events.clone())
            );
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_ne!(a.repeated, b.repeated);
            assert_eq!(
                (a.positions, a.versions, a.recorded_at),
                (b.positions, b.versions, b.recorded_at)
            );
            assert_eq!(stream(&one, &name).await.len(), 2);
        }
    }
}

/// The second session has to wait until the first has ended, and then finds its events or does not.
#[tokio::test]
async fn a_repeat_waits_for_the_first_and_writes_if_that_rolls_back() {
    let (url, mut one) = database("repeat_waits").await;
    let (two, watcher) = (connect(&url).await, connect(&url).await);
    for commit in [true, false] {
        let name = format!("repeat-waits-{commit}");
        let [id] = ids();
        let events = json!([event_with_id(&name, 1, id)]);
        let declared = [(name.as_str(), Some(0))];
        let transaction = one.transaction().await.unwrap();
        append(&transaction, &declared, events.clone())
            .await
            .unwrap();
        let end = async {
            until_waiting(&watcher, 1).await;
            if commit {
                transaction.commit().await
            } else {
                transaction.rollback().await
            }
            .unwrap();
        };
        let (again, ()) = tokio::join!(append(&two, &declared, events), end);
        assert_eq!(again.unwrap().repeated, commit);
        assert_eq!(stream(&two, &name).await.len(), 1);
    }
}
