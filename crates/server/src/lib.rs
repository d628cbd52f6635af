//! HTTP: the GraphQL admin endpoint and the client endpoints.
