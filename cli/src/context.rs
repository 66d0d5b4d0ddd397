//! [`Context`]: what every command has: the connection, the output, and an end by Ctrl-C.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use eventcore::PostgresEventStore;
use eventcore_inspect::connection::{Environment, Given, Target, resolve};
use eventcore_inspect::{Error, ErrorKind, Session, SessionOptions};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::Cli;
use crate::failure::Failure;
use crate::output::{Output, safe};
use crate::{question, waits};

const APPLICATION_NAME: &str = "eventcore";

/// How long a statement may take to end after the server was asked to cancel it.
const GRACE: Duration = Duration::from_millis(500);

/// How long a connection may take before a person is told what it waits for.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the server may take to be asked.
const LONGEST: Duration = Duration::from_secs(3);

/// What every command has.
pub(crate) struct Context {
    pub(crate) output: Output,
    given: Given,
    may_ask_for_password: bool,
    is_verbose: bool,
    yes: bool,
    /// Whether the command ends at Ctrl-C by itself.
    ends_by_itself: AtomicBool,
    /// Whether the command has the whole screen, so that nothing else may be written.
    has_screen: AtomicBool,
    /// Where the server is, once it has answered.
    reached: Mutex<Option<Target>>,
    /// The sessions that are open, to be cancelled by Ctrl-C.
    sessions: Mutex<Vec<Weak<Session>>>,
}

impl Context {
    pub(crate) fn new(cli: &Cli) -> Self {
        Self {
            output: Output::new(&cli.output),
            given: cli.connection.given(),
            may_ask_for_password: !cli.connection.no_password,
            is_verbose: cli.output.verbose,
            yes: cli.output.yes,
            ends_by_itself: AtomicBool::new(false),
            has_screen: AtomicBool::new(false),
            reached: Mutex::default(),
            sessions: Mutex::default(),
        }
    }

    /// Runs a command until it ends or Ctrl-C is pressed. A statement that is running then is
    /// cancelled, so that the server does not go on with it; if it was done already, the command
    /// says so.
    pub(crate) async fn run(
        &self,
        command: impl Future<Output = Result<ExitCode, Failure>>,
    ) -> Result<ExitCode, Failure> {
        let mut command = std::pin::pin!(command);
        // Before the command does anything, such as to ask.
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut telling = std::pin::pin!(waits::tell(self));
        let mut can_tell = true;
        loop {
            tokio::select! {
                biased;
                done = &mut command => return done,
                _ = interrupts.recv() => break,
                Err(why) = &mut telling, if can_tell => {
                    can_tell = false;
                    let cannot = format!("a statement takes long, and it cannot be told what it waits for: {}", why.message());
                    // If nothing can be written either, nobody reads remarks. The command goes on.
                    _ = self.output.note(&cannot);
                }
            }
        }
        if self.ends_by_itself.load(Ordering::Relaxed) {
            return command.await;
        }
        let known = self.open_sessions();
        let ended = async {
            tokio::select! {
                biased;
                done = &mut command => Some(done),
                () = cancelled(&known) => None,
                // Twice: at once.
                _ = interrupts.recv() => None,
            }
        };
        match tokio::time::timeout(LONGEST, ended).await {
            Ok(Some(Ok(code))) => Ok(code),
            _ => Err(Failure::Interrupted),
        }
    }

    /// From now on Ctrl-C is the command's own matter, as of a server, which stops in order.
    pub(crate) fn ends_by_itself(&self) {
        self.ends_by_itself.store(true, Ordering::Relaxed);
    }

    /// From now on the command has the whole screen.
    pub(crate) fn has_screen(&self) {
        self.has_screen.store(true, Ordering::Relaxed);
    }

    /// Whether a remark may be written while the command runs.
    pub(crate) fn may_remark(&self) -> bool {
        !self.output.is_quiet() && !self.has_screen.load(Ordering::Relaxed)
    }

    /// A session beside that of the command, which Ctrl-C need not cancel.
    pub(crate) async fn another_reader(&self) -> Result<Session, Failure> {
        let reached = self
            .reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let target = match reached {
            Some(target) => target,
            None => resolve(&self.given, &Environment::of_process())?,
        };
        Ok(Session::open(&target, &SessionOptions::read_only(APPLICATION_NAME)).await?)
    }

    /// The sessions that are open.
    pub(crate) fn open_sessions(&self) -> Vec<Arc<Session>> {
        let sessions = self.sessions.lock();
        let sessions = sessions.unwrap_or_else(PoisonError::into_inner);
        sessions.iter().filter_map(Weak::upgrade).collect()
    }

