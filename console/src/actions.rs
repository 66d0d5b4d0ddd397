//! The frame around an action: what the browser must have sent, the session that may write, the line
//! in the log, and the message on the next page.

use axum::http::StatusCode;
use eventcore_inspect::Session;
use eventcore_inspect::text::safe;

use crate::answer::Answer;
use crate::asked::{Asked, first};
use crate::failure::Failure;
use crate::page::Page;
use crate::routes::ActionHandler;

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

/// Runs an action.
pub(crate) async fn run(
    handler: ActionHandler,
    asked: Asked,
    form: Vec<(String, String)>,
) -> Result<Answer, Failure> {
    let state = std::sync::Arc::clone(asked.state());
    if !state.allow_actions {
        // The router has no such route. This is a second lock on the same door.
        return Err(Failure::new(
            StatusCode::FORBIDDEN,
            "actions are not allowed",
        ));
    }
    asked.check_csrf(&form)?;
    let line = format!("{} {}", asked.path(), written(&form));
    let result = acted(handler, &asked, form).await;
    let outcome = match &result {
        Ok(done) => format!("done: {}", done.message),
        Err(failure) => format!("failed: {}", failure.message),
    };
    let line = format!("action by {}: {line} {outcome}", asked.peer());
    state.log(&safe(&line));
    let done = result?;
    if let (Answer::Response(_), Some(visitor)) = (&done.answer, asked.visitor()) {
        state.visitors.tell(&visitor.id, done.message);
    }
    Ok(done.answer)
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

/// The fields of a form for the log.
fn written(form: &[(String, String)]) -> String {
    let fields = form.iter().filter(|(name, _)| name != "csrf");
    let fields = fields.map(|(name, value)| format!("{name}={value}"));
    let mut line = fields.collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}
