//! The table of routes, and the router that is made from it.
//!
//! A page or an action is a line in the `ROUTES` of its file in `pages`. Nothing else is answered but
//! what is in the table, so tests can go through it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, RawPathParams, Request, State as Shared};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;

use crate::actions::{self, Done, Submitted};
use crate::answer::Answer;
use crate::asked::{self, Asked};
use crate::failure::Failure;
use crate::guard::{self, check_host};
use crate::state::State;
use crate::view::layout;
use crate::{assets, pages};

type Boxed<T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send>>;

/// Answers a GET.
pub(crate) type PageHandler = fn(Asked) -> Boxed<Answer>;

/// Answers the form of a page that has to do with the browser alone.
pub(crate) type DoorHandler = fn(Asked, Vec<(String, String)>) -> Boxed<Answer>;

/// Does something to the database.
pub(crate) type ActionHandler = fn(Submitted) -> Boxed<Done>;

/// An entry of the table.
#[derive(Clone, Copy)]
pub struct Route {
    path: &'static str,
    handler: Handler,
    is_open: bool,
}

#[derive(Clone, Copy)]
enum Handler {
    Page(PageHandler),
    Door(DoorHandler),
    Action(ActionHandler),
}

impl Route {
    pub(crate) const fn page(path: &'static str, handler: PageHandler) -> Self {
        Self {
            path,
            handler: Handler::Page(handler),
            is_open: false,
        }
    }

    pub(crate) const fn door(path: &'static str, handler: DoorHandler) -> Self {
        Self {
            path,
            handler: Handler::Door(handler),
            is_open: false,
        }
    }

    pub(crate) const fn action(path: &'static str, handler: ActionHandler) -> Self {
        Self {
            path,
            handler: Handler::Action(handler),
            is_open: false,
        }
    }

    /// The same, also for people who have not signed in.
    pub(crate) const fn open(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// The path, with `{name}` for each part that varies.
    #[must_use]
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// `GET` or `POST`.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self.handler {
            Handler::Page(_) => "GET",
            Handler::Door(_) | Handler::Action(_) => "POST",
        }
    }

    /// Whether it changes something in the database.
    #[must_use]
    pub fn is_action(&self) -> bool {
        matches!(self.handler, Handler::Action(_))
    }

    /// Whether people who have not signed in get it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method(), self.path)
    }
}

/// The whole table: pages, actions, and what belongs to signing in.
pub fn all() -> impl Iterator<Item = &'static Route> {
    let own = [assets::ROUTES, guard::ROUTES];
    own.into_iter()
        .chain(pages::ROUTES.iter().copied())
        .flatten()
}

/// Whether there is a page at this path.
pub(crate) fn has_page(path: &str) -> bool {
    all().any(|route| route.path == path && route.method() == "GET")
}

/// The longest form: some thousand positions.
const LONGEST_FORM: usize = 256 * 1024;

/// How long an answer may take to begin.
const LONGEST: Duration = Duration::from_secs(15);

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The router for the table.
pub(crate) fn router(state: &Arc<State>) -> Router {
    let mut router = Router::new();
    for route in all() {
        let is_of_sign_in = guard::ROUTES.iter().any(|of| of.path == route.path);
        if (route.is_action() && !state.allow_actions) || (is_of_sign_in && state.secret.is_none())
        {
            continue;
        }
        let handler = move |shared, peer, parameters, request| {
            answer(route, shared, peer, parameters, request)
        };
        router = router.route(
            route.path,
            match route.handler {
                Handler::Page(_) => get(handler),
                Handler::Door(_) | Handler::Action(_) => post(handler),
            },
        );
    }
    router = router
        .fallback(|shared, peer, parameters, request| {
            answer(&NOT_FOUND, shared, peer, parameters, request)
        })
        .layer(CsrfLayer::new())
        .layer(from_fn_with_state(Arc::clone(state), check_host))
        .layer(RequestBodyLimitLayer::new(LONGEST_FORM))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            LONGEST,
        ))
        .layer(CatchPanicLayer::new());
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        router = router.layer(SetResponseHeaderLayer::overriding(name, value));
    }
    let no_store = HeaderValue::from_static("no-store");
    let layer = SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, no_store);
    router.layer(layer).with_state(Arc::clone(state))
}

