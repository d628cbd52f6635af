use async_graphql::{Context, Object, Result, ServerError};

use super::access::{Call, failure_text};
use super::inputs::{ListBackupsInput, TaskInput};
use super::outputs::{Config, GqlSchema, Manifest, MembershipState, NodeState, RestoreStatus, TaskPayload};
use super::scalars::DateTime;
use crate::app::App;
use crate::engine;
use crate::membership::{Membership, peers};
use crate::params::read_number;

/// What can be asked without changing anything.
pub(crate) struct Query;

pub(super) fn app<'a>(ctx: &Context<'a>) -> Result<&'a App> {
    Ok(ctx.data::<Call>()?.app())
}

/// Reports that a field failed although it has a value.
pub(super) fn report(ctx: &Context<'_>, why: &str) {
    ctx.add_error(ServerError::new(failure_text(ctx.item.node.name.node.as_str(), why), Some(ctx.item.pos)));
    if let Some(call) = ctx.data_opt::<Call>() {
        call.fail();
    }
}

/// What can be asked without changing anything.
#[Object]
impl Query {
    /// The GraphQL schema for users' data; null, since none is served.
    #[graphql(name = "getGQLSchema")]
    async fn get_gql_schema(&self) -> Option<GqlSchema> {
        None
    }

    /// The members of the cluster and how they are.
    async fn health(&self, ctx: &Context<'_>) -> Result<Option<Vec<NodeState>>> {
        Ok(Some(peers(app(ctx)?).into_iter().map(NodeState::from).collect()))
    }

    /// Groups, members, predicates and leases of the cluster.
    async fn state(&self, ctx: &Context<'_>) -> Result<Option<MembershipState>> {
        let membership = Membership::of(app(ctx)?).map_err(|failure| failure.message().to_owned())?;
        Ok(Some(membership.into()))
    }

    /// Settings of the node.
    async fn config(&self, ctx: &Context<'_>) -> Result<Option<Config>> {
        let cache_bytes = app(ctx)?.config.cache_bytes;
        Ok(Some(Config { cache_mb: Some(cache_bytes as f64 / f64::from(1 << 20)) }))
    }

    /// How far a task is: a backup or an export.
    async fn task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which task.")] input: TaskInput,
    ) -> Result<Option<TaskPayload>> {
        if input.id.is_empty() {
            return Err("task ID is missing".into());
        }
        let id = read_number(&input.id).ok_or_else(|| format!("invalid task ID: {}", input.id))?;
        let task = engine::task(&app(ctx)?.node, id).ok_or("task does not exist or has expired")?;
        let last_updated = Some(DateTime(task.updated_at));
        Ok(Some(TaskPayload { kind: Some(task.kind.into()), status: Some(task.status.into()), last_updated }))
    }

    /// The backups at a destination, ordered by path.
    async fn list_backups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Where to look.")] input: ListBackupsInput,
    ) -> Result<Option<Vec<Manifest>>> {
        match list(app(ctx)?, &input).await {
            Ok(listed) => Ok(Some(listed)),
            Err(why) => {
                report(ctx, &why);
                Ok(Some(Vec::new()))
            }
        }
    }

    /// How far a restore is.
    async fn restore_status(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The restoreId that restore answered.")] restore_id: i32,
    ) -> Result<Option<RestoreStatus>> {
        let progress = u64::try_from(restore_id)
            .ok()
            .and_then(|id| app(ctx).ok().and_then(|app| engine::restore_status(&app.node, id)));
        Ok(Some(RestoreStatus::of(progress)))
    }
}

async fn list(app: &App, input: &ListBackupsInput) -> Result<Vec<Manifest>, String> {
    let window = input.window()?;
    let location = app.node.shown(&input.location());
    let failed = |why| format!("Error: cannot read manifests at location {location}: {why}");
    let place = input.place().map_err(failed)?;
    let mut listed = engine::list(&app.node, &place).await.map_err(failed)?;
    listed.retain(|backup| backup.created_at.as_deref().is_none_or(|at| window.holds(at)));
    listed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listed.into_iter().map(Manifest::from).collect())
}
