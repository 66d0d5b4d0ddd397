//! Transactions that have appended and not ended.

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::row::{all, from_row};
use crate::session::Session;
use crate::time::Time;

from_row! {
    /// A row of `eventcore.stat_inflight`.
    #[derive(Debug, Clone, Serialize, JsonSchema)]
    #[non_exhaustive]
    #[expect(missing_docs, reason = "the view describes its columns")]
    pub struct InFlight {
        pub pid: Option<i32>,
        pub lowest_position: i64,
        pub holds_safe_position: bool,
        pub age_seconds: Option<f64>,
        pub transaction_start: Option<Time>,
        pub state: Option<String>,
        pub wait_event_type: Option<String>,
        pub wait_event: Option<String>,
        pub application_name: Option<String>,
        pub usename: Option<String>,
        pub query: Option<String>,
        pub holder: String,
    }
}

const LIST: &str =
    "SELECT * FROM eventcore.stat_inflight ORDER BY holds_safe_position DESC, lowest_position, pid";

/// The transactions in flight, the one that holds readers back first.
///
/// # Errors
///
/// The role may not read the view, or the connection is lost.
pub async fn list(session: &Session) -> Result<Vec<InFlight>, Error> {
    all(session, LIST, &[]).await
}

/// How long readers have to wait before it is worth a word, in seconds: most appends end within it.
const LONG: f64 = 1.0;

impl InFlight {
    /// Whether readers have waited for it for more than a second, so that no lag tells the truth: the
    /// events behind it are not counted.
    #[must_use]
    pub fn holds_readers_back(&self) -> bool {
        self.holds_safe_position && self.age_seconds.is_some_and(|age| age > LONG)
    }

    /// The name that its client gave itself, and its state, as far as the role may see them.
    #[must_use]
    pub fn about(&self) -> Option<String> {
        let about = [&self.application_name, &self.state];
        let about = about.into_iter().flatten().map(String::as_str);
        let about: Vec<&str> = about.filter(|text| !text.is_empty()).collect();
        (!about.is_empty()).then(|| about.join(", "))
    }
}

const HELD: &str = "\
SELECT * FROM eventcore.stat_inflight WHERE holds_safe_position ORDER BY age_seconds DESC NULLS LAST LIMIT 1";

/// What has held readers back for more than a second, if anything does.
///
/// # Errors
///
/// The role may not read the view, or the connection is lost.
pub async fn holder(session: &Session) -> Result<Option<InFlight>, Error> {
    let found: Vec<InFlight> = all(session, HELD, &[]).await?;
    Ok(found.into_iter().find(InFlight::holds_readers_back))
}
