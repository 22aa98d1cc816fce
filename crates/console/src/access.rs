//! Which role each route needs: one table, and nothing is served that is not in it.

use axum::http::Method;
use gemba_api::rest::Role;
use std::collections::HashMap;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody.
    Open,
    /// Who has this role or a higher one.
    Role(Role),
}

const OPEN: Access = Access::Open;
const VIEWER: Access = Access::Role(Role::Viewer);
const ADMIN: Access = Access::Role(Role::Admin);

/// Method, path, access. `cargo test` walks it against the OpenAPI document in both directions.
const ROUTES: &[(Method, &str, Access)] = &[
    (Method::GET, "/healthz", OPEN),
    (Method::GET, "/readyz", OPEN),
    (Method::GET, "/openapi.json", OPEN),
    (Method::GET, "/metrics", VIEWER),
    (Method::GET, "/api/v1/first-start", OPEN),
    (Method::POST, "/api/v1/first-start", OPEN),
    (Method::POST, "/api/v1/session", OPEN),
    (Method::GET, "/api/v1/session", VIEWER),
    (Method::DELETE, "/api/v1/session", VIEWER),
    (Method::PUT, "/api/v1/session/password", VIEWER),
    (Method::GET, "/api/v1/system", VIEWER),
    (Method::GET, "/api/v1/series", VIEWER),
    (Method::GET, "/api/v1/series/{id}", VIEWER),
    (Method::GET, "/api/v1/series/{id}/last", VIEWER),
    (Method::GET, "/api/v1/series/{id}/samples", VIEWER),
    (Method::GET, "/api/v1/series/{id}/buckets", VIEWER),
    (Method::GET, "/api/v1/gaps", VIEWER),
    (Method::GET, "/api/v1/completeness", VIEWER),
    (Method::GET, "/api/v1/flow", VIEWER),
    (Method::GET, "/api/v1/live", VIEWER),
    (Method::GET, "/api/v1/users", ADMIN),
    (Method::POST, "/api/v1/users", ADMIN),
    (Method::PATCH, "/api/v1/users/{name}", ADMIN),
    (Method::DELETE, "/api/v1/users/{name}", ADMIN),
    (Method::GET, "/api/v1/tokens", ADMIN),
    (Method::POST, "/api/v1/tokens", ADMIN),
    (Method::DELETE, "/api/v1/tokens/{id}", ADMIN),
];

/// The access of a route; `None` for a route that is not in the table.
pub(crate) fn access(method: &Method, path: &str) -> Option<Access> {
    ROUTES.iter().find(|(m, p, _)| m == method && *p == path).map(|(_, _, access)| *access)
}

/// What the guard needs to know of a route.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) access: Access,
    /// Names of its query parameters, from the OpenAPI document.
    pub(crate) query: Vec<String>,
}

/// All routes by path.
pub(crate) struct Table(HashMap<String, Vec<(Method, Route)>>);

impl Table {
    pub(crate) fn new(document: &OpenApi) -> Self {
        let routes = document.paths.paths.iter().map(|(path, item)| {
            let of_path = operations(item).into_iter().filter_map(|(method, operation)| {
                let route = Route { access: access(&method, path)?, query: query_names(operation) };
                Some((method, route))
            });
            (path.clone(), of_path.collect())
        });
        Self(routes.collect())
    }

    /// The route of a request; HEAD is GET.
    pub(crate) fn route(&self, method: &Method, path: &str) -> Option<&Route> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.get(path)?.iter().find(|(m, _)| m == method).map(|(_, route)| route)
    }
}

/// The operations of a path.
pub(crate) fn operations(item: &PathItem) -> Vec<(Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?))).collect()
}

fn query_names(operation: &Operation) -> Vec<String> {
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    parameters
        .filter(|parameter| parameter.parameter_in == ParameterIn::Query)
        .map(|parameter| parameter.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_document_have_the_same_routes() {
        let document = crate::openapi::document();
        let mut documented: Vec<String> = document
            .paths
            .paths
            .iter()
            .flat_map(|(path, item)| {
                operations(item).into_iter().map(move |(method, _)| format!("{method} {path}"))
            })
            .collect();
        let mut listed: Vec<String> =
            ROUTES.iter().map(|(method, path, _)| format!("{method} {path}")).collect();
        documented.sort();
        listed.sort();
        assert_eq!(listed, documented);
    }
}
