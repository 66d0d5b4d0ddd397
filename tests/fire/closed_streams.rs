//! A stream that was closed stays closed, whatever a session has seen before: after a promotion and
//! after a crash.

use eventcore_harness::Server;

use crate::support::*;

const CLOSE: &str = "INSERT INTO eventcore.streams (stream_id, state) VALUES ('s', 'closed')";

async fn assert_closed(session: &Session) {
    let refused = Append::one("s", None).send(&**session).await.unwrap_err();
    assert_eq!(sqlstate(&refused), "SE005", "{refused:?}");
}

/// The session is connected to the standby before the stream is closed on the primary.
#[tokio::test]
async fn a_stream_that_was_closed_on_the_primary_is_closed_after_a_promotion() {
    let primary = Server::start(options()).unwrap();
    let there = connect(&primary.create_database("store").unwrap()).await;
    Append::one("s", None).send(&*there).await.unwrap();
    let standby = primary.standby().unwrap();
    standby.catch_up_with(&primary).unwrap();
    let here = connect(&standby.url("store")).await;
    let refused = Append::one("s", None).send(&*here).await.unwrap_err();
    assert_eq!(sqlstate(&refused), "25006", "{refused:?}");

    there.batch_execute(CLOSE).await.unwrap();
    standby.catch_up_with(&primary).unwrap();
    standby.promote().unwrap();
    assert_closed(&here).await;
}

/// Shared memory begins again, and with it the count of rows.
#[tokio::test]
async fn a_stream_that_was_closed_before_a_crash_is_closed_after_it() {
    let mut server = Server::start(options()).unwrap();
    let url = server.create_database("store").unwrap();
    let session = connect(&url).await;
    Append::one("s", None).send(&*session).await.unwrap();
    session.batch_execute(CLOSE).await.unwrap();
    server.crash().unwrap();
    server.start_again().unwrap();
    for _ in 0..2 {
        assert_closed(&connect(&url).await).await;
    }
}
