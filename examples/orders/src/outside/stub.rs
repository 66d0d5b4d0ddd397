//! A payment provider and a carrier as a process of their own, with faults: `orders stub`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::{Answer, Carrier, Ledger, Payments, Unavailable};
use crate::domain::{Money, OrderId};

/// How often the stub does what its callers do not hope for: shares of its requests, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// It answers 503 and does nothing.
    pub fail: f64,
    /// It does what it is asked and loses the answer, so that it is asked again and answers twice.
    pub lose: f64,
    /// It takes its time, up to [`delay`](Self::delay).
    pub slow: f64,
    /// The longest time that it takes.
    pub delay: Duration,
}

#[derive(Deserialize)]
struct Charge {
    amount_cents: u64,
}

#[derive(Deserialize)]
struct Book {
    pieces: u64,
}

/// What the partners have done, for an audit.
#[derive(Serialize)]
struct Audit {
    taken_cents: u64,
    payments: usize,
    shipped_pieces: u64,
    shipments: usize,
}

type Shared = State<Arc<Ledger>>;

/// Serves a ledger until the future ends.
///
/// # Errors
///
/// The connection cannot be served.
pub async fn serve(
    listener: TcpListener,
    ledger: Arc<Ledger>,
    faults: Faults,
    end: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/payments/{order}/charge", post(charge))
        .route("/payments/{order}/refund", post(refund))
        .route("/shipments/{order}/book", post(book))
        .route("/shipments/{order}/withdraw", post(withdraw))
        .layer(middleware::from_fn(move |request, next| {
            misbehave(faults, request, next)
        }))
        .route("/audit", get(audit))
        .with_state(ledger);
    axum::serve(listener, router)
        .with_graceful_shutdown(end)
        .await
}

async fn misbehave(faults: Faults, request: Request, next: Next) -> Response {
    let happens = |share: f64| fastrand::f64() < share;
    if happens(faults.slow) {
        tokio::time::sleep(faults.delay.mul_f64(fastrand::f64())).await;
    }
    if happens(faults.fail) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let response = next.run(request).await;
    match happens(faults.lose) {
        true => StatusCode::BAD_GATEWAY.into_response(),
        false => response,
    }
}

async fn charge(
    State(ledger): Shared,
    Path(order): Path<OrderId>,
    Json(charge): Json<Charge>,
) -> Result<Json<Answer>, Failed> {
    let amount = Money::from_cents(charge.amount_cents);
    Ok(Json(ledger.charge(order, amount).await?))
}

async fn refund(State(ledger): Shared, Path(order): Path<OrderId>) -> Result<Json<()>, Failed> {
    Ok(Json(ledger.refund(order).await?))
}

async fn book(
    State(ledger): Shared,
    Path(order): Path<OrderId>,
    Json(book): Json<Book>,
) -> Result<Json<Answer>, Failed> {
    Ok(Json(ledger.book(order, book.pieces).await?))
}

async fn withdraw(State(ledger): Shared, Path(order): Path<OrderId>) -> Result<Json<()>, Failed> {
    Ok(Json(ledger.withdraw(order).await?))
}

async fn audit(State(ledger): Shared) -> Json<Audit> {
    let ((taken_cents, payments), (shipped_pieces, shipments)) = (ledger.taken(), ledger.shipped());
    Json(Audit {
        taken_cents,
        payments,
        shipped_pieces,
        shipments,
    })
}

/// A ledger that does not answer: it cannot write its file.
struct Failed(Unavailable);

impl From<Unavailable> for Failed {
    fn from(error: Unavailable) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, self.0.to_string()).into_response()
    }
}
