//! The state of a stream at any version, folded by the `apply` of a command.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::types::Json;
use tokio_postgres::{Client, Row, Statement};

use crate::error::{Error, ErrorKind};
use crate::session::Session;
use crate::transaction::Transaction;

/// The state of one stream alone, from the initial state of the command.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct StreamState {
    /// The command.
    pub command: String,
    /// The stream.
    pub stream_id: String,
    /// The version of the last event in the state; 0: there is none, it is the initial state.
    pub version: i64,
    /// How many events are in it.
    pub events: i64,
    /// Whether it is the state that was asked for. False: the time was up before.
    pub is_complete: bool,
    /// The state, as the server's text.
    #[schemars(with = "serde_json::Value")]
    pub state: Box<RawValue>,
}

/// The state of a stream as a command sees it: its events up to a version, or all of them, folded by
/// the command's `apply` from its initial state, with the settings that the command was registered
/// with. It writes nothing, uses no saved state, and stops after `longest` where it is then.
///
/// `apply` runs with the rights of the session's role. A version that the stream has not reached is
/// the last one. Nothing else may use the session meanwhile.
///
/// # Errors
///
/// There is no such command or no function `apply` any more (`NotFound`), the role may not call it
/// or read events (42501), `apply` fails or returns NULL, or the connection is lost.
pub async fn state(
    session: &Session,
    command: &str,
    stream: &str,
    at_version: Option<i64>,
    longest: Duration,
) -> Result<StreamState, Error> {
    if at_version.is_some_and(i64::is_negative) {
        return Err(Error::malformed("a version is 0 or higher"));
    }
    let deadline = Instant::now() + longest;
    let row = session.query_opt(FOLDING, &[&command]).await?;
    let row =
        row.ok_or_else(|| Error::not_found(format!("there is no command named {command:?}")))?;
    let folding = Folding::read(command, &row)?;
    let transaction = Transaction::read_only(session).await?;
    let folded = fold(session, &folding, stream, (at_version, deadline)).await;
    transaction.roll_back().await?;
    folded
}

/// As the server does before it calls a function of a command: it belongs to a role that owned one
/// at the registration, or to a superuser.
const FOLDING: &str = "\
SELECT c.initial_state, c.settings, c.apply, quote_ident(n.nspname) || '.' || quote_ident(p.proname) AS function,
       p.proargtypes[1] = 'eventcore.events[]'::regtype AS takes_several
  FROM eventcore.commands c
  LEFT JOIN (pg_proc p JOIN pg_roles r ON r.oid = p.proowner JOIN pg_namespace n ON n.oid = p.pronamespace)
         ON p.oid = to_regprocedure(c.apply) AND (r.rolsuper OR r.rolname = ANY (c.function_owners))
 WHERE c.name = $1";

/// How a command folds.
struct Folding {
    command: String,
    /// The name of `apply`, as the server has quoted it.
    function: String,
    takes_several: bool,
    initial_state: Box<RawValue>,
    settings: Vec<String>,
}

impl Folding {
    fn read(command: &str, row: &Row) -> Result<Self, Error> {
        let initial: Json<Box<RawValue>> = row.try_get("initial_state")?;
        let function: Option<String> = row.try_get("function")?;
        let Some(function) = function else {
            let registered: String = row.try_get("apply")?;
            return Err(Error::not_found(format!(
                "the function {registered} of the command {command:?} is gone, or belongs to another role now"
            ))
            .with_hint("Register the command again, with replace => true."));
        };
        Ok(Self {
            command: command.to_owned(),
            function,
            takes_several: row.try_get("takes_several")?,
            initial_state: initial.0,
            settings: row.try_get("settings")?,
        })
    }

    /// The statement that applies the next events: (stream, version so far, state so far, last
    /// version) gives the version and the state after them, and how many there were.
    fn page(&self) -> String {
        let statement = match self.takes_several {
            true => PAGE_AT_ONCE,
            false => PAGE_ONE_BY_ONE,
        };
        // The one name in this crate that is part of a statement. The server has quoted it.
        statement.replace("APPLY", &self.function)
    }
}

