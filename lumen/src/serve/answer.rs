//! Answers, all JSON but the metrics.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use resonetics_runs::error::Error;
use serde::Serialize;
use serde_json::json;

use super::query::Bad;

/// Why there is no answer.
pub(super) struct Refusal(StatusCode, String);

impl Refusal {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        Refusal(status, text.into())
    }
}

impl From<Bad> for Refusal {
    fn from(Bad(text): Bad) -> Refusal {
        Refusal(StatusCode::BAD_REQUEST, text)
    }
}

impl From<Error> for Refusal {
    /// What was asked for is checked before: this is the store, and its path is nobody's business.
    fn from(_: Error) -> Refusal {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read now; /readyz says more")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, json(&json!({"error": self.1}))).into_response()
    }
}

/// `value` as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        // Plain data always is JSON.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The `Accept` header, of several all of them.
pub(super) fn accept(headers: &HeaderMap) -> String {
    let all = headers.get_all(axum::http::header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    all.collect::<Vec<_>>().join(",")
}