    /// Where the server is.
    pub(crate) fn target(&self) -> Result<Target, Failure> {
        let target = resolve(&self.given, &Environment::of_process())?;
        for warning in target.warnings() {
            self.output.note(&format!("warning: {warning}"))?;
        }
        if self.is_verbose {
            for part in target.parts() {
                let text = format!("{} = {} ({})", part.name, part.value, part.origin);
                writeln!(io::stderr(), "{}", safe(&text))?;
            }
        }
        Ok(target)
    }

    /// Where the server is, with the password if it was asked for, after it has answered.
    #[cfg(feature = "console")]
    pub(crate) async fn reached(&self) -> Result<Target, Failure> {
        let options = SessionOptions::read_only(APPLICATION_NAME);
        let (session, target) = self.connect(&options).await?;
        session.extension()?;
        Ok(target)
    }

    /// A session that cannot write.
    pub(crate) async fn reader(&self) -> Result<Arc<Session>, Failure> {
        let options = SessionOptions::read_only(APPLICATION_NAME);
        self.open(&options).await
    }

    /// A session that can write.
    pub(crate) async fn writer(&self) -> Result<Arc<Session>, Failure> {
        let options = SessionOptions::read_write(APPLICATION_NAME);
        self.open(&options).await
    }

    async fn open(&self, options: &SessionOptions) -> Result<Arc<Session>, Failure> {
        let (session, _) = self.connect(options).await?;
        let session = Arc::new(session);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.push(Arc::downgrade(&session));
        Ok(session)
    }

    async fn connect(&self, options: &SessionOptions) -> Result<(Session, Target), Failure> {
        let mut target = self.target()?;
        let session = match self.opened(&target, options).await? {
            Err(error) if self.wants_password(&error, &target) => {
                let mut given = self.given.clone();
                given.password = Some(ask_password(&target).await?);
                target = resolve(&given, &Environment::of_process())?;
                self.opened(&target, options).await?
            }
            opened => opened,
        };
        let session = session?;
        *self.reached.lock().unwrap_or_else(PoisonError::into_inner) = Some(target.clone());
        Ok((session, target))
    }

    /// Connects, and tells a person what it waits for if that takes long.
    async fn opened(
        &self,
        target: &Target,
        options: &SessionOptions,
    ) -> Result<Result<Session, Error>, Failure> {
        let mut opened = std::pin::pin!(Session::open(target, options));
        if self.is_verbose || io::stderr().is_terminal() {
            tokio::select! {
                biased;
                done = &mut opened => return Ok(done),
                () = tokio::time::sleep(PATIENCE) => {}
            }
            let database = target.get("dbname").unwrap_or_default();
            self.output.note(&format!(
                "waiting for the server to open a session on database {database:?}; while a statement copies, renames or \
                 drops the database, it opens none"
            ))?;
        }
        Ok(opened.await)
    }

    /// Whether the server asks for a password that nothing has given, and a person is there.
    fn wants_password(&self, error: &Error, target: &Target) -> bool {
        self.may_ask_for_password
            && error.kind() == ErrorKind::NoConnection
            && error.to_string().contains("password missing")
            && target.get("password").is_none()
            && io::stdin().is_terminal()
    }

    /// A store of the client, for subscriptions.
    pub(crate) fn store(&self) -> Result<PostgresEventStore, Failure> {
        let target = resolve(&self.given, &Environment::of_process())?;
        let builder = PostgresEventStore::builder(&target.conninfo()).map_err(Error::from)?;
        Ok(builder.pool_size(1).build().map_err(Error::from)?)
    }

    /// Whether nothing is asked.
    pub(crate) fn is_yes(&self) -> bool {
        self.yes
    }

    /// Asks before something is destroyed. Without a terminal it has to be said by `--yes`.
    pub(crate) async fn confirm(&self, question: &str) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(Failure::Usage(format!(
                "nothing was done, as no person can be asked. With --yes: {}",
                safe(question)
            )));
        }
        let answer = question::ask(&format!("{question}. Do it? [y/N] ")).await?;
        match answer.as_str() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Failure::Declined),
        }
    }
}

/// Returns when the statements of these sessions were cancelled and have had time to end.
async fn cancelled(sessions: &[Arc<Session>]) {
    for session in sessions {
        // If it cannot be reached, there is nothing to cancel.
        let _ = session.cancel().await;
    }
    if !sessions.is_empty() {
        tokio::time::sleep(GRACE).await;
    }
}

async fn ask_password(target: &Target) -> Result<String, Failure> {
    let user = target.get("user").unwrap_or_default();
    let asked = question::ask_password(&format!("Password for user {user}: ")).await;
    asked.map_err(|error| match error.kind() {
        // The terminal gives Ctrl-C as a key while a password is typed.
        io::ErrorKind::Interrupted => Failure::Interrupted,
        _ => error.into(),
    })
}
