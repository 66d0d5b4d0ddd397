//! The files of the web page, which are part of the program.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;

use super::Problem;

#[derive(Embed)]
#[folder = "web/"]
struct Files;

/// What a browser must not do with the page: run scripts or load anything from elsewhere, make markup
/// of strings, show the page inside another one, guess the type of a file, or tell other sites that
/// the user comes from here. `web/index.html` repeats what a page can say of itself.
const PROTECTION: [(HeaderName, &str); 3] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
];

/// The file at this path; `index.html` for a folder.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = match path.is_empty() || path.ends_with('/') {
        true => format!("{path}index.html"),
        false => path.to_owned(),
    };
    let Some(file) = Files::get(&path) else {
        return Problem::not_found(format!("there is nothing at {}", uri.path())).into_response();
    };
    if !matches!(method, Method::GET | Method::HEAD) {
        return Problem::method_not_allowed().into_response();
    }
    let hash = file.metadata.sha256_hash();
    let tag: String = hash
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known == tag) {
        return (StatusCode::NOT_MODIFIED, PROTECTION, [(ETAG, tag)]).into_response();
    }
    let kind = mime_guess::from_path(&path).first_or_octet_stream();
    let headers = [
        (CONTENT_TYPE, kind.to_string()),
        (CACHE_CONTROL, "no-cache".to_owned()),
        (ETAG, tag),
    ];
    (PROTECTION, headers, file.data).into_response()
}
