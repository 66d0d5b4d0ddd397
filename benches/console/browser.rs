//! A console, and browsers that look at it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use eventcore_benches::database::Database;
use eventcore_console::{Console, Options};
use eventcore_inspect::connection::{Environment, Given, Target, resolve};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The stream of server-sent events of the tail.
pub(crate) const TAIL: &str = "/tail/events";

/// A console in this process. It ends with [`end`](Self::end).
pub(crate) struct RunningConsole {
    url: String,
    end: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
}

/// Where the database is.
pub(crate) fn target(database: &Database) -> Result<Target> {
    let given = Given {
        url: Some(database.url()?),
        ..Given::default()
    };
    Ok(resolve(&given, &Environment::of_process())?)
}

impl RunningConsole {
    pub(crate) async fn start(database: &Database) -> Result<Self> {
        let options = Options::new(target(database)?).listen(([127, 0, 0, 1], 0).into());
        let console = Console::bind(options).await?;
        let url = format!("http://{}", console.address());
        let (end, ended) = oneshot::channel();
        let running = tokio::spawn(console.run(async {
            // A sender that is gone ends it too.
            let _ = ended.await;
        }));
        Ok(Self { url, end, running })
    }

    pub(crate) async fn end(self) -> Result<()> {
        // It has ended already if nobody receives this; the next line says why.
        let _ = self.end.send(());
        Ok(self.running.await??)
    }

    /// A browser that looks at a page with this stream.
    pub(crate) async fn open(&self, stream: &str) -> Result<Stream> {
        let response = reqwest::get(format!("{}{stream}", self.url)).await?;
        let status = response.status();
        ensure!(status.is_success(), "{stream} answers {status}");
        Ok(Stream {
            response,
            rest: Vec::new(),
        })
    }
}

/// A stream of server-sent events.
pub(crate) struct Stream {
    response: reqwest::Response,
    /// What has come of a line that is not complete.
    rest: Vec<u8>,
}

impl Stream {
    /// The lines that come next.
    pub(crate) async fn lines(&mut self) -> Result<Vec<String>> {
        loop {
            let chunk = self.response.chunk().await?;
            self.rest
                .extend_from_slice(&chunk.context("the stream has ended")?);
            let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
                continue;
            };
            let rest = self.rest.split_off(end + 1);
            let complete = String::from_utf8(std::mem::replace(&mut self.rest, rest))?;
            return Ok(complete.lines().map(str::to_owned).collect());
        }
    }
}

/// Browsers with two windows each: the tail, and the overview, which asks for itself again every two
/// seconds. They read what comes until they are closed.
pub(crate) struct Browsers(Vec<JoinHandle<Result<()>>>);

/// How often the script of the overview asks for it.
const EVERY: Duration = Duration::from_secs(2);

impl Browsers {
    pub(crate) async fn open(console: &RunningConsole, count: usize) -> Result<Self> {
        let mut windows = Vec::new();
        for _ in 0..count {
            let mut tail = console.open(TAIL).await?;
            windows.push(tokio::spawn(async move {
                loop {
                    tail.lines().await?;
                }
            }));
            let overview = format!("{}/", console.url);
            windows.push(tokio::spawn(async move {
                loop {
                    let page = reqwest::get(&overview).await?;
                    page.error_for_status()?.bytes().await?;
                    tokio::time::sleep(EVERY).await;
                }
            }));
        }
        Ok(Self(windows))
    }

    /// Checks that all have been answered, and closes them.
    pub(crate) async fn close(self) -> Result<()> {
        for window in self.0 {
            if window.is_finished() {
                window.await??;
            } else {
                window.abort();
            }
        }
        Ok(())
    }
}
