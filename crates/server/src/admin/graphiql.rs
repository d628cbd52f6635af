//! The page that a browser gets, and its files; nothing comes from any other host.

use std::io::Read as _;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;

use crate::reply::not_found;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Scripts and requests to this node only. GraphiQL sets styles inline and draws with `data:` images.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
    packed: bool,
}

macro_rules! asset {
    ($name:literal, $content_type:expr, $file:literal, $packed:literal) => {
        Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("../../assets/", $file)),
            packed: $packed,
        }
    };
}

static ASSETS: [Asset; 5] = [
    asset!("graphiql-page.js", SCRIPT, "graphiql-page.js", false),
    asset!("graphiql.min.js", SCRIPT, "graphiql.min.js.gz", true),
    asset!("graphiql.min.css", "text/css", "graphiql.min.css.gz", true),
    asset!("react.production.min.js", SCRIPT, "react.production.min.js.gz", true),
    asset!("react-dom.production.min.js", SCRIPT, "react-dom.production.min.js.gz", true),
];

/// The page.
pub(crate) fn page() -> Response {
    with_policy(([(header::CONTENT_TYPE, HTML)], include_str!("../../assets/graphiql.html")).into_response())
}

/// `/admin/assets/<name>`.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else { return not_found().await };
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = match (asset.packed, accepts.contains("gzip")) {
        (false, _) => asset.bytes.into_response(),
        (true, true) => ([(header::CONTENT_ENCODING, "gzip")], asset.bytes).into_response(),
        (true, false) => unpacked(asset.bytes).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    with_policy(response)
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut whole).expect("the files of this program are whole");
    whole
}

fn with_policy(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
