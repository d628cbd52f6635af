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
