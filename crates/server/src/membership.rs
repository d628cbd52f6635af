//! The cluster as clients want to see it: one group of one member, and one Zero, all of them this node.

use std::time::{SystemTime, UNIX_EPOCH};

use graphdb_storage::Leased;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::engine;
use crate::reply::Failure;

/// The group that this node serves.
pub(crate) const GROUP: u32 = 1;

/// What `/state` and the GraphQL field `state` show.
#[derive(Debug)]
pub(crate) struct Membership {
    pub(crate) counter: u64,
    /// Predicates with their namespace in front, as in `0-name`.
    pub(crate) tablets: Vec<String>,
    pub(crate) snapshot_ts: u64,
    pub(crate) checksum: u64,
    pub(crate) max_uid: u64,
    pub(crate) max_txn_ts: u64,
    pub(crate) max_ns_id: u64,
    /// The database's id, written as a UUID.
    pub(crate) cid: String,
    pub(crate) address: String,
    /// Unix seconds.
    pub(crate) since: u64,
}

impl Membership {
    pub(crate) fn of(app: &App) -> Result<Membership, Failure> {
        let store = app.store()?;
        let schema = store.schema();
        let tablets: Vec<String> =
            schema.predicates.keys().map(|p| format!("{:x}-{}", p.namespace.0, p.name)).collect();
        let applied = store.stats().applied.0;
        Ok(Membership {
            counter: applied,
            snapshot_ts: applied,
            checksum: graphdb_types::fingerprint64(tablets.join("\n").as_bytes()),
            tablets,
            max_uid: store.max_leased(Leased::Uid),
            max_txn_ts: store.max_leased(Leased::Ts),
            max_ns_id: store.max_leased(Leased::Namespace),
            cid: uuid_text(&store.identity().database_id),
            address: app.config.address.clone(),
            since: now().saturating_sub(app.started_at.elapsed().as_secs()),
        })
    }
}

fn uuid_text(hex: &str) -> String {
    match (hex.get(..8), hex.get(8..12), hex.get(12..16), hex.get(16..20), hex.get(20..)) {
        (Some(a), Some(b), Some(c), Some(d), Some(e)) => format!("{a}-{b}-{c}-{d}-{e}"),
        _ => hex.to_owned(),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

/// The body of `/state`. 64-bit numbers are strings there.
pub(crate) fn state_json(m: &Membership) -> Value {
    let tablets: Map<String, Value> = m.tablets.iter().map(|name| (name.clone(), tablet_json(name))).collect();
    json!({
        "counter": m.counter.to_string(),
        "groups": {GROUP.to_string(): {
            "members": {"1": member_json(m, GROUP)},
            "tablets": tablets,
            "snapshotTs": m.snapshot_ts.to_string(),
            "checksum": m.checksum.to_string(),
            "checkpointTs": "0",
        }},
        "zeros": {"1": member_json(m, 0)},
        "maxUID": m.max_uid.to_string(),
        "maxTxnTs": m.max_txn_ts.to_string(),
        "maxNsID": m.max_ns_id.to_string(),
        "maxRaftId": "1",
        "removed": [],
        "cid": m.cid,
    })
}

fn member_json(m: &Membership, group: u32) -> Value {
    json!({
        "id": "1", "groupId": group, "addr": m.address, "leader": true, "amDead": false, "lastUpdate": m.since.to_string(),
        "learner": false, "clusterInfoOnly": false, "forceGroupId": false,
    })
}

fn tablet_json(name: &str) -> Value {
    json!({
        "groupId": GROUP, "predicate": name, "force": false, "onDiskBytes": "0", "remove": false, "readOnly": false, "moveTs": "0",
        "uncompressedBytes": "0",
    })
}

/// One entry of `health`.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) instance: &'static str,
    pub(crate) address: String,
    pub(crate) group: u32,
    pub(crate) version: String,
    /// Seconds.
    pub(crate) uptime: u64,
    /// Unix seconds.
    pub(crate) last_echo: u64,
    pub(crate) ongoing: Vec<String>,
    pub(crate) max_assigned: u64,
}

/// What `health` says of the node is said of a Zero too, for those who look for one.
pub(crate) fn peers(app: &App) -> [Peer; 2] {
    let peer = |instance, group| Peer {
        instance,
        address: app.config.address.clone(),
        group,
        version: app.config.version.clone(),
        uptime: app.started_at.elapsed().as_secs(),
        last_echo: now(),
        ongoing: Vec::new(),
        max_assigned: 0,
    };
    let max_assigned = app.store().map_or(0, |store| store.stats().applied.0);
    [peer("zero", 0), Peer { ongoing: engine::ongoing(&app.node), max_assigned, ..peer("alpha", GROUP) }]
}

/// The features of this build that a licence once unlocked elsewhere.
pub(crate) const FEATURES: [&str; 1] = ["backup_restore"];

/// The body of `/health`: this node, or with `all` the Zero in front of it.
pub(crate) fn health_json(app: &App, all: bool) -> Value {
    let [zero, alpha] = peers(app);
    let mut list = Vec::new();
    if all {
        list.push(peer_json(&zero));
    }
    let mut json = peer_json(&alpha);
    if !alpha.ongoing.is_empty() {
        json["ongoing"] = json!(alpha.ongoing);
    }
    json["ee_features"] = json!(FEATURES);
    if alpha.max_assigned > 0 {
        json["max_assigned"] = json!(alpha.max_assigned);
    }
    list.push(json);
    Value::Array(list)
}

fn peer_json(peer: &Peer) -> Value {
    json!({
        "instance": peer.instance, "address": peer.address, "status": "healthy", "group": peer.group.to_string(), "version": peer.version,
        "uptime": peer.uptime, "lastEcho": peer.last_echo,
    })
}
