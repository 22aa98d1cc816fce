//! JSON bodies, with our own problems when they are none.

use crate::ApiError;
use crate::core::BODY_BYTES_MAX;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::de::DeserializeOwned;

/// A body of this shape. The content type must be JSON: a form of another page can send none without asking.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::NotJson);
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge(BODY_BYTES_MAX),
                _ => ApiError::invalid("body", "it ended too early"),
            }
        })?;
        // The message names members and places, never values: a password must not come back.
        serde_json::from_slice(&body).map(Self).map_err(|error| ApiError::invalid("body", explain(&error)))
    }
}

fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.is_data() && text.starts_with("invalid") {
        return format!("a member has the wrong type at line {} column {}", error.line(), error.column());
    }
    text
}
