//! Results of the operations.

use async_graphql::{Enum, ID, SimpleObject};

use super::scalars::{DateTime, Int64, UInt64};
use crate::engine::{self, Listed};
use crate::membership::{FEATURES, GROUP, Membership, Peer};

/// How an operation ended.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct Response {
    /// `Success`; failures are errors.
    code: Option<String>,
    /// One sentence for people.
    message: Option<String>,
}

impl Response {
    pub(crate) fn success(message: impl Into<String>) -> Option<Response> {
        Some(Response { code: Some("Success".into()), message: Some(message.into()) })
    }
}

/// The result of a backup that is complete.
#[derive(Debug, SimpleObject)]
pub(crate) struct BackupPayload {
    /// How it ended.
    pub(crate) response: Option<Response>,
    /// The finished task, for scripts that ask `task` how it went.
    pub(crate) task_id: Option<String>,
}

/// The result of an operation that has nothing else to say.
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, SimpleObject)]
        pub(crate) struct $name {
            /// How it ended.
            pub(crate) response: Option<Response>,
        }
    };
}

payload!(
    /// The result of turning draining mode on or off.
    DrainingPayload
);
payload!(
    /// The result of asking the node to stop.
    ShutdownPayload
);
payload!(
    /// The result of taking a restore back.
    RollbackRestorePayload
);

/// The result of starting a restore.
#[derive(Debug, Default, SimpleObject)]
pub(crate) struct RestorePayload {
    /// `Success` when the restore was verified and started, `Failure` otherwise.
    pub(crate) code: Option<String>,
    /// One sentence for people.
    pub(crate) message: Option<String>,
    /// Ask `restoreStatus` with it how far the restore is.
    pub(crate) restore_id: Option<i32>,
}

/// How far a restore is.
#[derive(Debug, SimpleObject)]
pub(crate) struct RestoreStatus {
    /// `UNKNOWN`, `IN_PROGRESS`, `OK` or `ERR`.
    pub(crate) status: String,
    /// Why it failed.
    pub(crate) errors: Option<Vec<String>>,
    /// What it is doing.
    pub(crate) phase: Option<String>,
    /// How much of its work is done, from 0 to 100.
    pub(crate) percent: Option<f64>,
    /// What to know of it although all went well: what was left out, what was wrong in the backup, what nothing proves.
    pub(crate) note: Option<String>,
}

impl RestoreStatus {
    pub(crate) fn of(progress: Option<engine::Progress>) -> RestoreStatus {
        match progress {
            None => RestoreStatus {
                status: "UNKNOWN".into(),
                errors: Some(Vec::new()),
                phase: None,
                percent: None,
                note: None,
            },
            Some(p) => RestoreStatus {
                status: p.status.into(),
                errors: Some(p.errors),
                phase: Some(p.phase),
                percent: Some(p.percent),
                note: p.note,
            },
        }
    }
}

/// A task of the node.
#[derive(Debug, SimpleObject)]
pub(crate) struct TaskPayload {
    /// What it does.
    pub(crate) kind: Option<TaskKind>,
    /// How far it is.
    pub(crate) status: Option<TaskStatus>,
    /// When the status last changed.
    pub(crate) last_updated: Option<DateTime>,
}

/// Kinds of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(crate) enum TaskKind {
    /// A backup.
    Backup,
    /// An export.
    Export,
    /// Something else.
    Unknown,
}

/// States of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(rename_items = "PascalCase")]
pub(crate) enum TaskStatus {
    /// It waits for its turn.
    Queued,
    /// It is at work.
    Running,
    /// It ended without its result.
    Failed,
    /// It ended with its result.
    Success,
    /// Nobody knows.
    Unknown,
}

impl From<engine::TaskKind> for TaskKind {
    fn from(kind: engine::TaskKind) -> TaskKind {
        match kind {
            engine::TaskKind::Backup => TaskKind::Backup,
            engine::TaskKind::Export => TaskKind::Export,
            engine::TaskKind::Unknown => TaskKind::Unknown,
        }
    }
}

impl From<engine::TaskStatus> for TaskStatus {
    fn from(status: engine::TaskStatus) -> TaskStatus {
        match status {
            engine::TaskStatus::Running => TaskStatus::Running,
            engine::TaskStatus::Failed => TaskStatus::Failed,
            engine::TaskStatus::Success => TaskStatus::Success,
        }
    }
}

/// A backup at a destination.
#[derive(Debug, SimpleObject)]
pub(crate) struct Manifest {
    /// The series it belongs to.
    backup_id: Option<String>,
    /// Its number in the series; the full backup is 1.
    backup_num: Option<UInt64>,
    /// Whether it is encrypted.
    encrypted: Option<bool>,
    /// What each group backed up.
    groups: Option<Vec<BackupGroup>>,
    /// Where it is.
    path: Option<String>,
    /// The instant it shows: its read timestamp.
    since: Option<UInt64>,
    /// `full` or `incremental`.
    #[graphql(name = "type")]
    kind: Option<String>,
}

