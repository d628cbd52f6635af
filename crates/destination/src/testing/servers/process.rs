use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a script may take to answer. Each gives up earlier by itself, with a message.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(240);

/// How long a script may take to end its server and to remove its files.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// A server script that runs: see `scripts/servers/common.sh` for the lines it understands.
#[derive(Debug)]
pub(super) struct Process {
    script: String,
    folder: PathBuf,
    pipes: Mutex<Pipes>,
}

#[derive(Debug)]
struct Pipes {
    child: Child,
    /// When this is closed, by us or by the end of this process, the script ends the server. `None` once closed.
    commands: Option<ChildStdin>,
    answers: Receiver<String>,
    /// What the last `ready` line said: new process ids after each start.
    state: Answer,
}

impl Process {
    /// Runs `scripts/servers/SCRIPT.sh` until its server answers. `Err` says why the server is not there.
    ///
    /// # Panics
    /// When the server is installed but does not start.
    pub(super) fn start(script: &str, settings: &[(&str, &str)]) -> Result<Process, String> {
        let folder = fresh_folder(script);
        let mut child = Command::new(super::script(script))
            .arg(&folder)
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|err| panic!("could not run the script {script}: {err}"));
        let commands = child.stdin.take();
        let answers = lines_of(child.stdout.take().expect("standard output is piped"));
        let pipes = Pipes { child, commands, answers, state: Answer::default() };
        let process = Process { script: script.to_owned(), folder, pipes: Mutex::new(pipes) };
        let first = process.answer(&mut process.pipes());
        if let Some(why) = first.strip_prefix("absent ") {
            return Err(why.to_owned());
        }
        process.note_ready(&first);
        Ok(process)
    }

    /// Sends a line to the script and returns what it answers.
    ///
    /// # Panics
    /// When the script says that it failed.
    pub(super) fn ask(&self, command: &str) -> Answer {
        let mut pipes = self.pipes();
        let sent = pipes.commands.as_mut().map(|commands| writeln!(commands, "{command}"));
        assert!(matches!(sent, Some(Ok(()))), "{} has ended and cannot {command}", self.script);
        let line = self.answer(&mut pipes);
        Answer::parse(&line)
    }

    /// Ends the server at once, as a crash would.
    pub(super) fn kill(&self) {
        self.ask("kill");
    }

    /// Starts the server again after [`Process::kill`], on the same ports, with the same data.
    pub(super) fn restart(&self) {
        let state = self.ask("start");
        self.pipes().state = state;
    }

    /// A word of the `ready` line.
    pub(super) fn get(&self, key: &str) -> String {
        self.pipes().state.get(key)
    }

    /// The processes of the server, by name.
    pub(super) fn pids(&self) -> BTreeMap<String, u32> {
        let pids = |(key, value): (&String, &String)| Some((key.strip_suffix("_pid")?.to_owned(), value.parse().ok()?));
        self.pipes().state.words.iter().filter_map(pids).collect()
    }

    fn note_ready(&self, line: &str) {
        assert!(line.starts_with("ready "), "{} said {line:?}", self.script);
        self.pipes().state = Answer::parse(line);
    }

    fn answer(&self, pipes: &mut Pipes) -> String {
        match pipes.answers.recv_timeout(ANSWER_TIMEOUT) {
            Ok(line) => {
                assert!(!line.starts_with("failed"), "{}: {line}", self.script);
                line
            }
            Err(RecvTimeoutError::Timeout) => panic!("{} did not answer within {ANSWER_TIMEOUT:?}", self.script),
            Err(RecvTimeoutError::Disconnected) => panic!("{} ended; what it printed says why", self.script),
        }
    }

    /// A test that panicked while it held the lock is no reason for the others to fail.
    fn pipes(&self) -> MutexGuard<'_, Pipes> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let pipes = self.pipes.get_mut().unwrap_or_else(PoisonError::into_inner);
        pipes.commands = None;
        let begin = Instant::now();
        while matches!(pipes.child.try_wait(), Ok(None)) {
            if begin.elapsed() > END_TIMEOUT {
                eprintln!("{} did not end within {END_TIMEOUT:?}; {} is left", self.script, self.folder.display());
                _ = pipes.child.kill();
                _ = pipes.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The `KEY=VALUE` words of a line, which have no blanks.
#[derive(Debug, Default)]
pub(super) struct Answer {
    words: BTreeMap<String, String>,
}

impl Answer {
    fn parse(line: &str) -> Answer {
        let words = line.split(' ').filter_map(|word| word.split_once('='));
        Answer { words: words.map(|(key, value)| (key.to_owned(), value.to_owned())).collect() }
    }

    pub(super) fn get(&self, key: &str) -> String {
        self.words.get(key).unwrap_or_else(|| panic!("a server script said nothing of {key}")).clone()
    }
}

/// Where a server keeps its files; the script creates it and removes it.
fn fresh_folder(script: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("graphdb-{script}-{}-{number}", std::process::id()))
}

/// The lines of a pipe, read by a thread of their own, so that one can wait for them with a time limit.
fn lines_of(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
