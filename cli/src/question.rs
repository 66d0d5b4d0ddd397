//! Questions to a person at the terminal, which Ctrl-C ends at once.

use std::fs::File;
use std::io::{self, BufRead, Write};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::oneshot;

use crate::output::safe;

/// Asks on stderr, and returns the line that is typed on stdin.
pub(crate) async fn ask(question: &str) -> io::Result<String> {
    let mut asked = Asked { is_answered: false };
    write!(io::stderr(), "{}", safe(question))?;
    io::stderr().flush()?;
    let answer = beside(|| {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    })
    .await;
    asked.is_answered = true;
    answer
}

/// Asks for a password at the terminal, which does not show it.
pub(crate) async fn ask_password(question: &str) -> io::Result<String> {
    let mut asked = Asked { is_answered: false };
    let _terminal = Terminal::now();
    let question = safe(question).into_owned();
    let answer = beside(move || rpassword::prompt_password(question)).await;
    asked.is_answered = true;
    answer
}

/// Waits in a thread of its own. It is left behind if the wait is given up, as after Ctrl-C: nothing
/// can wake it, and the program ends without it.
async fn beside<T: Send + 'static>(
    wait: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody listens after Ctrl-C.
        let _ = tell.send(wait());
    });
    told.await.map_err(io::Error::other)?
}

/// A question. What is said after it begins on a line of its own.
struct Asked {
    is_answered: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.is_answered {
            // If stderr is closed, no line is needed.
            let _ = writeln!(io::stderr());
        }
    }
}

/// How the terminal is set. It is set so again when this is dropped: while a password is typed it
/// shows nothing.
struct Terminal(Option<(File, Termios)>);

impl Terminal {
    fn now() -> Self {
        let terminal = File::open("/dev/tty").ok();
        Self(terminal.and_then(|file| {
            let set = tcgetattr(&file).ok()?;
            Some((file, set))
        }))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some((terminal, set)) = &self.0 {
            // A terminal that is gone shows nothing.
            let _ = tcsetattr(terminal, OptionalActions::Now, set);
        }
    }
}
