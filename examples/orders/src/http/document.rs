//! The OpenAPI document, which is made from the routes.

use utoipa::OpenApi;
use utoipa::openapi;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{RefOr, Required};

/// What a header, a cursor or a product in a path looks like.
const PATTERNS: [(&str, &str); 6] = [
    ("If-Match", r#"^(\*|"[0-9]{1,18}")$"#),
    ("Idempotency-Key", "^[!-~]{1,200}$"),
    ("Min-Position", "^[0-9]{1,18}$"),
    ("Last-Event-ID", "^[0-9]{1,18}$"),
    (
        "cursor",
        "^-?[0-9]{1,19}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
    ),
    ("product_id", r"^[^\x00-\x1f\x7f-\x9f]{1,50}$"),
];

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

/// The document with what holds for all paths: an error is `application/problem+json`, a body is an
/// object or empty, and a parameter that is optional is left out and never `null`.
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
            parameters(operation);
            body(operation);
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

fn parameters(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else {
            continue;
        };
        let pattern = PATTERNS.iter().find(|(name, _)| *name == parameter.name);
        match pattern {
            Some((_, pattern)) => {
                let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
                parameter.schema = Some(text.pattern(Some(*pattern)).into());
            }
            None => not_null(parameter),
        }
    }
}

fn not_null(parameter: &mut Parameter) {
    let schema = parameter.schema.take();
    parameter.schema = schema.map(|schema| match schema {
        RefOr::T(Schema::OneOf(mut either)) => {
            either.items.retain(|one| !is_null(one));
            match either.items.len() {
                1 => either.items.remove(0),
                _ => RefOr::T(Schema::OneOf(either)),
            }
        }
        RefOr::T(Schema::Object(mut object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|one| *one != Type::Null);
            }
            RefOr::T(Schema::Object(object))
        }
        other => other,
    });
}

/// A body that is optional may be empty, and is not `null`.
fn body(operation: &mut Operation) {
    let Some(RefOr::T(body)) = &mut operation.request_body else {
        return;
    };
    for content in body.content.values_mut() {
        let RefOr::T(content) = content else {
            continue;
        };
        if let Some(RefOr::T(Schema::OneOf(either))) = &mut content.schema {
            let all = either.items.len();
            either.items.retain(|one| !is_null(one));
            if either.items.len() == 1 && all == 2 {
                content.schema = Some(either.items.remove(0));
                body.required = Some(Required::False);
            }
        }
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    match schema {
        RefOr::T(Schema::Object(object)) => object.schema_type == SchemaType::Type(Type::Null),
        _ => false,
    }
}
