//! Nodes: `graphdb serve` as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread;

use super::command::{ended, graphdb};
use super::{Client, Output, PATIENCE};

/// A node. It is killed when it is dropped.
pub(crate) struct Node {
    child: Child,
    client: Client,
    postings: PathBuf,
    log: Arc<Mutex<String>>,
}

/// Flags of a node beside its directory and address.
pub(crate) type Options<'a> = &'a [&'a str];

impl Deref for Node {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Node {
    #[track_caller]
    pub(crate) fn start(postings: &Path, options: Options) -> Node {
        let mut command = graphdb();
        command.args(["serve", "-p", postings.to_str().unwrap()]).args(options);
        if !options.contains(&"--http") {
            command.args(["--http", "127.0.0.1:0"]);
        }
        Node::try_start(postings, &mut command)
            .unwrap_or_else(|output| panic!("no node in {}: {output:?}", postings.display()))
    }

    /// A node that may not start: then how it ended.
    pub(crate) fn try_start(postings: &Path, command: &mut Command) -> Result<Node, Output> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (log, logged) = follow(child.stderr.take().unwrap());
        let line = first_line(child.stdout.take().unwrap()).recv_timeout(PATIENCE).unwrap_or_default();
        match line.split_whitespace().find(|word| word.starts_with("http://")) {
            Some(url) => Ok(Node { child, client: Client::new(url), postings: postings.to_owned(), log }),
            None => {
                let status = ended(&mut child);
                _ = child.kill();
                _ = logged.recv_timeout(PATIENCE);
                let stderr = log.lock().unwrap().clone();
                Err(Output { code: status.and_then(|status| status.code()), stdout: line, stderr })
            }
        }
    }

    /// What `graphdb serve` says that must not start.
    #[track_caller]
    pub(crate) fn refused(args: &[&str]) -> Output {
        match Node::try_start(Path::new(""), graphdb().arg("serve").args(args)) {
            Err(output) => output,
            Ok(node) => panic!("a node started with {args:?} at {}", node.url()),
        }
    }

    pub(crate) fn postings(&self) -> &Path {
        &self.postings
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A client that other threads can use.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Ends it as a power failure would.
    pub(crate) fn kill(mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// Asks it to stop, without waiting.
    pub(crate) fn send_terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "kill -TERM {}", self.pid());
    }

    /// Asks it to stop and waits until it did; gives its exit code and log.
    #[track_caller]
    pub(crate) fn terminate(self) -> (Option<i32>, String) {
        self.send_terminate();
        self.wait()
    }

    /// Waits until it stops by itself; gives its exit code and log.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = ended(&mut self.child).unwrap_or_else(|| panic!("the node did not end: {}", self.log()));
        (status.code(), self.log())
    }

    /// The most memory it ever had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
        if thread::panicking() {
            eprintln!("log of the node in {}:\n{}", self.postings.display(), self.log());
        }
    }
}

/// Collects the log, and tells when it ended.
fn follow(stderr: ChildStderr) -> (Arc<Mutex<String>>, Receiver<()>) {
    let log = Arc::new(Mutex::new(String::new()));
    let (sender, receiver) = mpsc::channel();
    let to = Arc::clone(&log);
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            to.lock().unwrap().push_str(&(line + "\n"));
        }
        _ = sender.send(());
    });
    (log, receiver)
}

/// The first line, and then whatever comes is read and forgotten.
fn first_line(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            _ = sender.send(line);
        }
    });
    receiver
}
