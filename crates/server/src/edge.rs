//! What happens to every request before its handler, and to every answer after it.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;

use crate::app::App;
use crate::reply::{Code, Failure, JSON};

/// Headers that pages of other sites may send to the client endpoints.
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "X-Dgraph-AccessToken, X-Dgraph-AuthToken, Content-Type, Content-Length, Accept-Encoding, Cache-Control, X-CSRF-Token, X-Auth-Token, X-Requested-With",
);

/// Logs and times a request, and turns a panic into an answer.
pub(crate) async fn watch(State(app): State<App>, request: Request, next: Next) -> Response {
    let begin = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    let response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| panicked());
    let (status, took) = (response.status(), begin.elapsed());
    if let Some(label) = label(&path) {
        app.metrics.observe(label, status.is_success(), took);
    }
    tracing::debug!(%method, path, status = status.as_u16(), took_ms = took.as_secs_f64() * 1e3, peer = peer.map(tracing::field::display), "request");
    response
}

fn panicked() -> Response {
    tracing::error!("a handler panicked");
    let failure = Failure::refused(Code::Error, "internal error: the log of the node says more");
    failure.with_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// The endpoints whose latency is counted.
fn label(path: &str) -> Option<&'static str> {
    const LABELS: [&str; 5] = ["query", "mutate", "commit", "alter", "admin"];
    let first = path.trim_start_matches('/').split('/').next()?;
    LABELS.into_iter().find(|label| *label == first)
}

/// Lets pages of other sites call the client endpoints, without credentials, and answers their browsers' questions.
pub(crate) async fn cross_origin(request: Request, next: Next) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        ([(header::CONTENT_TYPE, JSON)], "").into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, OPTIONS"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    response
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]
    use axum::Router;
    use axum::body::Body;
    use axum::middleware;
    use axum::routing::get;
    use graphdb_backup::{Node, NodeOptions};
    use tower::ServiceExt as _;

    use super::*;
    use crate::app::ServerConfig;

    async fn boom() -> Response {
        panic!("for a test")
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_an_error_of_the_usual_shape() {
        let dir = tempfile::tempdir().unwrap();
        let node = Node::open(&dir.path().join("p"), NodeOptions::default()).unwrap();
        let app = App::new(node, ServerConfig::default());
        let router: Router = Router::new().route("/boom", get(boom)).layer(middleware::from_fn_with_state(app, watch));
        let response = router.oneshot(Request::get("/boom").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 1 << 10).await.unwrap();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["errors"][0]["extensions"]["code"], "Error");
        assert!(!json.to_string().contains("for a test"), "what went wrong inside is in the log only");
    }
}
