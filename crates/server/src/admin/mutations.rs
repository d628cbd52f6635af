use async_graphql::{Context, Object, Result};
use graphdb_backup::{BackupDone, BackupRequest};
use graphdb_storage::Leased;
use graphdb_types::with_causes;

use super::export::{self, ExportInput, ExportPayload};
use super::inputs::{AssignInput, AssignKind, BackupInput, RestoreInput, RestoreTenantInput};
use super::legacy::SHUTTING_DOWN;
use super::outputs::{
    AssignPayload, AssignedIds, BackupPayload, DrainingPayload, LoginPayload, Response, RestorePayload,
    RollbackRestorePayload, ShutdownPayload,
};
use super::queries::{app, report};
use super::scalars::UInt64;
use crate::app::App;
use crate::client::hand_out;
use crate::engine;

/// What changes the node or its data.
pub(crate) struct Mutation;

/// What changes the node or its data. Mutations of one request run in order and stop at the first failure.
#[Object]
impl Mutation {
    /// Backs up the whole database and answers when the backup is complete.
    async fn backup(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to back up and where to.")] input: BackupInput,
    ) -> Result<Option<BackupPayload>> {
        let done = run_backup(app(ctx)?, input.into_request()?).await?;
        Ok(Some(BackupPayload {
            response: Response::success(engine::completed(&done)),
            task_id: Some(format!("{:#x}", done.task_id)),
        }))
    }

    /// Verifies a series of backups and starts to restore it. The data that is there is replaced when the restore is complete, and kept for
    /// a while so that the restore can be taken back.
    async fn restore(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which backup to restore, and how to read it.")] input: RestoreInput,
    ) -> Result<Option<RestorePayload>> {
        start_restore(ctx, input.into_request()?).await
    }

    /// Verifies a series of backups and starts to restore one namespace of it, which becomes namespace 0. The data that is there, of all
    /// namespaces, is replaced when the restore is complete, and kept for a while so that the restore can be taken back.
    async fn restore_tenant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which namespace of which backup to restore.")] input: RestoreTenantInput,
    ) -> Result<Option<RestorePayload>> {
        start_restore(ctx, input.into_request()?).await
    }

    /// Takes a finished restore back: the data from before it is served again.
    async fn rollback_restore(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The restoreId that restore answered.")] restore_id: i32,
    ) -> Result<Option<RollbackRestorePayload>> {
        let id = u64::try_from(restore_id).map_err(|_| "restoreId must not be below zero")?;
        engine::rollback(&app(ctx)?.node, id).await?;
        Ok(Some(RollbackRestorePayload { response: Response::success("Restore rolled back.") }))
    }

    /// Exports the database as text, as it is now, and answers when the export is complete: N-Quads or JSON, schema and GraphQL schema in a
    /// new folder, which appears when all of it is there.
    async fn export(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to export, how, and where to.")] input: ExportInput,
    ) -> Result<Option<ExportPayload>> {
        Ok(Some(export::export(app(ctx)?, input).await?))
    }

    /// Refuses queries, mutations and alterations, or takes them again. Administration goes on.
    async fn draining(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whether to refuse requests; missing means false.")] enable: Option<bool>,
    ) -> Result<Option<DrainingPayload>> {
        let enable = enable.unwrap_or_default();
        app(ctx)?.node.set_draining(enable);
        Ok(Some(DrainingPayload { response: Response::success(format!("draining mode has been set to {enable}")) }))
    }

    /// Stops the node; requests under way may finish.
    async fn shutdown(&self, ctx: &Context<'_>) -> Result<Option<ShutdownPayload>> {
        app(ctx)?.stop.notify_one();
        Ok(Some(ShutdownPayload { response: Response::success(SHUTTING_DOWN) }))
    }

    /// Hands out ids that nobody else gets.
    async fn assign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many ids of which kind.")] input: AssignInput,
    ) -> Result<Option<AssignPayload>> {
        let kind = match input.what {
            AssignKind::Uid => Leased::Uid,
            AssignKind::Timestamp => Leased::Ts,
            AssignKind::NamespaceId => Leased::Namespace,
        };
        let ids = hand_out(app(ctx)?, kind, input.num.0).await.map_err(|failure| failure.message().to_owned())?;
        let (start_id, end_id, read_only) = (ids.first.map(UInt64), ids.last.map(UInt64), ids.read_only.map(UInt64));
        Ok(Some(AssignPayload { response: Some(AssignedIds { start_id, end_id, read_only }) }))
    }

    /// Logs a user in. There are no users: nobody's password is right.
    async fn login(
        &self,
        #[graphql(desc = "The user.")] user_id: Option<String>,
        #[graphql(desc = "The user's password.")] password: Option<String>,
        #[graphql(desc = "A refresh token instead of user and password.")] refresh_token: Option<String>,
        #[graphql(desc = "The namespace; missing means 0.")] namespace: Option<i32>,
    ) -> Result<Option<LoginPayload>> {
        _ = (user_id, password, refresh_token, namespace);
        Err("invalid username or password".into())
    }
}

async fn start_restore(ctx: &Context<'_>, request: engine::Restore) -> Result<Option<RestorePayload>> {
    let app = app(ctx)?;
    match engine::restore(&app.node, &*app.config.keys, request).await {
        Ok(id) => Ok(Some(RestorePayload {
            code: Some("Success".into()),
            message: Some("Restore operation started.".into()),
            restore_id: i32::try_from(id).ok(),
        })),
        Err(why) => {
            report(ctx, &format!("failed to verify backup: {why}"));
            Ok(Some(RestorePayload { code: Some("Failure".into()), ..RestorePayload::default() }))
        }
    }
}

/// Backs up and counts it, also when the client hangs up.
pub(super) async fn run_backup(app: &App, request: BackupRequest) -> Result<BackupDone, String> {
    let app = app.clone();
    let task = tokio::spawn(async move {
        let _pending = app.metrics.pending_backups.enter();
        app.metrics.backups.add(1);
        let done = engine::backup(&app.node, request).await;
        if done.is_ok() {
            app.metrics.backups_succeeded.add(1)
        } else {
            app.metrics.backups_failed.add(1)
        }
        done
    });
    task.await.unwrap_or_else(|error| Err(with_causes(&error)))
}
