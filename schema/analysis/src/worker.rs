//! The parent's side of the child process: start it, wait within bounds, read its answer, put its end into words.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use roomtone_schema::song::SongFacts;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;

use crate::child::{Answer, CHILD_COMMAND};
use crate::error::{AnalysisError, Reason};
use crate::limits::Limits;

/// The most a child may say: facts are some 2 KB, tags are clipped, and the rest is signs of life.
const MAX_ANSWER: usize = 64 << 10;

/// What `ps` shows, instead of a path below `/proc`.
const NAME: &str = "roomtone-analysis";

/// Analyses files, each in a child process of its own.
#[derive(Debug, Clone)]
pub struct Worker {
    program: PathBuf,
    limits: Limits,
}

impl Worker {
    /// A worker that calls `program`, which must call [`crate::run_child_if_asked`] first in its `main`.
    pub fn new(program: PathBuf, limits: Limits) -> Self {
        Self { program, limits }
    }

    /// A worker that calls the program that is running.
    ///
    /// # Errors
    /// Where the operating system cannot say which program is running.
    pub fn of_this_program() -> std::io::Result<Self> {
        // Linux resolves this name in the child, to the very file that is running: also after an upgrade has
        // replaced it under a running hub.
        let myself = PathBuf::from("/proc/self/exe");
        let program = if myself.exists() { myself } else { std::env::current_exe()? };
        Ok(Self::new(program, Limits::default()))
    }

    /// Turns one file into a song. Blocks the thread for about a second per ten minutes of music.
    ///
    /// # Errors
    /// [`AnalysisError`] with the file and the reason, whatever the file did to the decoder.
    pub fn analyse(&self, file: &Path) -> Result<SongFacts, AnalysisError> {
        self.ask(file).map_err(|reason| AnalysisError { file: file.to_owned(), reason })
    }

    fn ask(&self, file: &Path) -> Answer {
        let mut child = Running(self.start(file).map_err(|error| Reason::NotStarted(error.to_string()))?);
        let heard = child.listen(&self.limits).map_err(|error| Reason::NotStarted(error.to_string()))?;
        if heard.stalled {
            return Err(Reason::TimedOut);
        }
        let status = child.0.wait().map_err(|error| Reason::NotStarted(error.to_string()))?;
        if !status.success() {
            return Err(why_it_died(status, &heard.complaint));
        }
        let answer = serde_json::from_slice::<Answer>(&heard.answer);
        answer.unwrap_or_else(|error| Err(Reason::Crashed(format!("its answer made no sense ({error})"))))
    }

    fn start(&self, file: &Path) -> std::io::Result<Child> {
        Command::new(&self.program)
            .arg0(NAME)
            .arg(CHILD_COMMAND)
            .arg(serde_json::to_string(&self.limits)?)
            .arg(std::path::absolute(file)?)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }
}

/// A child that is ended and buried when nobody waits for it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has already ended and been waited for.
        let _already_ended = self.0.kill();
        let _already_buried = self.0.wait();
    }
}

#[derive(Default)]
struct Heard {
    answer: Vec<u8>,
    complaint: Vec<u8>,
    stalled: bool,
}

impl Running {
    /// Reads both pipes until the child closes them, says too much, or stands still.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a child really takes is no rule, and no rule depends on it"
    )]
    fn listen(&mut self, limits: &Limits) -> std::io::Result<Heard> {
        let mut heard = Heard::default();
        let mut out = self.0.stdout.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        let mut err = self.0.stderr.take().map(|pipe| File::from(OwnedFd::from(pipe)));
        let born = Instant::now();
        while out.is_some() || err.is_some() {
            let patience = limits.stall.min(limits.life().saturating_sub(born.elapsed()));
            if !ready(&[out.as_ref(), err.as_ref()], patience)? {
                heard.stalled = true;
                break;
            }
            take(&mut out, &mut heard.answer)?;
            take(&mut err, &mut heard.complaint)?;
        }
        Ok(heard)
    }
}

/// Waits until one of the pipes has something to say; `false` if none had within `patience`.
fn ready(pipes: &[Option<&File>], patience: Duration) -> std::io::Result<bool> {
    let mut polled: Vec<PollFd<'_>> =
        pipes.iter().flatten().map(|pipe| PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN)).collect();
    let patience = patience.try_into().map_err(std::io::Error::other)?;
    loop {
        match poll(&mut polled, Some(&patience)) {
            Ok(count) => return Ok(count > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Takes what a pipe holds; at its end, or past the bound, the pipe is closed.
fn take(pipe: &mut Option<File>, into: &mut Vec<u8>) -> std::io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    if !ready(&[Some(&*open)], Duration::ZERO)? {
        return Ok(());
    }
    let mut chunk = [0; 4096];
    let count = open.read(&mut chunk)?;
    if count == 0 || into.len() + count > MAX_ANSWER {
        *pipe = None;
        return Ok(());
    }
    into.extend_from_slice(&chunk[..count]);
    Ok(())
}

fn why_it_died(status: ExitStatus, complaint: &[u8]) -> Reason {
    let complaint = String::from_utf8_lossy(complaint);
    // The allocator's last words, before it aborts.
    if complaint.contains("memory allocation of") {
        return Reason::OutOfMemory;
    }
    match status.signal().and_then(Signal::from_named_raw) {
        Some(Signal::XCPU) => Reason::TimedOut,
        Some(_) => Reason::Crashed(status.to_string()),
        None => Reason::Crashed(last_words(&complaint, status)),
    }
}

/// The message of a panic, without its location.
fn last_words(complaint: &str, status: ExitStatus) -> String {
    let mut lines = complaint.lines().map(str::trim).filter(|line| !line.is_empty());
    let panic = lines.clone().skip_while(|line| !line.contains("panicked at")).nth(1);
    panic.or_else(|| lines.next()).map_or_else(|| status.to_string(), |line| line.chars().take(200).collect())
}
