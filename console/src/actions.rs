//! The frame around an action: what the browser must have sent, the session that may write, the lines
//! in the log, and the message on the next page.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use eventcore_inspect::Session;
use eventcore_inspect::text::safe;
use tokio::task::JoinError;

use crate::answer::Answer;
use crate::asked::{Asked, first};
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::ActionHandler;
use crate::state::State;

/// What an action gets.
pub(crate) struct Submitted {
    pub(crate) asked: Asked,
    form: Vec<(String, String)>,
    /// The only session that may write. It is closed after the action.
    pub(crate) session: Session,
}

/// What an action has done.
pub(crate) struct Done {
    /// What it has done, for the log.
    message: String,
    answer: Answer,
}

impl Done {
    /// The browser goes on to another page, which says what was done.
    pub(crate) fn new(message: impl Into<String>, next: impl AsRef<str>) -> Self {
        Self {
            message: message.into(),
            answer: Answer::redirect(next.as_ref()),
        }
    }

    /// The browser stays, and sees what came out. Only the log has the message.
    pub(crate) fn shown(message: impl Into<String>, page: Page) -> Self {
        Self {
            message: message.into(),
            answer: page.into(),
        }
    }
}

impl Submitted {
    /// The first field of this name, unless it is empty.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        first(&self.form, name).filter(|value| !value.is_empty())
    }

    /// The same, which has to be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, Failure> {
        let value = self.field(name);
        value.ok_or_else(|| Failure::malformed(format!("the field {name} is missing")))
    }

    /// All fields of this name, parsed.
    pub(crate) fn all<T: std::str::FromStr>(&self, name: &str) -> Result<Vec<T>, Failure> {
        let values = self.form.iter().filter(|(field, _)| field == name);
        let parsed = values.map(|(_, value)| {
            let parsed = value.parse();
            parsed.map_err(|_| Failure::malformed(format!("{name} cannot be {value:?}")))
        });
        parsed.collect()
    }
}

/// Runs an action, to its end also if the browser leaves or has waited too long.
pub(crate) async fn run(
    handler: ActionHandler,
    asked: Asked,
    form: Vec<(String, String)>,
) -> Result<Answer, Failure> {
    if !asked.state().allow_actions {
        // The router has no such route. This is a second lock on the same door.
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "actions are not allowed",
        ));
    }
    asked.check_csrf(&form)?;
    let entry = Entry::begin(&asked, &form);
    let task = tokio::spawn(async move {
        let result = acted(handler, &asked, form).await;
        entry.end(&result);
        let done = result?;
        if let (Answer::Response(_), Some(visitor)) = (&done.answer, asked.visitor()) {
            asked.state().visitors.tell(&visitor.id, done.message);
        }
        Ok(done.answer)
    });
    match task.await.map_err(JoinError::try_into_panic) {
        Ok(answer) => answer,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Err(Failure::unavailable("the console ends")),
    }
}

/// The lines of an action in the log: one before it begins, and one when it has ended.
struct Entry {
    state: Arc<State>,
    line: String,
    has_ended: bool,
}

impl Entry {
    fn begin(asked: &Asked, form: &[(String, String)]) -> Self {
        let state = Arc::clone(asked.state());
        let number = state.actions.fetch_add(1, Ordering::Relaxed) + 1;
        let (peer, path) = (asked.peer(), asked.path());
        let line = format!("action {number} by {peer}: {path}{}", written(form));
        let entry = Self {
            state,
            line,
            has_ended: false,
        };
        entry.log("begins");
        entry
    }

    fn end(mut self, result: &Result<Done, Failure>) {
        self.has_ended = true;
        self.log(&match result {
            Ok(done) => format!("done: {}", done.message),
            Err(failure) => format!("failed: {}", failure.message),
        });
    }

    fn log(&self, what: &str) {
        self.state.log(&safe(&format!("{} {what}", self.line)));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.has_ended {
            self.log("was interrupted: it is unknown whether it was done");
        }
    }
}

async fn acted(
    handler: ActionHandler,
    asked: &Asked,
    form: Vec<(String, String)>,
) -> Result<Done, Failure> {
    let session = asked.state().writer().await?;
    let submitted = Submitted {
        asked: asked.clone(),
        form,
        session,
    };
    handler(submitted).await
}

/// The longest part of a form that the log has.
const LONGEST: usize = 500;

/// The fields of a form for the log, each after a space.
fn written(form: &[(String, String)]) -> String {
    let fields = form.iter().filter(|(name, _)| name != "csrf");
    let fields = fields.map(|(name, value)| format!(" {name}={value}"));
    let mut line = fields.collect::<String>();
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}