/// What one group backed up.
#[derive(Debug, SimpleObject)]
pub(crate) struct BackupGroup {
    /// The group.
    group_id: Option<UInt64>,
    /// Its predicates.
    predicates: Option<Vec<String>>,
}

impl From<Listed> for Manifest {
    fn from(listed: Listed) -> Manifest {
        let groups = listed.groups.into_iter();
        let groups = groups
            .map(|(id, predicates)| BackupGroup { group_id: Some(UInt64(id.into())), predicates: Some(predicates) });
        Manifest {
            backup_id: Some(listed.backup_id),
            backup_num: Some(UInt64(listed.backup_num)),
            encrypted: Some(listed.encrypted),
            groups: Some(groups.collect()),
            path: Some(listed.path),
            since: Some(UInt64(listed.since)),
            kind: Some(listed.kind.to_owned()),
        }
    }
}

/// Settings of the node.
#[derive(Debug, SimpleObject)]
pub(crate) struct Config {
    /// Memory for cached blocks, in MiB.
    pub(crate) cache_mb: Option<f64>,
}

/// A GraphQL schema for users' data.
#[derive(Debug, SimpleObject)]
#[graphql(name = "GQLSchema")]
pub(crate) struct GqlSchema {
    /// Where it is stored.
    id: ID,
    /// The text as it was set.
    schema: String,
    /// The text with what was made of it.
    generated_schema: String,
}

/// Ids that were handed out. Both ends belong to them.
#[derive(Debug, SimpleObject)]
pub(crate) struct AssignedIds {
    /// The first.
    pub(crate) start_id: Option<UInt64>,
    /// The last.
    pub(crate) end_id: Option<UInt64>,
    /// A timestamp to read at, when that was asked for.
    pub(crate) read_only: Option<UInt64>,
}

/// The result of handing out ids.
#[derive(Debug, SimpleObject)]
pub(crate) struct AssignPayload {
    /// The ids.
    pub(crate) response: Option<AssignedIds>,
}

/// The result of a login.
#[derive(Debug, SimpleObject)]
pub(crate) struct LoginPayload {
    /// The tokens.
    pub(crate) response: Option<LoginResponse>,
}

/// Tokens of a user.
#[derive(Debug, SimpleObject)]
pub(crate) struct LoginResponse {
    /// Sent along with requests as X-Dgraph-AccessToken.
    #[graphql(name = "accessJWT")]
    access_jwt: Option<String>,
    /// Gets a new access token.
    #[graphql(name = "refreshJWT")]
    refresh_jwt: Option<String>,
}

/// A member of the cluster and how it is.
#[derive(Debug, SimpleObject)]
pub(crate) struct NodeState {
    /// `alpha` or `zero`.
    instance: Option<String>,
    /// Where it listens.
    address: Option<String>,
    /// `healthy` while it takes requests.
    status: Option<String>,
    /// Its group.
    group: Option<String>,
    /// Its version.
    version: Option<String>,
    /// Seconds since it started.
    uptime: Option<Int64>,
    /// When it was last heard of, in Unix seconds.
    last_echo: Option<Int64>,
    /// What it is busy with besides requests, as in opBackup, opRestore or opExport.
    ongoing: Option<Vec<String>>,
    /// Predicates whose indexes are being built.
    indexing: Option<Vec<String>>,
    /// Features that needed a licence elsewhere.
    #[graphql(name = "ee_features")]
    ee_features: Option<Vec<String>>,
}

impl From<Peer> for NodeState {
    fn from(peer: Peer) -> NodeState {
        let is_alpha = peer.group == GROUP;
        let seconds = |seconds: u64| i64::try_from(seconds).ok().map(Int64);
        NodeState {
            instance: Some(peer.instance.into()),
            address: Some(peer.address),
            status: Some("healthy".into()),
            group: Some(peer.group.to_string()),
            version: Some(peer.version),
            uptime: seconds(peer.uptime),
            last_echo: seconds(peer.last_echo),
            ongoing: Some(peer.ongoing),
            indexing: Some(Vec::new()),
            ee_features: Some(if is_alpha { FEATURES.map(str::to_owned).to_vec() } else { Vec::new() }),
        }
    }
}

