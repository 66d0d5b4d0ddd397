//! One connection that listens for all subscriptions of a store, while there are any.

use std::error::Error;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;
use tokio_postgres::types::Type;

use super::connection::Connection;
use super::server::Server;

const LISTEN: &str = "LISTEN eventcore";

/// Returns the safe position as soon as it is above the first argument.
const WAIT: &str = "CALL eventcore_wait($1::bigint, interval '10 seconds')";

/// How long to wait before reconnecting.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Starts listening at the first use, and again at the next use after all listeners were dropped.
pub(super) struct Listening {
    source: Source,
    listener: Mutex<Weak<Listener>>,
}

/// Where notifications come from.
#[derive(Clone)]
enum Source {
    /// There are none.
    Nowhere,
    /// A server that sends notifications.
    Notifications(Server),
    /// A server that may be a standby, where LISTEN is not possible: the connection calls a
    /// function that waits there.
    Waiting(Server),
}

/// Listens until it is dropped.
pub(super) struct Listener {
    /// Changes when there may be new events. The payload of a notification is not used: anyone may
    /// notify, so only the server's functions are trusted to return a position.
    news: watch::Receiver<()>,
    task: JoinHandle<()>,
}

impl Listening {
    /// Listens for notifications of this server, if there is one.
    pub(super) fn new(server: Option<Server>) -> Self {
        Self::of(server.map_or(Source::Nowhere, Source::Notifications))
    }

    /// Waits on this server, which may be a standby.
    pub(super) fn by_waiting(server: Server) -> Self {
        Self::of(Source::Waiting(server))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            listener: Mutex::new(Weak::new()),
        }
    }

    /// The current listener. Must be called within a tokio runtime.
    pub(super) fn listener(&self) -> Arc<Listener> {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = listener
            .upgrade()
            .filter(|running| !running.task.is_finished())
        {
            return running;
        }
        let (tell, news) = watch::channel(());
        let task = tokio::spawn(listen(self.source.clone(), tell));
        let started = Arc::new(Listener { news, task });
        *listener = Arc::downgrade(&started);
        started
    }
}

impl Listener {
    /// Receives all changes from now on.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        let mut news = self.news.clone();
        news.mark_unchanged();
        news
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(source: Source, tell: watch::Sender<()>) {
    loop {
        // Subscriptions poll while there is no connection, so a lost one only costs latency.
        let _lost = match &source {
            Source::Nowhere => return tell.closed().await,
            Source::Notifications(server) => listen_once(server, &tell).await,
            Source::Waiting(server) => wait_once(server, &tell).await,
        };
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

/// Listens on one connection until it is lost.
async fn listen_once(
    server: &Server,
    tell: &watch::Sender<()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (client, mut connection) = server.connect_in_time().await?;
    let mut start = pin!(client.batch_execute(LISTEN));
    let mut listening = false;
    std::future::poll_fn(|cx| {
        loop {
            if !listening && let Poll::Ready(started) = start.as_mut().poll(cx) {
                if let Err(error) = started {
                    return Poll::Ready(Err(error.into()));
                }
                listening = true;
                // Notifications sent before this were missed.
                tell.send_replace(());
            }
            match connection.poll_message(cx) {
                Poll::Ready(Some(Ok(AsyncMessage::Notification(_)))) => {
                    tell.send_replace(());
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// Waits on one connection, repeatedly, until it is lost.
async fn wait_once(
    server: &Server,
    tell: &watch::Sender<()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (client, connection) = server.connect_in_time().await?;
    let connection = Connection::new(client, connection);
    let mut after = 0_i64;
    loop {
        let rows = connection
            .query_typed(WAIT, &[(&after, Type::INT8)])
            .await?;
        let safe: i64 = rows.first().ok_or("no row")?.try_get(0)?;
        if safe > after {
            after = safe;
            tell.send_replace(());
        }
    }
}
