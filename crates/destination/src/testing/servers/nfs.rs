use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::{script, skip};

/// Set in the guest that [`Nfs::in_guest`] starts, for the test that goes on there.
const GOES_ON: &str = "GRAPHDB_TEST_GOES_ON";

/// What a test reaches that runs in the guest, and what it can do to the server there.
#[derive(Debug)]
pub struct Nfs {
    mounted: PathBuf,
    exported: PathBuf,
}

impl Nfs {
    /// Runs a test beside NFS. `test` is its name in this very program, with its modules.
    ///
    /// On this machine: starts the guest, runs the test again there, and returns `None`, since nothing is left to do;
    /// or does so after [`skip`]. In the guest: `Some`, and the test goes on. `settings` are those of [`beside_nfs`].
    ///
    /// # Panics
    /// When the test did not run and pass in the guest.
    pub fn in_guest(test: &str, settings: &[(&str, &str)]) -> Option<Nfs> {
        if std::env::var_os(GOES_ON).is_some() {
            let path = |name| std::env::var_os(name).unwrap_or_else(|| panic!("${name} is not set")).into();
            return Some(Nfs { mounted: path("NFS"), exported: path("BACK") });
        }
        let program = std::env::current_exe().unwrap_or_else(|err| panic!("this program has no path: {err}"));
        let output = beside_nfs(&again(&program, test), settings)?;
        let said = String::from_utf8_lossy(&output.stdout);
        // A name that no test has is a success too, of no tests.
        let passed = output.status.success() && said.contains("test result: ok. 1 passed");
        assert!(passed, "{test} did not pass in the guest ({}): {said}", output.status);
        println!("{said}");
        None
    }

    /// The file system as the client sees it.
    pub fn mounted(&self) -> &Path {
        &self.mounted
    }

    /// The same as the server sees it: what is here is there, whatever clients believe.
    pub fn exported(&self) -> &Path {
        &self.exported
    }

    /// Ends the server.
    pub fn server_stops(&self) {
        run("server_stops");
    }

    /// Brings the server back. It serves once its clients had their time to return, 10 s.
    pub fn server_starts(&self) {
        run("server_starts");
    }

    /// From now on every write to the server's disk fails.
    pub fn storage_breaks(&self) {
        run("storage_breaks");
    }

    /// Delays each packet between client and server.
    pub fn network_delays(&self, milliseconds: u32) {
        run(&format!("network_delays {milliseconds}"));
    }
}

/// The command that runs one test of `program`, with the guest's functions in its environment.
fn again(program: &Path, test: &str) -> String {
    format!(
        "export {GOES_ON}=yes loop sectors
         export -f server_stops server_starts storage_breaks network_delays
         exec '{}' --exact '{test}' --include-ignored --nocapture",
        program.display()
    )
}

/// Runs a function of the guest.
fn run(function: &str) {
    let status = Command::new("bash").args(["-c", function]).status();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "{function} failed: {status:?}");
}

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
