//! A proxy in front of servers, like HAProxy: new connections go to the current target, and
//! existing connections stay where they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use eventcore_harness::Server;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// The proxy; its connections end with it.
pub(crate) struct Switch {
    folder: PathBuf,
    target: Arc<Mutex<PathBuf>>,
    task: JoinHandle<()>,
}

impl Switch {
    /// A proxy that forwards connections to this server, in a folder beside the server's socket.
    pub(crate) fn to(server: &Server) -> Self {
        let folder = server.socket_folder().join("switch");
        fs::create_dir(&folder).unwrap();
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).unwrap();
        let target = Arc::new(Mutex::new(socket(server)));
        let task = tokio::spawn(accept(listener, Arc::clone(&target)));
        Self {
            folder,
            target,
            task,
        }
    }

    /// Forwards connections to this server from now on.
    pub(crate) fn turn_to(&self, server: &Server) {
        *self.target.lock().unwrap() = socket(server);
    }

    /// The URL of a database behind it.
    pub(crate) fn url(&self, database: &str) -> String {
        url_at(&self.folder, database)
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn url_at(folder: &Path, database: &str) -> String {
    let folder = folder.display();
    format!("postgresql://postgres@/{database}?host={folder}&port=5432")
}

fn socket(server: &Server) -> PathBuf {
    let name = format!(".s.PGSQL.{}", server.port());
    server.socket_folder().join(name)
}

async fn accept(listener: UnixListener, target: Arc<Mutex<PathBuf>>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let target = target.lock().unwrap().clone();
        tokio::spawn(async move {
            // A server that is not running refuses; the client sees its connection close.
            if let Ok(mut server) = UnixStream::connect(target).await {
                let _closed = copy_bidirectional(&mut client, &mut server).await;
            }
        });
    }
}
