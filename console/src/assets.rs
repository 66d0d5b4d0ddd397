//! Style, scripts and the icon. They are in the program, and each has a hash of its bytes in its
//! name, so browsers may keep it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::http::{HeaderValue, header};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::routes::Route;

/// Served also to people who have not signed in: the page for signing in needs them.
pub(crate) const ROUTES: &[Route] =
    &[Route::page("/assets/{file}", |asked| Box::pin(file(asked))).open()];

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 4] = [
    Asset {
        name: "console.css",
        kind: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/console.css"),
    },
    Asset {
        name: "console.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/console.js"),
    },
    Asset {
        name: "tail.js",
        kind: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/tail.js"),
    },
    Asset {
        name: "icon.svg",
        kind: "image/svg+xml",
        bytes: include_bytes!("../assets/icon.svg"),
    },
];

/// The path of each asset.
static PATHS: LazyLock<Vec<String>> = LazyLock::new(|| ASSETS.iter().map(path_of).collect());

fn path_of(asset: &Asset) -> String {
    let mut hasher = DefaultHasher::new();
    asset.bytes.hash(&mut hasher);
    let hash = hasher.finish();
    match asset.name.rsplit_once('.') {
        Some((stem, extension)) => format!("/assets/{stem}-{hash:016x}.{extension}"),
        None => format!("/assets/{}-{hash:016x}", asset.name),
    }
}

/// The path of an asset, with its hash.
pub(crate) fn path(name: &str) -> &'static str {
    let at = ASSETS.iter().position(|asset| asset.name == name);
    at.map_or("/assets/missing", |at| PATHS[at].as_str())
}

async fn file(asked: Asked) -> Result<Answer, Failure> {
    let at = PATHS.iter().position(|path| path == asked.path());
    let at = at.ok_or_else(|| Failure::not_found("there is no such file"))?;
    let Answer::Response(mut response) = Answer::document(ASSETS[at].kind, ASSETS[at].bytes) else {
        return Err(Failure::not_found("there is no such file"));
    };
    let for_ever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, for_ever);
    Ok(Answer::Response(response))
}
