//! Answers by their kind.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

/// A report, or what else is called HTML in a run: it has all in itself, and is nobody's page, not even ours.
const ALONE: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-scripts";

/// The kind of a page.
pub const HTML: &str = "text/html; charset=utf-8";

pub fn of_kind<T: IntoResponse>(kind: &'static str, body: T) -> Response {
    ([(CONTENT_TYPE, kind)], body).into_response()
}

/// HTML that is not of this page.
pub fn alone<T: IntoResponse>(body: T) -> Response {
    let mut response = of_kind(HTML, body);
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ALONE));
    response
}

pub fn json(value: &serde_json::Value) -> Response {
    of_kind("application/json", value.to_string())
}

pub fn refused(status: StatusCode, text: String) -> Response {
    (status, of_kind("text/plain; charset=utf-8", text)).into_response()
}
