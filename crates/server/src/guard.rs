//! Who may change the node: addresses, the token, and no other site's pages.

use std::net::IpAddr;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::app::{App, peer_of};
use crate::reply::{Code, Failure};

/// The header that carries the token.
pub(crate) const TOKEN_HEADER: &str = "x-dgraph-authtoken";

/// Checks everything that an operation for administrators asks of its caller.
pub(crate) fn check(app: &App, parts: &Parts) -> Result<(), Failure> {
    check_site(app, &parts.headers)?;
    check_token(app, &parts.headers)?;
    check_address(app, peer_of(parts)).map_err(|message| Failure::refused(Code::Unauthorized, message))
}

/// The token must be right, if the node has one.
pub(crate) fn check_token(app: &App, headers: &HeaderMap) -> Result<(), Failure> {
    let Some(token) = &app.config.token else { return Ok(()) };
    let claim = headers.get(TOKEN_HEADER).map(|value| value.as_bytes()).unwrap_or_default();
    if token.matches(claim) { Ok(()) } else { Err(Failure::refused(Code::Unauthorized, "Invalid X-Dgraph-AuthToken")) }
}

/// The peer must be on this machine or whitelisted. What a proxy says of its own peers is not asked: anybody can say it.
pub(crate) fn check_address(app: &App, peer: IpAddr) -> Result<(), String> {
    if app.config.whitelist.allows(peer) {
        return Ok(());
    }
    Err(format!("unauthorized ip address: {}", peer.to_canonical()))
}

/// A browser may only send what a page of this node asks for. Its requests come from a trusted address, whoever wrote the page.
///
/// Browsers name the page's site in `Sec-Fetch-Site` or `Origin`; programs send neither. A node without a token that is asked under a
/// name of its own choosing could be the victim of a name server that points a stranger's name to it, so then pages are only served
/// under addresses and `localhost`.
pub(crate) fn check_site(app: &App, headers: &HeaderMap) -> Result<(), Failure> {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = header("sec-fetch-site".parse().expect("a header name"));
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(other_site());
    }
    let Some(origin) = header(header::ORIGIN) else { return Ok(()) };
    let host = header(header::HOST).unwrap_or_default();
    let same = origin.split_once("://").is_some_and(|(_, origin)| origin.eq_ignore_ascii_case(host));
    if same && (app.config.token.is_some() || is_address(host)) { Ok(()) } else { Err(other_site()) }
}

fn other_site() -> Failure {
    let message =
        "a page of another site may not call this endpoint; open /admin of this node by its address, or set a token";
    Failure::refused(Code::Unauthorized, message)
}

fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}
