//! Requests: to our own name, to look at something, of a bounded length. All else is refused, with JSON.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::answer::{Refusal, accept};
use super::api::{App, Asked, ROUTES, Route};
use super::query::Params;

/// Bytes of what is asked for, at most.
const MOST_BYTES: usize = 4096;

/// The paths of all routes.
pub fn routes() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().map(|(path, _, _)| *path)
}

/// All routes, for a server at `address`.
pub(super) fn router(app: Arc<App>, address: SocketAddr) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.0, answered(Arc::clone(&app), route));
    }
    router
        .fallback(|| async {
            Refusal::new(StatusCode::NOT_FOUND, "there is no such route; see /openapi.json")
        })
        .layer(from_fn_with_state(address.port(), guarded))
}

/// What a route answers, made on a thread that may wait for the store.
fn answered(app: Arc<App>, route: &'static Route) -> MethodRouter {
    let (_, known, answer) = *route;
    get(move |uri: Uri, headers: HeaderMap| {
        let app = Arc::clone(&app);
        async move {
            let asked = match Params::of(&uri, known) {
                Ok(params) => Asked { params, accept: accept(&headers) },
                Err(bad) => return Refusal::from(bad).into_response(),
            };
            let made = tokio::task::spawn_blocking(move || answer(&app, &asked).into_response());
            let broken =
                |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "no answer was made").into_response();
            made.await.unwrap_or_else(broken)
        }
    })
}

/// Refuses requests for another host, other methods, and what is too long.
async fn guarded(State(port): State<u16>, request: Request, next: Next) -> Response {
    let mut hosts = request.headers().get_all(HOST).iter();
    // Of two it is not known which one was meant.
    let host = hosts.next().filter(|_| hosts.next().is_none());
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let length = request.uri().path_and_query().map_or(0, |asked| asked.as_str().len());
    let mut response = if !is_ours(host, port) {
        let text = format!("this is http://127.0.0.1:{port}/ and answers to no other name");
        Refusal::new(StatusCode::MISDIRECTED_REQUEST, text).into_response()
    } else if length > MOST_BYTES {
        let text = format!("the path and what stands behind it are too long; allowed: {MOST_BYTES} bytes");
        Refusal::new(StatusCode::URI_TOO_LONG, text).into_response()
    } else if *request.method() != Method::GET && *request.method() != Method::HEAD {
        let refusal =
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "allowed: GET and HEAD; nothing is changed here");
        ([(ALLOW, "GET,HEAD")], refusal).into_response()
    } else {
        next.run(request).await
    };
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether a `Host` header names this machine by itself, and our port.
fn is_ours(host: &str, port: u16) -> bool {
    let Some((name, number)) = host.rsplit_once(':') else { return false };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|ours| ours.eq_ignore_ascii_case(name))
        && number == port.to_string()
}
