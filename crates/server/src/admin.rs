//! The GraphQL admin endpoint: read (`transport`), bounded (`document`), allowed (`access`), answered (`queries`, `mutations`), written
//! down (`respond`).

mod access;
mod dates;
mod document;
mod export;
mod graphiql;
mod inputs;
mod legacy;
mod mutations;
mod outputs;
mod queries;
mod respond;
mod scalars;
mod schema;
mod transport;

pub(crate) use graphiql::asset;
pub(crate) use legacy::{backup_form, draining, shutdown};
pub use schema::sdl;
pub(crate) use schema::{AdminSchema, schema};
pub(crate) use transport::endpoint;
