use std::process::{Command, Output};

use super::{script, skip};

/// Runs a shell command beside a real NFS mount, in a guest kernel that sees the files of this machine read-only:
/// `scripts/servers/uml-nfs.sh` says with which variables and functions, and which `settings` (`DISK`, `OUT`, ...) it
/// takes from the environment. Takes ten seconds and more; `None` after [`skip`].
///
/// # Panics
/// When the guest did not come up, or the command took too long.
pub fn beside_nfs(command: &str, settings: &[(&str, &str)]) -> Option<Output> {
    let mut guest = Command::new(script("uml-nfs"));
    let output = guest.arg(command).envs(settings.iter().copied()).output();
    let output = output.unwrap_or_else(|err| panic!("could not run {guest:?}: {err}"));
    match output.status.code() {
        Some(77) => skip(String::from_utf8_lossy(&output.stdout).trim_start_matches("absent")),
        Some(125) => panic!("the guest ended early: {}", String::from_utf8_lossy(&output.stderr)),
        _ => return Some(output),
    }
    None
}
