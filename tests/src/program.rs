//! The built program as a process: found, started, read, stopped.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::workspace;

/// A start in a debug build on a busy machine, with room to spare; the program's own promise is 5 s.
const START: Duration = Duration::from_secs(30);

/// The same where a Postgres is made and migrated first.
const CLOUD_START: Duration = Duration::from_mins(3);

/// An orderly stop.
const STOP: Duration = Duration::from_secs(20);

/// Where the built `roomtone-hub` is: `HUB_UNDER_TEST`, or what `cargo build` makes of this source.
pub fn hub_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("HUB_UNDER_TEST") {
        Some(path) => PathBuf::from(path),
        None => build("roomtone-hub", &[]).expect("roomtone-hub builds"),
    })
}

fn build(package: &str, features: &[&str]) -> Option<PathBuf> {
    let out = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", package, "--bin", package, "--message-format=json"])
        .args(features)
        .current_dir(workspace::root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .filter(|_| out.status.success())
}

/// What a command that ran to its end left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// This, or a panic that shows what the command said.
    #[must_use]
    pub fn succeeded(self) -> Self {
        assert!(
            self.status.success(),
            "the command failed ({})\n{}\n{}",
            self.status,
            self.stdout,
            self.stderr
        );
        self
    }

    /// What it said while failing; panics where it succeeded or crashed.
    #[must_use]
    pub fn refused(self) -> String {
        let words = format!("{}{}", self.stdout, self.stderr);
        assert!(self.status.code().is_some_and(|code| code != 0), "not refused ({}):\n{words}", self.status);
        assert!(!words.contains("panicked at"), "it panicked:\n{words}");
        words
    }
}

/// Runs `roomtone-hub` with `args` to its end, with nothing of this shell's configuration.
pub fn hub<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Finished {
    finished(clean(hub_binary()).args(args))
}

fn finished(command: &mut Command) -> Finished {
    let out = command.stdin(Stdio::null()).output().expect("the program starts");
    Finished {
        status: out.status,
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// A command with nothing of this shell's configuration.
fn clean(binary: &Path) -> Command {
    // Whoever starts a program asks it something by HTTP, and that client wants to know whose cryptography it has,
    // also where it uses none. Another test may have said so already.
    let _said_before = rustls::crypto::ring::default_provider().install_default();
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ROOMTONE_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env_remove("RUST_LOG");
    command
}

/// Runs what follows with this file in the place of the machine's own name of its start.
const ON_BOOT: &str = r#"mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@""#;

fn on_boot(boot: &Path) -> Command {
    let mut command = clean(Path::new("unshare"));
    command.args(["--mount", "--", "sh", "-c", ON_BOOT]).arg(boot);
    command
}

/// Whether programs can be started on a machine that was started anew: see [`Program::start_on_boot`].
pub fn machines_can_be_restarted(boot: &Path) -> bool {
    on_boot(boot).arg("true").output().is_ok_and(|ended| ended.status.success())
}

/// Where the built `roomtone-player` is: `PLAYER_UNDER_TEST`, or what `cargo build` makes of this source, without a sound
/// card where this machine cannot build that.
pub fn player_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("PLAYER_UNDER_TEST") {
        Some(path) => PathBuf::from(path),
        None => build("roomtone-player", &[])
            .or_else(|| build("roomtone-player", &["--no-default-features"]))
            .expect("roomtone-player builds"),
    })
}

/// Runs `roomtone-player` with `args` to its end.
pub fn player<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Finished {
    finished(clean(player_binary()).args(args))
}

/// Where the built `roomtone-cloud` is: `CLOUD_UNDER_TEST`, or what `cargo build` makes of this source.
pub fn cloud_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("CLOUD_UNDER_TEST") {
        Some(path) => PathBuf::from(path),
        None => build("roomtone-cloud", &[]).expect("roomtone-cloud builds"),
    })
}

/// Runs `roomtone-cloud` with `args` to its end.
pub fn cloud<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Finished {
    finished(clean(cloud_binary()).args(args))
}

/// A hub that serves.
pub type RunningHub = Program;

