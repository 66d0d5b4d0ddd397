//! One connection that listens for all subscriptions of a store, while there are any.

use std::error::Error;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

use super::server::Server;

const LISTEN: &str = "LISTEN eventcore";

/// How long to wait before a lost connection is made again.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// Starts listening when it is first asked for, and again after everyone has let go of it.
pub(super) struct Listening {
    /// `None`: nowhere, and there is never any news.
    server: Option<Server>,
    listener: Mutex<Weak<Listener>>,
}

/// Listens until it is dropped.
pub(super) struct Listener {
    /// Changes whenever there may be something new to read. The payload of a notification is not
    /// used: anyone may notify, so a position is only believed from the server's functions.
    news: watch::Receiver<()>,
    task: JoinHandle<()>,
}

impl Listening {
    pub(super) fn new(server: Option<Server>) -> Self {
        Self {
            server,
            listener: Mutex::new(Weak::new()),
        }
    }

    /// The one that listens. Must be called within a tokio runtime.
    pub(super) fn listener(&self) -> Arc<Listener> {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = listener
            .upgrade()
            .filter(|running| !running.task.is_finished())
        {
            return running;
        }
        let (tell, news) = watch::channel(());
        let task = tokio::spawn(listen(self.server.clone(), tell));
        let started = Arc::new(Listener { news, task });
        *listener = Arc::downgrade(&started);
        started
    }
}

impl Listener {
    /// Hears of everything that is new from now on.
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

async fn listen(server: Option<Server>, tell: watch::Sender<()>) {
    let Some(server) = server else {
        return tell.closed().await;
    };
    loop {
        // Subscriptions poll while there is no connection: losing it costs latency only.
        let _lost = listen_once(&server, &tell).await;
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

/// Listens on one connection until that is lost.
async fn listen_once(
    server: &Server,
    tell: &watch::Sender<()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let connect = server.connect();
    let (client, mut connection) = match server.limit() {
        Some(limit) => tokio::time::timeout(limit, connect).await??,
        None => connect.await?,
    };
    let mut start = pin!(client.batch_execute(LISTEN));
    let mut listening = false;
    std::future::poll_fn(|cx| {
        loop {
            if !listening && let Poll::Ready(started) = start.as_mut().poll(cx) {
                if let Err(error) = started {
                    return Poll::Ready(Err(error.into()));
                }
                listening = true;
                // What was notified before this was not heard.
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
