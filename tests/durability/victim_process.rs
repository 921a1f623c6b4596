//! A victim, and what it has said so far.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use roomtone_schema::VoteId;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Victim {
    child: Child,
    lines: Receiver<String>,
    pub(crate) acknowledged: HashSet<VoteId>,
    pub(crate) refused: Vec<String>,
    pub(crate) other: Vec<String>,
}

impl Victim {
    /// Starts `store-victim` with these arguments.
    pub(crate) fn start(what: &str, dir: &Path, arguments: &[&str]) -> Self {
        Self::start_by(Command::new(env!("CARGO_BIN_EXE_store-victim")), what, dir, arguments)
    }

    /// Starts it under another program, such as one that makes system calls fail.
    pub(crate) fn start_under(mut under: Command, what: &str, dir: &Path, arguments: &[&str]) -> Self {
        under.arg(env!("CARGO_BIN_EXE_store-victim"));
        Self::start_by(under, what, dir, arguments)
    }

    fn start_by(mut command: Command, what: &str, dir: &Path, arguments: &[&str]) -> Self {
        command.arg(what).arg(dir).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let (say, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
        let (refused, other) = (Vec::new(), Vec::new());
        Self { child, lines, acknowledged: HashSet::new(), refused, other }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Listens until `enough` holds. False where the victim has ended before.
    pub(crate) fn listen_until(&mut self, enough: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        while !enough(self) {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.note(&line),
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => panic!("the victim says nothing; so far: {:?}", self.other),
            }
        }
        true
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.other.iter().any(|line| line == "ready")
    }

    /// SIGSTOP or SIGKILL.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.id().cast_signed()).unwrap();
        let _gone_already = rustix::process::kill_process(id, signal);
    }

    /// Kills it where it stands and takes in all that it had said.
    pub(crate) fn kill(mut self) -> Self {
        self.signal(rustix::process::Signal::KILL);
        self.finish();
        self
    }

    /// Waits until it has ended by itself and takes in all that it has said.
    pub(crate) fn finish(&mut self) -> bool {
        self.listen_until(|_| false);
        self.child.wait().unwrap().success()
    }

    fn note(&mut self, line: &str) {
        match line.split_once(' ') {
            Some(("ack", id)) => {
                self.acknowledged.insert(id.parse().unwrap());
            }
            Some(("refused", why)) => self.refused.push(why.to_owned()),
            _ => self.other.push(line.to_owned()),
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}