/// The settings that the extension applies: a test compares them with
/// `eventcore.session_settings()`. Others, such as `role`, are not for a row to decide.
const SET_UP: &str = "\
SELECT pg_catalog.set_config(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1), true)
  FROM unnest($1::text[]) s
 WHERE split_part(s, '=', 1) IN (
       'search_path', 'plpgsql.check_asserts', 'row_security', 'quote_all_identifiers', 'transform_null_equals',
       'gin_fuzzy_search_limit', 'default_text_search_config', 'array_nulls', 'standard_conforming_strings', 'xmloption',
       'xmlbinary', 'TimeZone', 'timezone_abbreviations', 'DateStyle', 'IntervalStyle', 'lc_monetary', 'lc_numeric',
       'lc_time', 'extra_float_digits', 'bytea_output')";

/// The most events that a statement applies: as many as one call of `apply` may get.
const PAGE: i64 = 100;

const PAGE_ONE_BY_ONE: &str = "\
WITH RECURSIVE folded (version, state, events) AS (
     SELECT $2::bigint, $3::jsonb, 0::bigint
      UNION ALL
     SELECT n.version, APPLY(f.state, n.event), f.events + 1
       FROM folded f
      CROSS JOIN LATERAL (SELECT e AS event, e.version FROM eventcore.events e
                           WHERE e.stream_id = $1::text COLLATE \"C\" AND e.version > f.version AND e.version <= $4::bigint
                           ORDER BY e.version LIMIT 1) n
      WHERE f.events < $5::bigint AND f.state IS NOT NULL)
SELECT version, state, events FROM folded ORDER BY version DESC LIMIT 1";

/// A call gets at most 1 MiB, as in an execution, and the event by which it is more.
const PAGE_AT_ONCE: &str = "\
SELECT pg_catalog.max(p.version), APPLY($3::jsonb, pg_catalog.array_agg(p.event ORDER BY p.version)), pg_catalog.count(*)
  FROM (SELECT n.version, n.event, pg_catalog.sum(n.bytes) OVER (ORDER BY n.version) - n.bytes AS bytes_before
          FROM (SELECT e AS event, e.version, pg_catalog.pg_column_size(e) AS bytes FROM eventcore.events e
                 WHERE e.stream_id = $1::text COLLATE \"C\" AND e.version > $2::bigint AND e.version <= $4::bigint
                 ORDER BY e.version LIMIT $5::bigint) n) p
 WHERE p.bytes_before < 1048576
HAVING pg_catalog.count(*) > 0";

async fn fold(
    session: &Session,
    folding: &Folding,
    stream: &str,
    (at_version, deadline): (Option<i64>, Instant),
) -> Result<StreamState, Error> {
    let client = session.client();
    let _running = session.begins();
    client.query(SET_UP, &[&folding.settings]).await?;
    let page = client.prepare(&folding.page()).await?;
    let mut folded = StreamState {
        command: folding.command.clone(),
        stream_id: stream.to_owned(),
        version: 0,
        events: 0,
        is_complete: false,
        state: folding.initial_state.clone(),
    };
    let last = at_version.unwrap_or(i64::MAX);
    while !folded.is_complete && Instant::now() < deadline {
        folded.is_complete = apply_page(client, &page, &mut folded, last).await?;
    }
    Ok(folded)
}

/// Applies the next events. Returns whether there are no further ones.
async fn apply_page(
    client: &Client,
    page: &Statement,
    folded: &mut StreamState,
    last: i64,
) -> Result<bool, Error> {
    let state = Json(&folded.state);
    let row = client
        .query_opt(
            page,
            &[&folded.stream_id, &folded.version, &state, &last, &PAGE],
        )
        .await?;
    let Some(row) = row else {
        return Ok(true);
    };
    let events: i64 = row.try_get(2)?;
    if events == 0 {
        return Ok(true);
    }
    folded.version = row.try_get(0)?;
    folded.events += events;
    let state: Option<Json<Box<RawValue>>> = row.try_get(1)?;
    let Some(Json(state)) = state else {
        return Err(Error::new(
            ErrorKind::Failed,
            format!(
                "apply of the command {:?} returns NULL, at version {} of the stream {:?}",
                folded.command, folded.version, folded.stream_id
            ),
        ));
    };
    folded.state = state;
    Ok(folded.version == last)
}
