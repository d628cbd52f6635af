//! The endpoints over a real store: the router in process, and the server on a socket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod endpoints {
    mod admin;
    mod backup;
    mod client;
    mod export;
    mod node;
    mod restore;
    mod schema;
    mod security;
    mod server;
}
