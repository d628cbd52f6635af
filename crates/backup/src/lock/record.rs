//! What a lock object holds. One that was given back and could not be deleted is empty: that is seen also by who may only list.

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How long a lock holds without renewal.
pub(super) const LIFETIME: Duration = Duration::from_secs(60);

/// Who holds a location, and until when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct LockRecord {
    pub(super) owner: String,
    pub(super) host: String,
    pub(super) pid: u32,
    /// When the process was started, in clock ticks since boot: a pid alone can be used again.
    pub(super) started: Option<u64>,
    pub(super) taken_at: String,
    pub(super) expires_at_unix: i64,
}

impl LockRecord {
    pub(super) fn new() -> LockRecord {
        let pid = std::process::id();
        LockRecord {
            owner: format!("{:016x}", rand::random::<u64>()),
            host: host_name(),
            pid,
            started: process_start(pid),
            taken_at: now().format(&Rfc3339).unwrap_or_default(),
            expires_at_unix: expiry(),
        }
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).expect("a lock is plain data").into()
    }

    pub(super) fn is_held(&self) -> bool {
        let here = self.host == host_name() && !self.host.is_empty() && self.started.is_some();
        let gone = here && process_start(self.pid) != self.started;
        let let_go = here && self.pid == std::process::id() && !Ours::holds(&self.owner);
        !gone && !let_go && now().unix_timestamp() <= self.expires_at_unix
    }

    pub(super) fn holder(&self) -> String {
        format!("process {} on {}, since {}", self.pid, self.host, self.taken_at)
    }

    pub(super) fn expires(&self) -> String {
        format!("in {} s", (self.expires_at_unix - now().unix_timestamp()).max(0))
    }
}

/// The locks that this process holds. One that names this process and is not among them was left behind, by a backup that could not
/// remove it or did not learn that it had it.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// An owner among [`HELD`], until dropped.
#[derive(Debug)]
pub(super) struct Ours(String);

impl Ours {
    pub(super) fn note(owner: &str) -> Ours {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.to_owned());
        Ours(owner.to_owned())
    }

    fn holds(owner: &str) -> bool {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).contains(owner)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

pub(super) fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

pub(super) fn expiry() -> i64 {
    now().unix_timestamp() + LIFETIME.as_secs() as i64
}

fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// Field 22 of `/proc/<pid>/stat`; the name in field 2 may hold spaces and parentheses.
fn process_start(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}