static NOT_FOUND: Route = Route::page("", |asked| {
    Box::pin(async move {
        Err(Failure::not_found(format!(
            "there is no page {:?}",
            asked.path()
        )))
    })
});

async fn answer(
    route: &'static Route,
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    parameters: RawPathParams,
    request: Request,
) -> Response {
    let began = Instant::now();
    let cookie = guard::cookie_of(request.headers(), &guard::cookie_name(&state));
    let visitor = cookie.and_then(|id| state.visitors.find(id));
    let is_known = visitor.is_some();
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let asked = Asked::new(asked::Request {
        path: parts.uri.path().to_owned(),
        parameters: parameters
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        query: fields(query.as_bytes()),
        headers: parts.headers,
        peer: peer.to_string(),
        visitor: visitor.map_or_else(OnceLock::new, OnceLock::from),
        statements: AtomicU64::new(0),
        state,
    });
    let result = match refused(route, &asked) {
        Some(answer) => answer,
        None if parts.method == Method::POST => match to_bytes(body, LONGEST_FORM).await {
            Ok(form) => posted(route, &asked, fields(&form)).await,
            Err(_) => Err(Failure::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the form is too long",
            )),
        },
        None => shown(route, &asked).await,
    };
    let mut response = layout::response(&asked, result, began);
    // A page with a form has made it known.
    let new = asked.visitor().filter(|_| !is_known);
    let new = new.map(|visitor| guard::cookie(asked.state(), Some(&visitor.id)));
    if let Some(Ok(cookie)) = new.map(HeaderValue::try_from) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The answer to a request that needs a sign-in first.
fn refused(route: &Route, asked: &Asked) -> Option<Result<Answer, Failure>> {
    let state = asked.state();
    let is_signed_in = asked.visitor().is_some_and(|visitor| visitor.is_signed_in);
    if state.secret.is_none() || route.is_open || is_signed_in {
        return None;
    }
    if asked.headers().contains_key(header::AUTHORIZATION) {
        if !state.attempts.are_left() {
            let failure = Failure::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too many attempts; wait a minute",
            );
            return Some(Err(failure));
        }
        if guard::has_secret(state, asked.headers()) {
            return None;
        }
        state.attempts.fail();
        let failure = Failure::new(StatusCode::UNAUTHORIZED, "this is not the secret");
        return Some(Err(failure));
    }
    let wants_page = asked.headers().get(header::ACCEPT);
    let wants_page = wants_page.and_then(|accept| accept.to_str().ok());
    if route.method() != "GET" || !wants_page.is_some_and(|accept| accept.contains("text/html")) {
        return Some(Err(Failure::new(StatusCode::UNAUTHORIZED, "sign in first")));
    }
    let here = asked.here();
    let link = crate::view::link::with_query("/sign-in", [("next", here.as_str())]);
    Some(Ok(Answer::redirect(&link)))
}

/// A page. If the connection of the pool was lost meanwhile, another one is tried once.
async fn shown(route: &Route, asked: &Asked) -> Result<Answer, Failure> {
    let Handler::Page(handler) = route.handler else {
        return Err(Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this is not a page",
        ));
    };
    match handler(asked.clone()).await {
        Err(failure) if failure.is_lost => handler(asked.clone()).await,
        result => result,
    }
}

async fn posted(
    route: &Route,
    asked: &Asked,
    form: Vec<(String, String)>,
) -> Result<Answer, Failure> {
    match route.handler {
        Handler::Action(handler) => actions::run(handler, asked.clone(), form).await,
        Handler::Door(handler) => handler(asked.clone(), form).await,
        Handler::Page(handler) => handler(asked.clone()).await,
    }
}

fn fields(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}
