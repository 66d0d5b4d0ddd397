//! What a person is told while a statement waits for a lock of another session.

use std::time::{Duration, Instant};

use eventcore_inspect::Session;
use eventcore_inspect::waits::{Blocker, blockers};

use crate::context::Context;
use crate::failure::Failure;

/// How long a statement may take before somebody is told what it waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look.
const LOOK: Duration = Duration::from_millis(250);

/// The longest part of a statement that is told.
const LONGEST: usize = 100;

/// Tells for every statement of the command that waits for more than [`PATIENCE`] whom it waits for,
/// and again when that has changed. Ends only if nobody can be asked.
///
/// The session that asks is a second one, which is opened when it is needed first.
pub(crate) async fn tell(context: &Context) -> Result<(), Failure> {
    let mut asking = None;
    let mut told = Vec::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let waiting = |session: &Session| {
            let since = session.runs_since()?;
            (since.elapsed() >= PATIENCE).then_some((session.pid(), since))
        };
        if !context.may_remark() {
            continue;
        }
        let sessions = context.open_sessions();
        let Some((pid, since)) = sessions.iter().find_map(|session| waiting(session)) else {
            told.clear();
            continue;
        };
        drop(sessions);
        let asker = match &mut asking {
            Some(asker) => asker,
            none => none.insert(context.another_reader().await?),
        };
        let found = blockers(asker, pid).await?;
        let who: Vec<i32> = found.iter().map(|one| one.pid).collect();
        if !found.is_empty() && who != told {
            for one in &found {
                context.output.note(&words(one, since, context))?;
            }
        }
        told = who;
    }
}

fn words(blocker: &Blocker, since: Instant, context: &Context) -> String {
    let waited = since.elapsed().as_secs();
    if blocker.pid == 0 {
        return format!(
            "waiting for {waited} s for a prepared transaction; `SELECT * FROM pg_prepared_xacts` shows it"
        );
    }
    let application = blocker.application_name.as_ref();
    let kind = blocker.backend_type.as_ref();
    let mut about: Vec<String> = application
        .filter(|name| !name.is_empty())
        .or(kind)
        .cloned()
        .into_iter()
        .collect();
    about.extend(blocker.usename.as_ref().map(|role| format!("role {role}")));
    about.extend(blocker.state.clone());
    if let Some(began) = blocker.transaction_start {
        let began = context.output.show.time(began);
        about.push(format!("its transaction began {began}"));
    }
    let about = match about.is_empty() {
        true => String::new(),
        false => format!(" ({})", about.join(", ")),
    };
    let query = blocker
        .query
        .as_ref()
        .map(|query| format!(": {}", cut(query)));
    let query = query.unwrap_or_default();
    format!(
        "waiting for {waited} s for process {}{about}{query}",
        blocker.pid
    )
}

/// The beginning of a statement, on one line.
fn cut(query: &str) -> String {
    let words: Vec<&str> = query.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