/// One of our programs, in a process of its own.
///
/// Dropped without [`Program::stop`], it is killed, and where the test fails its log is shown.
#[derive(Debug)]
pub struct Program {
    child: Child,
    log: Arc<Log>,
    patience: Duration,
}

#[derive(Debug, Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(self: &Arc<Self>, from: impl Read + Send + 'static) {
        let log = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                log.lines().push(line);
                log.grown.notify_all();
            }
        });
    }
}

impl Program {
    /// Starts `roomtone-hub` with `args`.
    pub fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::start_with_env(args, [])
    }

    /// As [`Program::start`], where [`Program::printed`] waits this long.
    pub fn start_with_patience<S: AsRef<OsStr>>(
        args: impl IntoIterator<Item = S>,
        patience: Duration,
    ) -> Self {
        let mut this = Self::start(args);
        this.patience = patience;
        this
    }

    /// As [`Program::start`], with variables of its own.
    pub fn start_with_env<S: AsRef<OsStr>>(
        args: impl IntoIterator<Item = S>,
        env: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        Self::of(clean(hub_binary()).args(args).envs(env))
    }

    /// As [`Program::start_with_env`], on a machine that was started under another name than this one, as Linux gives
    /// one to each start of a machine. The name is read from `boot`. Needs root.
    pub fn start_on_boot<S: AsRef<OsStr>>(
        boot: &Path,
        args: impl IntoIterator<Item = S>,
        env: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        Self::of(on_boot(boot).arg(hub_binary()).args(args).envs(env))
    }

    /// Starts `roomtone-player` with `args` and variables of its own.
    pub fn player<S: AsRef<OsStr>>(
        args: impl IntoIterator<Item = S>,
        env: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        Self::of(clean(player_binary()).args(args).envs(env))
    }

    /// Starts `roomtone-cloud` with `args` and variables of its own. It may have a Postgres to make first.
    pub fn cloud<S: AsRef<OsStr>>(
        args: impl IntoIterator<Item = S>,
        env: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Self {
        let mut this = Self::of(clean(cloud_binary()).args(args).envs(env));
        this.patience = CLOUD_START;
        this
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Log::default());
        log.follow(child.stdout.take().expect("piped"));
        log.follow(child.stderr.take().expect("piped"));
        Self { child, log, patience: START }
    }

    /// Waits for a printed line that `find` finds something in.
    pub fn printed<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let began = Instant::now();
        let log = Arc::clone(&self.log);
        let mut lines = log.lines();
        loop {
            if let Some(found) = lines.iter().find_map(|line| find(line)) {
                return found;
            }
            let ended = self.child.try_wait().expect("the process can be asked");
            assert!(
                ended.is_none(),
                "the program ended ({ended:?}) before it printed {what}:\n{}",
                lines.join("\n")
            );
            assert!(
                began.elapsed() < self.patience,
                "no {what} within {:?}:\n{}",
                self.patience,
                lines.join("\n")
            );
            let waited = log.grown.wait_timeout(lines, Duration::from_millis(100));
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lines().clone()
    }

    /// Pulls the plug: SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process can be waited for");
    }

    /// Asks for an orderly stop (SIGTERM) and waits for the end; returns the log.
    ///
    /// # Panics
    /// Where the program takes too long, fails, or warned of anything that `expected` does not mention.
    pub fn stop(mut self, expected: &[&str]) -> Vec<String> {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .expect("the process can be signalled");
        let status = self.wait_until_ended();
        let log = self.log();
        assert!(status.success(), "the program did not stop in order ({status}):\n{}", log.join("\n"));
        let complaints: Vec<_> = log
            .iter()
            .filter(|line| line.contains(" WARN ") || line.contains("ERROR ") || line.contains("panicked at"))
            .filter(|line| !expected.iter().any(|known| line.contains(known)))
            .collect();
        assert!(complaints.is_empty(), "the log is not clean: {complaints:#?}");
        log
    }

    fn wait_until_ended(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                return status;
            }
            assert!(began.elapsed() < STOP, "the program is still running {STOP:?} after SIGTERM");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _already_gone = self.child.kill();
            let _already_waited_for = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- its log\n{}\n---", self.log().join("\n"));
        }
    }
}
