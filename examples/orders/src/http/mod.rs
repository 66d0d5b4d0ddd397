//! The HTTP API: routes, bodies, headers, errors. See README.md for the overview of the routes.

mod app;
mod asked;
mod bodies;
mod body;
mod changes;
mod document;
mod fulfil;
mod lists;
mod live;
mod observe;
mod operations;
mod orders;
mod pages;
mod params;
mod problem;
mod stock;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::HeaderName;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{Any, CorsLayer};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use app::{App, Settings};
pub use problem::Problem;

/// The routes with their document.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::without_paths())
        .routes(routes!(orders::create, orders::list))
        .routes(routes!(orders::get))
        .routes(routes!(orders::events))
        .routes(routes!(changes::add_item))
        .routes(routes!(changes::set_quantity, changes::remove_item))
        .routes(routes!(changes::submit))
        .routes(routes!(changes::cancel))
        .routes(routes!(fulfil::fulfil))
        .routes(routes!(fulfil::saga))
        .routes(routes!(lists::customers))
        .routes(routes!(lists::customer))
        .routes(routes!(lists::products))
        .routes(routes!(lists::product))
        .routes(routes!(stock::receive))
        .routes(routes!(lists::statistics))
        .routes(routes!(live::live))
        .routes(routes!(operations::seed))
        .routes(routes!(operations::read_models))
        .routes(routes!(operations::rebuild))
        .routes(routes!(operations::health))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
}

/// The whole service.
pub fn router(app: App) -> Router {
    let (router, paths) = routes().split_for_parts();
    let document = document::complete(paths);
    let exposed = [
        "etag",
        "event-position",
        "idempotency-replayed",
        "link",
        "x-request-id",
    ];
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        .allow_headers(Any)
        .expose_headers(exposed.map(HeaderName::from_static));
    router
        .route("/openapi.json", get(|| async move { axum::Json(document) }))
        .fallback(pages::file)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(app.settings.body_limit))
        .layer(CatchPanicLayer::custom(problem::of_panic))
        .layer(axum::middleware::from_fn(observe::request))
        .layer(cors)
        .with_state(app)
}