/// The cluster.
#[derive(Debug, SimpleObject)]
pub(crate) struct MembershipState {
    /// Grows with each change.
    counter: Option<UInt64>,
    /// The groups.
    groups: Option<Vec<ClusterGroup>>,
    /// The members that coordinate.
    zeros: Option<Vec<Member>>,
    /// The greatest uid that was leased.
    #[graphql(name = "maxUID")]
    max_uid: Option<UInt64>,
    /// The greatest uid that was leased, under its older name.
    max_lease_id: Option<UInt64>,
    /// The greatest namespace that was leased.
    #[graphql(name = "maxNsID")]
    max_ns_id: Option<UInt64>,
    /// The greatest timestamp that was leased.
    max_txn_ts: Option<UInt64>,
    /// The greatest number of a member.
    max_raft_id: Option<UInt64>,
    /// Members that were removed.
    removed: Option<Vec<Member>>,
    /// The database's id.
    cid: Option<String>,
    /// There is none to need.
    license: Option<License>,
    /// The namespaces.
    namespaces: Option<Vec<UInt64>>,
}

/// Predicates that are served together, and by whom.
#[derive(Debug, SimpleObject)]
pub(crate) struct ClusterGroup {
    /// Its number.
    id: Option<UInt64>,
    /// Its members.
    members: Option<Vec<Member>>,
    /// Its predicates.
    tablets: Option<Vec<Tablet>>,
    /// The newest commit that is applied.
    snapshot_ts: Option<UInt64>,
    /// Changes when the predicates change.
    checksum: Option<UInt64>,
}

/// A member of the cluster.
#[derive(Debug, SimpleObject)]
pub(crate) struct Member {
    /// Its number.
    id: Option<UInt64>,
    /// Its group; 0 coordinates.
    group_id: Option<UInt64>,
    /// Where it listens.
    addr: Option<String>,
    /// Whether it leads its group.
    leader: Option<bool>,
    /// Whether it was removed.
    am_dead: Option<bool>,
    /// When it became a member, in Unix seconds.
    last_update: Option<UInt64>,
    /// Whether it only asks for the state of the cluster.
    cluster_info_only: Option<bool>,
    /// Whether it insists on its group.
    force_group_id: Option<bool>,
}

/// A predicate and the group that serves it.
#[derive(Debug, SimpleObject)]
pub(crate) struct Tablet {
    /// The group.
    group_id: Option<UInt64>,
    /// The predicate with its namespace, as in 0-name.
    predicate: Option<String>,
    /// Whether it was moved there by force.
    force: Option<bool>,
    /// Always null; kept for older clients.
    space: Option<i32>,
    /// Whether it is being removed.
    remove: Option<bool>,
    /// Whether it refuses writes for now.
    read_only: Option<bool>,
    /// When it was moved there.
    move_ts: Option<UInt64>,
}

/// A licence, for older clients that ask for one.
#[derive(Debug, SimpleObject)]
pub(crate) struct License {
    /// To whom it was given.
    user: Option<String>,
    /// For how many members.
    max_nodes: Option<UInt64>,
    /// When it ends, in Unix seconds.
    expiry_ts: Option<Int64>,
    /// Whether it is in force.
    enabled: Option<bool>,
}

impl From<Membership> for MembershipState {
    fn from(m: Membership) -> MembershipState {
        let tablets = m.tablets.iter().map(|name| Tablet::of(name)).collect();
        let group = ClusterGroup {
            id: Some(UInt64(GROUP.into())),
            members: Some(vec![Member::of(&m, GROUP)]),
            tablets: Some(tablets),
            snapshot_ts: Some(UInt64(m.snapshot_ts)),
            checksum: Some(UInt64(m.checksum)),
        };
        MembershipState {
            counter: Some(UInt64(m.counter)),
            groups: Some(vec![group]),
            zeros: Some(vec![Member::of(&m, 0)]),
            max_uid: Some(UInt64(m.max_uid)),
            max_lease_id: Some(UInt64(m.max_uid)),
            max_ns_id: Some(UInt64(m.max_ns_id)),
            max_txn_ts: Some(UInt64(m.max_txn_ts)),
            max_raft_id: Some(UInt64(1)),
            removed: Some(Vec::new()),
            cid: Some(m.cid),
            license: None,
            namespaces: Some(vec![UInt64(0)]),
        }
    }
}

impl Member {
    fn of(m: &Membership, group: u32) -> Member {
        Member {
            id: Some(UInt64(1)),
            group_id: Some(UInt64(group.into())),
            addr: Some(m.address.clone()),
            leader: Some(true),
            am_dead: Some(false),
            last_update: Some(UInt64(m.since)),
            cluster_info_only: Some(false),
            force_group_id: Some(false),
        }
    }
}

impl Tablet {
    fn of(name: &str) -> Tablet {
        Tablet {
            group_id: Some(UInt64(GROUP.into())),
            predicate: Some(name.to_owned()),
            force: Some(false),
            space: None,
            remove: Some(false),
            read_only: Some(false),
            move_ts: Some(UInt64(0)),
        }
    }
}
