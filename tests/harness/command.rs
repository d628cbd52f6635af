//! The `graphdb` command, run to its end.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use super::{PATIENCE, wait_up_to};

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Output {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Output {
    /// Its standard output, when it succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Its standard error, when it ended with this exit code.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self.stderr
    }
}

/// A command that runs. It is killed when it is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Running { child, stdout: Some(collect(stdout)), stderr: Some(collect(stderr)) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Output {
        let ended = ended(&mut self.child);
        if ended.is_none() {
            _ = self.child.kill();
        }
        let text = |thread: Option<JoinHandle<String>>| thread.unwrap().join().unwrap();
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        let status = ended.unwrap_or_else(|| panic!("the command did not end within {PATIENCE:?}: {stdout}\n{stderr}"));
        Output { code: status.code(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// How a process ended, if it did in time.
pub(super) fn ended(child: &mut Child) -> Option<ExitStatus> {
    wait_up_to(PATIENCE, || child.try_wait().unwrap())
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The command that is tested, without settings of whoever runs the tests.
pub(crate) fn graphdb() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_graphdb"));
    clean(&mut command);
    command
}

/// Keeps settings in the environment from a command.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_setting = ["GRAPHDB_", "AWS_", "MINIO_", "VAULT_"].iter().any(|prefix| text.starts_with(prefix));
        if is_setting || text == "RUST_LOG" || text.to_lowercase().ends_with("_proxy") {
            command.env_remove(&name);
        }
    }
}

/// Runs `graphdb` with these arguments to its end.
#[track_caller]
pub(crate) fn cli(args: &[&str]) -> Output {
    spawn_cli(args).wait()
}

/// As [`cli`], with these variables in its environment.
#[track_caller]
pub(crate) fn cli_with(variables: &[(&str, &str)], args: &[&str]) -> Output {
    Running::start(graphdb().envs(variables.iter().copied()).args(args)).wait()
}

/// Starts `graphdb` with these arguments.
pub(crate) fn spawn_cli(args: &[&str]) -> Running {
    Running::start(graphdb().args(args))
}

/// The directory that the tested command is in.
pub(crate) fn bin_dir() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_graphdb")).parent().unwrap()
}
