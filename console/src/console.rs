//! [`Console`]: binds the address, runs the server and what works beside it, and ends both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::options::Options;
use crate::state::State;
use crate::{doctor, monitor, routes, tail};

/// Why the console cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Other machines could reach it, and nobody would have to sign in.
    #[error(
        "{0} can be reached from other machines: listen on 127.0.0.1, or have people sign in with --auth"
    )]
    Open(SocketAddr),
    /// The address is taken, or is not one of this machine.
    #[error("cannot listen at {0}: {1}")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// The system has no random numbers, or the pool cannot be made.
    #[error("{0}")]
    State(String),
}

/// A console that listens.
pub struct Console {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
    ended: watch::Sender<bool>,
}

/// How long requests may take to end once the console is to end.
const GRACE: Duration = Duration::from_secs(3);

impl Console {
    /// Binds the address. Nothing is answered before [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// The address cannot be bound, or is not of the loopback and there is no secret.
    pub async fn bind(options: Options) -> Result<Self, StartError> {
        let listen = options.listen;
        if !listen.ip().is_loopback() && options.secret.is_none() {
            return Err(StartError::Open(listen));
        }
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|error| StartError::Bind(listen, error))?;
        let address = listener.local_addr();
        let address = address.map_err(|error| StartError::Bind(listen, error))?;
        let (ended, ends) = watch::channel(false);
        let state = State::new(options, address, ends).map_err(StartError::State)?;
        Ok(Self {
            listener,
            address,
            state: Arc::new(state),
            ended,
        })
    }

    /// The address, with the port that the system chose if it was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `end` is over. Live streams end then, and other requests have three
    /// seconds.
    ///
    /// # Errors
    ///
    /// The listener fails.
    pub async fn run(self, end: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
        let mut beside = JoinSet::new();
        beside.spawn(monitor::run(Arc::clone(&self.state)));
        beside.spawn(doctor::run(Arc::clone(&self.state)));
        beside.spawn(tail::run(Arc::clone(&self.state)));
        let router = routes::router(&self.state);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let ended = self.ended.clone();
        let server = axum::serve(self.listener, service).with_graceful_shutdown(async move {
            end.await;
            ended.send_replace(true);
        });
        let mut is_over = self.ended.subscribe();
        let late = async {
            // The sender lives as long as this function.
            let _ = is_over.wait_for(|is_over| *is_over).await;
            tokio::time::sleep(GRACE).await;
        };
        // What works beside it ends with the set.
        tokio::select! {
            result = server => result,
            () = late => Ok(()),
        }
    }
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
