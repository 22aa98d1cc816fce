//! The OpenAPI document, from the handlers and the table of roles.

use crate::access::{Access, access, operations};
use crate::routes;
use axum::body::Bytes;
use gemba_api::rest::ProblemDetails;
use std::sync::LazyLock;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

/// Version of the API, not of the program.
const API_VERSION: &str = "1";
const PROBLEM: &str = "application/problem+json";

/// The document without handlers, to begin with.
pub(crate) fn empty() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Gemba")
        .version(API_VERSION)
        .description(Some(
            "Series, samples, completeness and flow of a plant. Times are RFC 3339 with seven decimals; \
             errors are RFC 9457 problems with a code that has a page. Unsafe requests with the session \
             cookie need the header X-CSRF-Token.",
        ))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// The whole document.
pub(crate) fn document() -> OpenApi {
    let mut document = routes::all().into_openapi();
    let components = document.components.get_or_insert_default();
    components.schemas.insert(ProblemDetails::name().into_owned(), ProblemDetails::schema());
    components.add_security_scheme(
        "token",
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
    );
    components.add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("gemba_session"))),
    );
    for (path, item) in &mut document.paths.paths {
        // What the table says is said here too, so that the two cannot differ.
        let accesses: Vec<_> = operations(item).iter().map(|(method, _)| access(method, path)).collect();
        let all = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for (operation, access) in all.into_iter().flatten().zip(accesses) {
            let (role, security) = match access {
                Some(Access::Role(role)) => (role.as_str(), requirements()),
                _ => ("none", Vec::new()),
            };
            let description = operation.description.take().unwrap_or_default();
            operation.description = Some(format!("{description}\n\nRole: {role}.").trim_start().to_owned());
            operation.security = Some(security);
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    response.description = meaning(status).to_owned();
                }
            }
            operation.responses.responses.insert("default".to_owned(), problem());
        }
    }
    document
}

/// Every response must have a description (OpenAPI 3.1, 4.8.17).
fn meaning(status: &str) -> &'static str {
    match status {
        "201" => "It was made.",
        "204" => "It was done.",
        _ => "What was asked for.",
    }
}

fn requirements() -> Vec<SecurityRequirement> {
    let none: [&str; 0] = [];
    vec![SecurityRequirement::new("token", none), SecurityRequirement::new("session", none)]
}

fn problem() -> RefOr<utoipa::openapi::Response> {
    let schema = Ref::from_schema_name(ProblemDetails::name());
    let content = utoipa::openapi::ContentBuilder::new().schema(Some(schema)).build();
    RefOr::T(ResponseBuilder::new().description("A problem with its code.").content(PROBLEM, content).build())
}

/// The document as text, as it stands under `openapi/gemba-v1.json`.
pub fn openapi_json() -> String {
    let mut text = document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// The same, made once.
pub(crate) fn served() -> Bytes {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| openapi_json().into());
    TEXT.clone()
}
