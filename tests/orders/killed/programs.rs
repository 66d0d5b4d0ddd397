//! [`Program`]: a program that is started again whenever it was killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a program that could not start is left alone.
const PAUSE: Duration = Duration::from_millis(100);

/// A program under supervision, as a service manager does it. It ends with the test.
pub(super) struct Program {
    log: PathBuf,
    kills: mpsc::Sender<Kill>,
    task: JoinHandle<()>,
}

/// A kill that is asked for.
struct Kill {
    pause: Duration,
    is_dead: oneshot::Sender<bool>,
}

impl Program {
    /// Starts `orders` with these arguments and variables, and again after each kill.
    pub(super) fn start(
        name: &'static str,
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let log = folder.join(name);
        let file = File::create(&log).unwrap();
        let owned = |text: &&str| (*text).to_owned();
        let arguments: Vec<String> = arguments.iter().map(owned).collect();
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| (owned(name), owned(value)))
            .collect();
        let command = move || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_orders_program"));
            command
                .args(&arguments)
                .envs(variables.iter().cloned())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(file.try_clone().unwrap())
                .kill_on_drop(true);
            command
        };
        let (sender, kills) = mpsc::channel(1);
        Self {
            log,
            kills: sender,
            task: tokio::spawn(supervise(name, command, kills)),
        }
    }

    /// Kills it and starts it again after a pause. Returns when it is dead: whether it was at work,
    /// or killed while it started.
    pub(super) async fn kill(&self, pause: Duration) -> bool {
        let (is_dead, dead) = oneshot::channel();
        self.kills.send(Kill { pause, is_dead }).await.unwrap();
        dead.await.unwrap()
    }

    /// Ends it for good and returns what it has traced.
    pub(super) async fn end(self) -> String {
        drop(self.kills);
        self.task.await.unwrap();
        std::fs::read_to_string(self.log).unwrap()
    }
}

async fn supervise(
    name: &'static str,
    command: impl Fn() -> Command,
    mut kills: mpsc::Receiver<Kill>,
) {
    loop {
        let mut child = command().spawn().unwrap();
        let mut is_at_work = false;
        let kill = tokio::select! {
            kill = kills.recv() => Some(kill),
            status = run(&mut child, &mut is_at_work) => {
                // It may end by itself only because it could not start: there was no server.
                assert!(!is_at_work, "{name} has ended by itself: {status}");
                None
            }
        };
        let Some(kill) = kill else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        child.kill().await.unwrap();
        let Some(kill) = kill else { return };
        // The test has ended if nobody waits for it.
        let _ = kill.is_dead.send(is_at_work);
        tokio::time::sleep(kill.pause).await;
    }
}

/// Until the program ends. It is at work when it has printed a line.
async fn run(child: &mut Child, is_at_work: &mut bool) -> ExitStatus {
    let output = child.stdout.take().unwrap();
    let mut lines = BufReader::new(output).lines();
    *is_at_work = lines.next_line().await.unwrap().is_some();
    child.wait().await.unwrap()
}
