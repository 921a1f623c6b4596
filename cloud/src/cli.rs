//! The command line: what an operator types, and what the program says back.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use roomtone_sync::supervisor::Supervisor;
use roomtone_sync::{logging, signals};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Flags};
use crate::service::{Service, Setup};
use crate::trouble::Trouble;

/// What `serve` and `dev` log where nobody says otherwise.
const SERVING: &str = "info,hyper=warn,tower=warn,sqlx=warn,async_nats=warn,aws=warn";

/// What everything else logs: its own words are its output.
const QUIET: &str = "warn,sqlx=error,aws=error";

/// Parsing GraphQL goes as deep as the document does: enough room for the deepest that is allowed.
const STACK: usize = 8 << 20;

/// How long work that blocks may go on after the end.
const LAST_WORK: Duration = Duration::from_secs(2);

/// The source of truth: catalogue, venues, people and history, on Supabase or on plain Postgres.
///
/// Hubs play without it; managers work with it. Any number of replicas may run.
#[derive(Debug, Parser)]
#[command(name = "roomtone-cloud", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Begin with `roomtone-cloud dev`, which needs no Supabase and no settings. On Supabase: set the variables of .env.example, \
then `roomtone-cloud migrate`, `roomtone-cloud doctor`, `roomtone-cloud serve`, and `roomtone-cloud admin grant EMAIL` for \
the first admin.

Settings come from defaults, then the configuration file (cloud.toml in the current folder), then variables such as \
DATABASE_URL or ROOMTONE_CLOUD_SERVER_LISTEN, then flags. cloud.example.toml and .env.example show them all. ROOMTONE_LOG \
sets what is logged: error, warn, info, debug.

Exit codes: 0 done, 1 could not be done, 2 not understood, 4 the doctor found something.";

#[derive(Debug, Args)]
struct Common {
    /// The configuration file; cloud.toml in the current folder where none is named.
    #[arg(long, global = true, value_name = "FILE", env = "ROOMTONE_CLOUD_CONFIG")]
    config: Option<PathBuf>,
    /// Show the configuration that holds in the end, without its secrets, and stop.
    #[arg(long, global = true)]
    print_config: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the cloud until it is told to stop.
    Serve(Network),
}

#[derive(Debug, Args)]
struct Network {
    /// Where to listen: an address with port, or a port alone, which means this machine only. May be given more than
    /// once. [default: 127.0.0.1:4800]
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    listen: Vec<SocketAddr>,
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _nobody_reads = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(cli) {
        Ok(code) => code,
        Err(trouble) => {
            let _nobody_reads = writeln!(io::stderr(), "roomtone-cloud: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Trouble> {
    let config = load(&cli.common, cli.command.as_ref())?;
    if cli.common.print_config {
        return print_config(&config);
    }
    let Some(command) = cli.command else {
        let _nobody_reads = Cli::command().print_help();
        return Ok(ExitCode::from(2));
    };
    logging::start(if matches!(command, Command::Serve(_)) { SERVING } else { QUIET });
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK).enable_all().build();
    let runtime = runtime.map_err(|error| {
        Trouble::new(
            format!("The system gives this program no threads: {error}."),
            "The cloud did not start.",
            "Look at the limits of this user or service.",
        )
    })?;
    let done = runtime.block_on(obey(command, config));
    runtime.shutdown_timeout(LAST_WORK);
    done
}

async fn obey(command: Command, config: Config) -> Result<ExitCode, Trouble> {
    let watch = Supervisor::new();
    let stop = signals::stop(&watch).map_err(|error| Trouble::harmless(error, "Start it again."))?;
    match command {
        Command::Serve(_) => serve(config, stop).await,
    }
}

async fn serve(config: Config, stop: CancellationToken) -> Result<ExitCode, Trouble> {
    let starting = Service::start(Setup { config, ..Setup::default() });
    let Some(service) = stop.run_until_cancelled(starting).await else { return Ok(ExitCode::SUCCESS) };
    let service = service?;
    for address in &service.listening {
        say(format!("The cloud listens on http://{address}/graphql"));
    }
    stop.cancelled().await;
    tracing::info!("stopping");
    service.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn load(common: &Common, command: Option<&Command>) -> Result<Config, Trouble> {
    // Variables that are no text cannot be settings.
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    let listen = match command {
        Some(Command::Serve(network)) => network.listen.clone(),
        _ => Vec::new(),
    };
    Ok(Config::load(Path::new("."), common.config.as_deref(), variables, &Flags { listen })?)
}

fn text(os: OsString) -> Option<String> {
    os.into_string().ok()
}

fn print_config(config: &Config) -> Result<ExitCode, Trouble> {
    let toml = config.to_toml().map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?;
    say(toml);
    Ok(ExitCode::SUCCESS)
}

/// An address with port, or a port alone, which means this machine: there is no TLS here.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse()
        .map_err(|_not_one| format!("{text:?} is no address; write it as 127.0.0.1:4800 or 0.0.0.0:4800"))
}

/// Says a line to whoever reads the output; nobody reading is no failure.
pub(crate) fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    let _nobody_reads = writeln!(out, "{line}").and_then(|()| out.flush());
}
