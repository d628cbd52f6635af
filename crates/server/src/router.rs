use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use tower_http::compression::CompressionLayer;

use crate::app::{App, ServerConfig};
use crate::engine::Node;
use crate::reply::{not_found, text};
use crate::{admin, client, edge, metrics};

/// Every endpoint of a node, as a service. The peer's address is the `ConnectInfo<SocketAddr>` that [`crate::serve`] puts into each request; a
/// request without it is trusted with nothing that needs an administrator.
pub fn router(node: Node, config: ServerConfig) -> Router {
    routes(App::new(node, config))
}

pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .merge(for_pages_of_any_site())
        .merge(for_administrators())
        .merge(for_everybody())
        .fallback(not_found)
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(app.clone(), edge::watch))
        .with_state(app)
}

/// The rest of the path is ignored behind `/query/` and `/mutate/`: very old clients put a timestamp there.
fn for_pages_of_any_site() -> Router<App> {
    Router::new()
        .route("/query", any(client::query))
        .route("/query/{*rest}", any(client::query))
        .route("/mutate", any(client::mutate))
        .route("/mutate/{*rest}", any(client::mutate))
        .route("/commit", any(client::commit))
        .route("/login", any(client::login))
        .route("/ui/keywords", any(client::keywords))
        .layer(middleware::from_fn(edge::cross_origin))
}

fn for_administrators() -> Router<App> {
    Router::new()
        .route("/alter", any(client::alter))
        .route("/assign", any(client::assign))
        .route("/admin", any(admin::endpoint))
        .route("/admin/assets/{name}", get(admin::asset))
        .route("/admin/backup", any(admin::backup_form))
        .route("/admin/draining", any(admin::draining))
        .route("/admin/shutdown", any(admin::shutdown))
}

fn for_everybody() -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/health", any(client::health))
        .route("/healthz", get(client::healthz))
        .route("/state", any(client::state))
        .route("/probe/graphql", any(client::probe))
        .route("/metrics", get(prometheus))
        .route("/debug/prometheus_metrics", get(prometheus))
}

async fn home() -> Response {
    text(
        StatusCode::OK,
        "graphdb: a graph database that can always be got back. Open /admin in a browser, or POST queries to /query.\n",
    )
}

async fn prometheus(State(app): State<App>) -> Response {
    ([("content-type", "text/plain; version=0.0.4; charset=utf-8")], metrics::text(&app)).into_response()
}
