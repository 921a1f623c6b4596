//! The servers: each a process of its own that says `READY <port>` when it listens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// In what Linux tells programs; the kernel's own ticks are another matter.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Ours,
    Stock,
    Mercurius,
    Apollo,
    Yoga,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Stock => "async-graphql-axum",
            Self::Mercurius => "mercurius with jit",
            Self::Apollo => "Apollo Server",
            Self::Yoga => "GraphQL Yoga",
        }
    }

    /// `data` is a folder for ours, and the file of songs for everybody else.
    fn command(self, data: &Path) -> Command {
        let script = match self {
            Self::Ours | Self::Stock => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.arg(if self == Self::Ours { "serve-ours" } else { "serve-stock" }).arg(data);
                return command;
            }
            Self::Mercurius => "mercurius.mjs",
            Self::Apollo => "apollo.mjs",
            Self::Yoga => "yoga.mjs",
        };
        let mut command = Command::new(peers().join("node_modules/node/bin/node"));
        command.arg(peers().join("query").join(script)).arg(data).env("NODE_ENV", "production");
        command
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peers")
}

/// Whether node's servers can be run here, or why not.
pub(crate) fn node() -> Result<(), String> {
    let node = peers().join("node_modules/node/bin/node");
    node.is_file().then_some(()).ok_or_else(|| "run `npm ci` in tests/bench/peers first".to_owned())
}

pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
    process: u32,
    /// Ends with this.
    _child: Child,
}

impl Server {
    pub(crate) async fn start(kind: Kind, data: &Path) -> Self {
        let mut child = kind.command(data).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("{} ended before it was ready", kind.name()));
            if let Some(port) = line.strip_prefix("READY ") {
                break port.parse().unwrap();
            }
        };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Self { kind, address, process: child.id().unwrap(), _child: child }
    }

    /// CPU seconds, user and system, that the process has used so far.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process)).unwrap();
        // The name in brackets may hold anything; the 12th and 13th fields after it are the ticks.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: f64 = [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
        ticks / TICKS_PER_SECOND
    }
}
