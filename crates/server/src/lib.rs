//! HTTP: the GraphQL admin endpoint and the client endpoints. Translates requests for the engine, and decides nothing.
//!
//! [`serve`] accepts connections and hands each request to [`router`]. `client` has one file for each endpoint that Dgraph's clients use;
//! `admin` reads a GraphQL request, bounds it, asks `access` who may call which field, and answers from `queries` and `mutations`. Every
//! call to the engine goes through `engine`. `guard` says who may change the node; `limits` has every number.
//!
//! # Browsers
//! `/query`, `/mutate` and `/commit` may be called by pages of any site, as with Dgraph, since programs of that kind exist. Whatever needs
//! an administrator may not: no `Access-Control-Allow-Origin` is sent there, mutations need a content type that browsers ask for first,
//! and a request that names another site as its origin is refused.

mod limits;
mod params;
mod reply;
mod whitelist;

mod body;
mod engine;

mod keys;

mod app;
mod guard;

mod membership;
mod metrics;

mod client;

mod admin;

mod edge;
mod router;
mod serve;

pub use admin::sdl;
pub use app::ServerConfig;
pub use graphdb_types::Secret;
pub use keys::{KeyLocation, KeyReader, NoKeys, VaultLocation};
pub use router::router;
pub use serve::{ServeError, serve};
pub use whitelist::{Whitelist, WhitelistError};
