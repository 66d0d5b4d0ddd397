//! A proxy in front of a server's socket that counts round trips.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use eventcore_harness::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// The message that the server sends when it is ready for the next query.
const READY_FOR_QUERY: u8 = b'Z';

/// Forwards everything, and counts how often a client sends to a server that is ready. All that the
/// client sends before the server has answered belongs to the same round trip.
pub(super) struct Proxy {
    folder: PathBuf,
    count: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(super) fn start(server: &Server, name: &str) -> Self {
        let name_of_socket = format!(".s.PGSQL.{}", server.port());
        let behind = server.socket_folder().join(&name_of_socket);
        let folder = server.socket_folder().join(name);
        fs::create_dir(&folder).unwrap();
        let listener = UnixListener::bind(folder.join(name_of_socket)).unwrap();
        let count = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(accept(listener, behind, Arc::clone(&count)));
        Self {
            folder,
            count,
            task,
        }
    }

    /// The socket's folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many round trips `work` needed.
    pub(super) async fn during<T>(&self, work: impl Future<Output = T>) -> (u64, T) {
        let before = self.count.load(SeqCst);
        let done = work.await;
        (self.count.load(SeqCst) - before, done)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: UnixListener, behind: PathBuf, count: Arc<AtomicU64>) {
    while let Ok((client, _)) = listener.accept().await {
        let server = UnixStream::connect(&behind).await.unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let waiting = Arc::new(AtomicBool::new(true));
        // Each ends when one side has closed.
        tokio::spawn(requests(
            from_client,
            to_server,
            Arc::clone(&waiting),
            Arc::clone(&count),
        ));
        tokio::spawn(answers(from_server, to_client, waiting));
    }
}

async fn requests(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    waiting: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> Result<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let length = client.read(&mut bytes).await?;
        if length == 0 {
            return Ok(());
        }
        if waiting.swap(false, SeqCst) {
            count.fetch_add(1, SeqCst);
        }
        server.write_all(&bytes[..length]).await?;
    }
}

/// Message by message: a byte for its kind, then its length, which includes itself.
async fn answers(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    waiting: Arc<AtomicBool>,
) -> Result<()> {
    loop {
        let mut message = vec![0; 5];
        server.read_exact(&mut message).await?;
        let length = u32::from_be_bytes(message[1..5].try_into().unwrap());
        message.resize(1 + length as usize, 0);
        server.read_exact(&mut message[5..]).await?;
        if message[0] == READY_FOR_QUERY {
            // Before the client can notice it and send again.
            waiting.store(true, SeqCst);
        }
        client.write_all(&message).await?;
    }
}
