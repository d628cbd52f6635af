//! Who may call which field.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo};
use async_graphql::{PathSegment, Response, ServerError, ServerResult, Value};

use crate::app::App;
use crate::guard;

/// What a field asks of its caller. There are no users yet: until then every class asks for a trusted address (and, before the request is
/// read, the token), and says whom it will ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// A trusted address.
    Minimal,
    /// Also a guardian of the caller's namespace.
    Guardian,
    /// Also a guardian of namespace 0: what concerns the whole node.
    RootGuardian,
}

/// Every field of the roots. A field that is missing here can be called by nobody, and fails a test.
pub(crate) const FIELDS: &[(&str, &str, Access)] = &[
    ("Query", "getGQLSchema", Access::Guardian),
    ("Query", "health", Access::Minimal),
    ("Query", "state", Access::Minimal),
    ("Query", "config", Access::RootGuardian),
    ("Query", "task", Access::RootGuardian),
    ("Query", "listBackups", Access::RootGuardian),
    ("Query", "restoreStatus", Access::RootGuardian),
    ("Mutation", "backup", Access::RootGuardian),
    ("Mutation", "restore", Access::RootGuardian),
    ("Mutation", "restoreTenant", Access::RootGuardian),
    ("Mutation", "export", Access::RootGuardian),
    ("Mutation", "rollbackRestore", Access::RootGuardian),
    ("Mutation", "draining", Access::RootGuardian),
    ("Mutation", "shutdown", Access::RootGuardian),
    ("Mutation", "assign", Access::RootGuardian),
    ("Mutation", "login", Access::Minimal),
];

fn class_of(parent: &str, field: &str) -> Option<Access> {
    FIELDS.iter().find(|(of, name, _)| *of == parent && *name == field).map(|(_, _, access)| *access)
}

/// One request on its way through the schema.
#[derive(Clone)]
pub(crate) struct Call(Arc<CallState>);

struct CallState {
    app: App,
    peer: IpAddr,
    started: AtomicBool,
    failed: AtomicBool,
}

impl Call {
    pub(crate) fn new(app: App, peer: IpAddr) -> Call {
        Call(Arc::new(CallState { app, peer, started: AtomicBool::new(false), failed: AtomicBool::new(false) }))
    }

    pub(crate) fn app(&self) -> &App {
        &self.0.app
    }

    /// Whether execution began, so that the answer has `data`.
    pub(crate) fn has_started(&self) -> bool {
        self.0.started.load(Ordering::Acquire)
    }

    /// Notes that a field failed: no mutation behind it is executed.
    pub(crate) fn fail(&self) {
        self.0.failed.store(true, Ordering::Release);
    }

    fn check(&self, parent: &str, field: &str) -> Result<(), String> {
        let Some(_class) = class_of(parent, field) else { return Err("it is not declared who may call it".to_owned()) };
        guard::check_address(&self.0.app, self.0.peer)
    }
}

/// Marks the error of a mutation that was not executed because one before it failed.
pub(crate) struct NotExecuted;

/// Checks each field of the roots, and words their errors.
pub(crate) struct Gate;

impl ExtensionFactory for Gate {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Gate)
    }
}

#[async_trait::async_trait]
impl Extension for Gate {
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if let Some(call) = ctx.data_opt::<Call>() {
            call.0.started.store(true, Ordering::Release);
        }
        next.run(ctx, operation_name).await
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        let (parent, field) = (info.parent_type, info.name);
        if !matches!(parent, "Query" | "Mutation") || field.starts_with("__") {
            return next.run(ctx, info).await;
        }
        let Some(call) = ctx.data_opt::<Call>() else {
            return Err(ServerError::new("the request has no caller", None));
        };
        let (key, position) = (info.field.response_key().node.to_string(), info.field.name.pos);
        let path = vec![PathSegment::Field(key)];
        if parent == "Mutation" && call.0.failed.load(Ordering::Acquire) {
            let message = format!("Mutation {field} was not executed because of a previous error.");
            let mut error = ServerError::new(message, Some(position)).with_path(path);
            error.source = Some(Arc::new(NotExecuted));
            return Err(error);
        }
        let result = match call.check(parent, field) {
            Ok(()) => next.run(ctx, info).await,
            Err(why) => Err(ServerError::new(why, None)),
        };
        result.map_err(|mut error| {
            call.fail();
            error.message = failure_text(field, &error.message);
            error.locations = vec![position];
            error.with_path(path)
        })
    }
}

/// How a failed field words its error.
pub(crate) fn failure_text(field: &str, why: &str) -> String {
    format!("resolving {field} failed because {why}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use serde_json::Value as Json;

    use super::*;
    use crate::admin::schema;

    async fn introspect(query: &str) -> Json {
        let response = schema().execute(query).await;
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        serde_json::to_value(response.data).unwrap()
    }

    #[tokio::test]
    async fn every_field_of_the_roots_declares_who_may_call_it() {
        let data = introspect("{ __schema { queryType { name fields { name } } mutationType { name fields { name } } subscriptionType { name } } }").await;
        assert!(data["__schema"]["subscriptionType"].is_null(), "subscriptions would need classes too");
        let mut exposed = BTreeSet::new();
        for root in ["queryType", "mutationType"] {
            let root = &data["__schema"][root];
            for field in root["fields"].as_array().unwrap() {
                exposed.insert((root["name"].as_str().unwrap().to_owned(), field["name"].as_str().unwrap().to_owned()));
            }
        }
        let declared: BTreeSet<_> = FIELDS.iter().map(|(of, name, _)| ((*of).to_owned(), (*name).to_owned())).collect();
        assert_eq!(exposed, declared);
        assert_eq!(declared.len(), FIELDS.len(), "a field is declared twice");
    }

    #[tokio::test]
    async fn whatever_changes_the_node_asks_for_more_than_an_address() {
        for (of, name, access) in FIELDS {
            if *of == "Mutation" && *name != "login" {
                assert_eq!(*access, Access::RootGuardian, "{name}");
            }
        }
    }

    #[tokio::test]
    async fn everything_in_the_schema_is_described() {
        let query = "{ __schema { types { name description fields { name description args { name description } } \
                     inputFields { name description } enumValues { name description } } } }";
        let data = introspect(query).await;
        let mut bare = Vec::new();
        for of in data["__schema"]["types"].as_array().unwrap() {
            let name = of["name"].as_str().unwrap();
            // What the specification defines describes itself.
            if name.starts_with("__") || name == "ID" {
                continue;
            }
            note_bare(of, name, &mut bare);
            for list in ["fields", "inputFields", "enumValues"] {
                for member in of[list].as_array().into_iter().flatten() {
                    let path = format!("{name}.{}", member["name"].as_str().unwrap());
                    note_bare(member, &path, &mut bare);
                    for arg in member["args"].as_array().into_iter().flatten() {
                        note_bare(arg, &format!("{path}({})", arg["name"].as_str().unwrap()), &mut bare);
                    }
                }
            }
        }
        assert!(bare.is_empty(), "without a description: {bare:?}");
    }

    fn note_bare(described: &Json, path: &str, bare: &mut Vec<String>) {
        if described["description"].as_str().is_none_or(str::is_empty) {
            bare.push(path.to_owned());
        }
    }
}
