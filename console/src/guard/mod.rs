//! Who may ask: names of the host, sign-in, sessions of browsers.

mod attempts;
mod elsewhere;
mod host;
mod sign_in;
mod visitors;

use axum::http::{HeaderMap, header};
use subtle::ConstantTimeEq;

pub(crate) use self::attempts::Attempts;
pub(crate) use self::elsewhere::{is_from_here, question};
pub(crate) use self::host::check_host;
pub(crate) use self::sign_in::ROUTES;
pub(crate) use self::visitors::{Visitor, Visitors};
use crate::state::State;

/// 256 random bits, as text.
pub(crate) fn token() -> Result<String, getrandom::Error> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits)?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Whether two secrets are equal. How long it takes says nothing about where they differ.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// The name of the cookie. It has the port, because browsers send the cookies of one host to all its
/// ports.
pub(crate) fn cookie_name(state: &State) -> String {
    format!("eventcore_console_{}", state.address.port())
}

/// The cookie for a browser. `None` makes the browser forget it.
///
/// It comes along with a link from elsewhere, such as a message of a colleague, and with nothing else
/// from there: neither a form nor a picture. Pages that run functions look where a link came from.
pub(crate) fn cookie(state: &State, id: Option<&str>) -> String {
    let age = if id.is_none() { "; Max-Age=0" } else { "" };
    let name = cookie_name(state);
    let id = id.unwrap_or_default();
    format!("{name}={id}; Path=/; HttpOnly; SameSite=Lax{age}")
}

/// The value of a cookie in a request.
pub(crate) fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let pairs = lines.filter_map(|line| line.to_str().ok());
    let mut pairs = pairs
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(found, value)| (found == name).then_some(value))
}

/// Whether a program has sent the secret with its request: `Authorization: Bearer …`.
pub(crate) fn has_secret(state: &State, headers: &HeaderMap) -> bool {
    let Some(secret) = &state.secret else {
        return false;
    };
    let sent = headers.get(header::AUTHORIZATION);
    let sent = sent.and_then(|line| line.to_str().ok()?.strip_prefix("Bearer "));
    sent.is_some_and(|sent| is_same(sent, secret.reveal()))
}
