//! The check of `Host`: a page of another site that has its own name resolve to this machine (DNS
//! rebinding) is not answered.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::state::State;

/// Answers only under a name of this console.
pub(crate) async fn check_host(
    Shared(state): Shared<Arc<State>>,
    request: Request,
    next: Next,
) -> Response {
    let named = request.headers().get(header::HOST);
    let named = named.and_then(|name| name.to_str().ok()?.parse().ok());
    let is_ours = |authority: &Authority| is_ours(&state, authority.host());
    let in_line = request.uri().authority().is_none_or(is_ours);
    if !in_line || !named.as_ref().is_some_and(is_ours) {
        let message = "This console does not answer under this name. Use localhost, or start it with --allow-host NAME.\n";
        return (StatusCode::MISDIRECTED_REQUEST, message).into_response();
    }
    next.run(request).await
}

/// Whether a browser sends what is for this name to its own machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    address.is_ok_and(|address| address.is_loopback()) || host.eq_ignore_ascii_case("localhost")
}

/// An address is always ours: no other site's name is one. The port may differ behind a tunnel.
fn is_ours(state: &State, host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || state
            .hosts
            .iter()
            .any(|ours| ours.eq_ignore_ascii_case(host))
}
