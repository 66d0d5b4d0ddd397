//! P11: after the end of the notifier or a restart of the server, appends wake listeners again.

use eventcore_harness::Server;
use tokio_postgres::types::Type;

use crate::support::*;

#[tokio::test]
async fn the_notifier_comes_back_and_wakes_listeners_again_whatever_happens_to_it() {
    let server = Server::start(options()).unwrap();
    let url = server.create_database("notifier").unwrap();
    for end in [
        "pg_terminate_backend",
        "pg_cancel_backend",
        "TERM",
        "all processes of eventcore",
        "KILL",
    ] {
        let session = reconnect(&url, "fire").await;
        let mut listener = listen(&url).await;
        let done = Append::one("s", None).send(&*session).await.unwrap();
        listener.up_to(done.last.unwrap()).await;
        let [old] = notifiers(&*session).await[..] else {
            panic!("one notifier")
        };
        if end.starts_with("pg_") {
            let sql = format!("SELECT {end}($1)");
            session
                .query_typed(&sql, &[(&old, Type::INT4)])
                .await
                .unwrap();
        } else if end == "all processes of eventcore" {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE backend_type LIKE 'eventcore %'";
            session.query_typed(sql, &[]).await.unwrap();
        } else {
            server.signal(old as u32, end).unwrap();
        }
        let (session, mut listener) = if end == "KILL" {
            eventually("the server notices", async || session.is_closed()).await;
            (reconnect(&url, "fire").await, {
                drop(listener);
                listen(&url).await
            })
        } else {
            (session, listener)
        };
        // A notifier survives a cancelled statement, as a session does.
        let ends = end != "pg_cancel_backend";
        if ends {
            eventually("the notifier has ended", async || {
                !notifiers(&*session).await.contains(&old)
            })
            .await;
        }
        for _ in 0..3 {
            let done = Append::one("s", None).send(&*session).await.unwrap();
            listener.up_to(done.last.unwrap()).await;
        }
        eventually("one notifier", async || {
            let now = notifiers(&*session).await;
            now.len() == 1 && (now[0] != old) == ends
        })
        .await;
    }
}

#[tokio::test]
async fn after_a_restart_listeners_are_woken_by_the_first_append() {
    let mut server = Server::start(options()).unwrap();
    let url = server.create_database("restart").unwrap();
    let mut last = 0;
    for _ in 0..3 {
        let session = reconnect(&url, "fire").await;
        assert_eq!(safe_position(&*session).await.unwrap(), last);
        let mut listener = listen(&url).await;
        let done = Append::one("s", None).send(&*session).await.unwrap();
        last = done.last.unwrap();
        listener.up_to(last).await;
        assert_eq!(safe_position(&*session).await.unwrap(), last);
        drop((session, listener));
        server.restart().unwrap();
    }
}
