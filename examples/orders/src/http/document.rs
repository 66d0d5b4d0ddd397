//! The OpenAPI document, which is made from the routes.

use utoipa::OpenApi;
use utoipa::openapi;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::PathItem;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Orders",
        description = "Order management on eventcore. Money is in whole cents, times are in UTC."
    ),
    tags(
        (name = "orders", description = "Orders and their fulfilment"),
        (name = "shop", description = "Customers, products and statistics"),
        (name = "operations", description = "For those who run it")
    )
)]
struct Document;

/// What the document says beside the paths.
pub(super) fn without_paths() -> openapi::OpenApi {
    Document::openapi()
}

/// The document with what holds for all paths: an error is `application/problem+json`.
pub(super) fn complete(mut document: openapi::OpenApi) -> openapi::OpenApi {
    for path in document.paths.paths.values_mut() {
        let PathItem {
            get,
            put,
            post,
            delete,
            ..
        } = path;
        for operation in [get, put, post, delete].into_iter().flatten() {
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else {
                    continue;
                };
                if status.as_str() < "400" {
                    continue;
                }
                if let Some(content) = response.content.shift_remove("application/json") {
                    let kind = "application/problem+json".to_owned();
                    response.content.insert(kind, content);
                }
            }
        }
    }
    document
}
