//! One server, one room full of clients.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::CHANGES;
use crate::process::Process;

/// How long everything rests before memory is read and changes are shown.
const REST: Duration = Duration::from_secs(3);

/// How long an answer may be late and still count as delivered.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Ours,
    Floor,
    Stock,
    Apollo,
    Mercurius,
    Yoga,
}

impl Server {
    pub(crate) const ALL: [Self; 6] =
        [Self::Ours, Self::Floor, Self::Stock, Self::Apollo, Self::Mercurius, Self::Yoga];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "Roomtone",
            Self::Floor => "no GraphQL at all",
            Self::Stock => "async-graphql-axum",
            Self::Apollo => "Apollo Server",
            Self::Mercurius => "mercurius",
            Self::Yoga => "graphql-yoga",
        }
    }

    /// How it is started, or why it cannot be.
    pub(crate) fn command(self, peers: &Path, cores: &Cores) -> Result<Command, String> {
        let peer = match self {
            Self::Ours => return Ok(Cores::this_program(cores.server.as_deref(), &["serve", "ours"])),
            Self::Floor => return Ok(Cores::this_program(cores.server.as_deref(), &["serve", "floor"])),
            Self::Stock => return Ok(Cores::this_program(cores.server.as_deref(), &["serve", "stock"])),
            Self::Apollo => "apollo.mjs",
            Self::Mercurius => "mercurius.mjs",
            Self::Yoga => "yoga.mjs",
        };
        let node = peers.join("node_modules/node/bin/node");
        if !node.exists() {
            return Err(format!("{} is not there: npm ci in {}", node.display(), peers.display()));
        }
        let mut command = Cores::on(cores.server.as_deref(), &node);
        command.arg(peers.join("fanout").join(peer)).env("NODE_ENV", "production");
        Ok(command)
    }
}

/// Which cores run servers and which run clients.
pub(crate) struct Cores {
    server: Option<String>,
    client: Option<String>,
}

impl Cores {
    /// Half of them for each, where there are four and `taskset`.
    pub(crate) fn split() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let can_bind = Command::new("taskset").arg("--version").output().is_ok();
        if cores < 4 || !can_bind {
            return Self { server: None, client: None };
        }
        let half = cores / 2;
        Self { server: Some(format!("0-{}", half - 1)), client: Some(format!("{half}-{}", cores - 1)) }
    }

    fn on(cores: Option<&str>, program: &Path) -> Command {
        match cores {
            None => Command::new(program),
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["--cpu-list", cores]).arg(program);
                command
            }
        }
    }

    fn this_program(cores: Option<&str>, arguments: &[&str]) -> Command {
        let mut command = Self::on(cores, &std::env::current_exe().unwrap());
        command.args(arguments);
        command
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.server, &self.client) {
            (Some(server), Some(client)) => write!(f, "servers on cores {server}, clients on cores {client}"),
            _ => f.write_str("servers and clients share the cores"),
        }
    }
}

/// What one turn showed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Processor seconds of the server for a million deliveries.
    pub(crate) cpu: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Of the server's memory, for each subscriber while nothing happened.
    pub(crate) kib: f64,
    /// The share of all answers that came in time.
    pub(crate) delivered: f64,
}

pub(crate) fn run(server: Command, cores: &Cores, clients: usize) -> Outcome {
    let mut server = Process::start(server);
    let port = server.hear("READY");
    sleep(Duration::from_millis(500));
    let empty = server.resident_kib();

    let load = Cores::this_program(cores.client.as_deref(), &["load", &port, &clients.to_string()]);
    let mut load = Process::start(load);
    load.hear("SUBSCRIBED");
    sleep(REST);
    let full = server.resident_kib();

    load.tell("go");
    load.hear("COUNTING");
    let before = server.cpu_seconds();
    server.tell(&CHANGES.to_string());
    sleep(Duration::from_secs(CHANGES as u64 - 1) + GRACE);
    let cpu = server.cpu_seconds() - before;
    load.tell("stop");

    let heard = load.hear("HEARD");
    let [count, p50, p99]: [f64; 3] =
        heard.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<_>>().try_into().unwrap();
    Outcome {
        cpu: cpu / count * 1e6,
        p50_ms: p50 / 1e3,
        p99_ms: p99 / 1e3,
        kib: (full - empty) / clients as f64,
        delivered: count / (clients * CHANGES) as f64,
    }
}
