//! `/metrics` for Prometheus, and `/healthz` and `/readyz` for whatever restarts and routes.

use std::fmt::Write;

use axum::http::StatusCode;
use axum::response::IntoResponse;
use eventcore_inspect::metrics::{collect, down, text};

use crate::answer::Answer;
use crate::asked::Asked;
use crate::failure::Failure;
use crate::routes::Route;

/// The last two say nothing but whether, so nobody has to sign in for them.
pub(crate) const ROUTES: &[Route] = &[
    Route::page("/metrics", |asked| Box::pin(metrics(asked))),
    Route::page("/healthz", |_| {
        Box::pin(async { Ok(plain(StatusCode::OK, "ok\n")) })
    })
    .open(),
    Route::page("/readyz", |asked| Box::pin(ready(asked))).open(),
];

/// The text format of Prometheus.
const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A database that does not answer is a value too.
async fn metrics(asked: Asked) -> Result<Answer, Failure> {
    let mut text = match asked.session().await {
        Ok(session) => match collect(&session).await {
            Ok(collected) => text(&collected),
            Err(_) => down(),
        },
        Err(_) => down(),
    };
    let name = "eventcore_console_streams_open";
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "# HELP {name} Live streams that this console serves.\n# TYPE {name} gauge\n{name} {}",
        asked.state().tail.open()
    );
    Ok(Answer::document(KIND, text))
}

/// Whether pages would be answered.
async fn ready(asked: Asked) -> Result<Answer, Failure> {
    let is_ready = match asked.session().await {
        Ok(session) => session.extension().is_ok(),
        Err(_) => false,
    };
    Ok(match is_ready {
        true => plain(StatusCode::OK, "ready\n"),
        false => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        ),
    })
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    Answer::Response((status, text).into_response())
}
