//! [`Asked`]: a request, as pages see it.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, StatusCode};
use eventcore_inspect::Session;

use crate::failure::Failure;
use crate::guard::{Visitor, is_same};
use crate::pool::{Lent, Pool};
use crate::state::State;
use crate::view::link;

/// A request, as pages see it. A copy is the same request.
#[derive(Clone)]
pub(crate) struct Asked(Arc<Request>);

pub(crate) struct Request {
    pub(crate) state: Arc<State>,
    pub(crate) path: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: String,
    /// The browser, once it is known.
    pub(crate) visitor: OnceLock<Visitor>,
    /// How many statements have been run for it.
    pub(crate) statements: AtomicU64,
}

impl Asked {
    pub(crate) fn new(request: Request) -> Self {
        Self(Arc::new(request))
    }

    pub(crate) fn state(&self) -> &Arc<State> {
        &self.0.state
    }

    /// The path, as it was sent.
    pub(crate) fn path(&self) -> &str {
        &self.0.path
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The address of the browser.
    pub(crate) fn peer(&self) -> &str {
        &self.0.peer
    }

    /// The browser, if it is known.
    pub(crate) fn visitor(&self) -> Option<&Visitor> {
        self.0.visitor.get()
    }

    /// The browser, for a form that does something: from then on it is known. `None` if no form of it
    /// would be taken.
    pub(crate) fn visitor_with_form(&self) -> Option<&Visitor> {
        let state = self.state();
        if !state.allow_actions || self.visitor().is_some() || state.secret.is_some() {
            return self.visitor().filter(|_| state.allow_actions);
        }
        // Without random numbers there is no session, and then no form is taken.
        let visitor = state.visitors.welcome(false).ok()?;
        Some(self.0.visitor.get_or_init(|| visitor))
    }

    /// Whether a script asks for a part of a page that is shown already.
    pub(crate) fn is_for_part(&self) -> bool {
        self.headers().contains_key("eventcore-part")
    }

    /// The part of the path that the route calls so, decoded.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        first(&self.0.parameters, name).unwrap_or_default()
    }

    /// The name of what the page is about, where a link was made by [`link::named`].
    pub(crate) fn name(&self, parameter: &str) -> &str {
        match (self.parameter(parameter), self.value("name")) {
            ("-", Some(name)) => name,
            (name, _) => name,
        }
    }

    /// The first field of the query string of this name, unless it is empty.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        first(&self.0.query, name).filter(|value| !value.is_empty())
    }

    /// All fields of the query string of this name that are not empty.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let of_name = |(field, value): &&(String, String)| field == name && !value.is_empty();
        let found = self.0.query.iter().filter(of_name);
        found.map(|(_, value)| value.as_str()).collect()
    }

    /// The same, parsed: a number, an id, a time.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        self.value(name).map(|text| parse(name, text)).transpose()
    }

    /// All fields of the query string of this name, parsed.
    pub(crate) fn all_parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Vec<T>, Failure> {
        let values = self.values(name).into_iter();
        values.map(|text| parse(name, text)).collect()
    }

    /// The part of the path that the route calls so, parsed.
    pub(crate) fn parsed_parameter<T: std::str::FromStr>(&self, name: &str) -> Result<T, Failure> {
        parse(name, self.parameter(name))
    }

    /// The link to this page with other fields: `None` leaves a field out.
    pub(crate) fn with(&self, changes: &[(&str, Option<&str>)]) -> String {
        let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
        let old = self.0.query.iter().filter(|(name, _)| !is_changed(name));
        let old = old.map(|(name, value)| (name.as_str(), value.as_str()));
        let new = changes
            .iter()
            .filter_map(|(name, value)| Some((*name, (*value)?)));
        link::with_query(&self.0.path, old.chain(new))
    }

    /// The link to this page, as it was asked for.
    pub(crate) fn here(&self) -> String {
        self.with(&[])
    }

    /// A session that cannot write.
    pub(crate) async fn session(&self) -> Result<Counted, Failure> {
        self.session_of(&self.0.state.pool).await
    }

    pub(crate) async fn session_of(&self, pool: &Pool) -> Result<Counted, Failure> {
        let session = pool.session().await?;
        Ok(Counted {
            before: session.statements(),
            session,
            asked: self.clone(),
        })
    }

    /// How many statements have been run for it so far.
    pub(crate) fn statements(&self) -> u64 {
        self.0.statements.load(Ordering::Relaxed)
    }

    /// Whether a form of a page of ours was sent.
    pub(crate) fn check_csrf(&self, form: &[(String, String)]) -> Result<(), Failure> {
        let sent = first(form, "csrf").unwrap_or_default();
        match self.visitor() {
            Some(visitor) if is_same(sent, &visitor.csrf) => Ok(()),
            _ => Err(
                Failure::new(StatusCode::FORBIDDEN, "this form is not of this session")
                    .with_hint("Load the page again, and send its form."),
            ),
        }
    }
}

/// The value of the first field of this name.
pub(crate) fn first<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = fields.iter().find(|(field, _)| field == name);
    found.map(|(_, value)| value.as_str())
}

fn parse<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, Failure> {
    let parsed = text.trim().parse();
    parsed.map_err(|_| Failure::malformed(format!("{name} cannot be {text:?}")))
}

/// A session of a page, whose statements are counted.
pub(crate) struct Counted {
    session: Lent,
    before: u64,
    asked: Asked,
}

impl Deref for Counted {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let run = self.session.statements() - self.before;
        self.asked.0.statements.fetch_add(run, Ordering::Relaxed);
    }
}
