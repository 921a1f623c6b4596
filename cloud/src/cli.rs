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

use crate::config::{Config, ConfigError, Flags};
use crate::database::{Database, DatabaseSettings};
use crate::dev;
use crate::doctor::{self, Finding};
use crate::migrations::{self, Applied};
use crate::service::{Service, Setup};
use crate::store::roles;
use crate::store::trial::GlobalRole;
use crate::trouble::{Trouble, of_file, sentence};

/// What `serve` and `dev` log where nobody says otherwise.
const SERVING: &str = "info,hyper=warn,tower=warn,sqlx=warn,sqlx::postgres::notice=error,\
                       async_nats=warn,aws=warn";

/// What everything else logs: its own words are its output.
const QUIET: &str = "warn,sqlx=error,aws=error";

/// What Postgres calls what one may not do.
const FORBIDDEN: &str = "42501";

/// The doctor has found something that keeps this from being a cloud.
const FINDINGS: u8 = 4;

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
    /// Apply the migrations that are missing, as the owner of the tables (`DATABASE_OWNER_URL`, else `DATABASE_URL`).
    Migrate,
    /// Try everything out without Supabase: a Postgres, an issuer of tokens and a media store of its own, in one folder.
    Dev(Dev),
    /// Make a token for somebody in a running trial, and the account where there is none. For `dev` only.
    DevToken(DevToken),
    /// Global roles: who may do what everywhere.
    #[command(subcommand)]
    Admin(Admin),
    /// Find out whether this can be a cloud, with the evidence: database, login, policies, issuer, media store.
    Doctor {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Admin {
    /// Make whoever signed up with this address an admin, who may do everything.
    Grant {
        /// Their address.
        email: String,
    },
}

#[derive(Debug, Args)]
struct Dev {
    #[command(flatten)]
    network: Network,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct DevToken {
    #[command(flatten)]
    place: Place,
    /// Whose.
    #[arg(long, value_name = "EMAIL", default_value = dev::MANAGER)]
    email: String,
    /// What they may do everywhere, from now on; what they may already, they still may.
    #[arg(long, value_enum, default_value = "manager")]
    role: GlobalRole,
    /// For how long the token holds: such as 30m, 1h, 7d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time)]
    ttl: Duration,
}

#[derive(Debug, Args)]
struct Place {
    /// The folder with everything that the trial keeps. [default: ~/.local/share/roomtone-dev]
    #[arg(long, value_name = "DIR", env = "ROOMTONE_CLOUD_DATA")]
    data: Option<PathBuf>,
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
    logging::start(if matches!(command, Command::Serve(_) | Command::Dev(_)) { SERVING } else { QUIET });
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
        Command::Migrate => migrate(&config).await,
        Command::Dev(options) => {
            let folder = options.place.folder()?;
            Box::pin(dev::run(config, &folder, stop)).await.map(|()| ExitCode::SUCCESS)
        }
        Command::DevToken(DevToken { place, email, role, ttl }) => {
            say(dev::token(&config, &place.folder()?, &email, role, ttl).await?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Admin(Admin::Grant { email }) => grant(&config, &email).await,
        Command::Doctor { json } => {
            let examination = examine(&config, json);
            stop.run_until_cancelled(examination).await.unwrap_or(Ok(ExitCode::FAILURE))
        }
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

async fn migrate(config: &Config) -> Result<ExitCode, Trouble> {
    let url = config.database.owner();
    if url.is_empty() {
        return Err(ConfigError::Missing { key: "database.owner_url (DATABASE_OWNER_URL)" }.into());
    }
    match migrations::run(url).await {
        Ok(Applied::Here(0)) => say("The database is up to date."),
        Ok(Applied::Here(count)) => say(format!("{count} migrations were applied.")),
        Ok(Applied::ByTheCli) => {
            say(
                "The database is up to date. The Supabase CLI keeps its migrations, so new ones go by `supabase db push`.",
            );
        }
        Err(error) => {
            return Err(Trouble::new(
                sentence(&error.to_string()),
                "What was applied before stays; a cloud that runs goes on.",
                "The login must own the tables; on Supabase that is postgres, on a plain Postgres see migrations/README.md.",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn grant(config: &Config, email: &str) -> Result<ExitCode, Trouble> {
    let settings = DatabaseSettings { connections: 1, ..config.database.settings() };
    let remedy = "Check DATABASE_URL; `roomtone-cloud doctor` says more.";
    let database = Database::open(config.database.owner(), &settings).map_err(|_with_the_password| {
        Trouble::harmless("DATABASE_URL is no address of a Postgres", remedy)
    })?;
    let granted = async {
        // The service's login takes its role; the tables' owner may not, and needs none.
        let mut work = match database.as_service().await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(FORBIDDEN) => {
                database.pool().begin().await?
            }
            work => work?,
        };
        let granted = roles::grant_admin(&mut work, email).await?;
        work.commit().await?;
        Ok::<_, sqlx::Error>(granted)
    };
    match granted.await.map_err(|error| Trouble::harmless(error, remedy))? {
        Some(_) => {
            say(format!("{email} is an admin now."));
            Ok(ExitCode::SUCCESS)
        }
        None => Err(Trouble::harmless(
            format!("nobody has signed up as {email}"),
            "Have them sign up first, or invite them in the project's dashboard.",
        )),
    }
}

async fn examine(config: &Config, json: bool) -> Result<ExitCode, Trouble> {
    let findings = doctor::examine(config).await?;
    if json {
        let text = serde_json::to_string_pretty(&findings);
        say(text.map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?);
    } else {
        findings.iter().for_each(say);
    }
    let serious = findings.iter().any(Finding::is_serious);
    Ok(if serious { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
}

impl Place {
    fn folder(&self) -> Result<dev::Folder, Trouble> {
        let folder = self.data.clone().unwrap_or_else(|| dev::default_folder(|name| std::env::var_os(name)));
        let folder = std::path::absolute(&folder).map_err(|error| of_file("find", &folder, &error))?;
        Ok(dev::Folder(folder))
    }
}

fn load(common: &Common, command: Option<&Command>) -> Result<Config, Trouble> {
    // Variables that are no text cannot be settings.
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    let listen = match command {
        Some(Command::Serve(network) | Command::Dev(Dev { network, .. })) => network.listen.clone(),
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

/// A time as people write it.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().filter(|number| (1..=10_000).contains(number));
    let (Some(number), Some(seconds)) = (number, seconds) else {
        return Err(format!("{text:?} is no time; write it as 90s, 30m, 1h or 7d"));
    };
    Ok(Duration::from_secs(number * seconds))
}

/// Says a line to whoever reads the output; nobody reading is no failure.
pub(crate) fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    let _nobody_reads = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[rstest]
    #[case("90s", 90)]
    #[case("1h", 3_600)]
    #[case("7d", 604_800)]
    fn a_time_is_read_as_people_write_it(#[case] text: &str, #[case] seconds: u64) {
        assert_eq!(time(text), Ok(Duration::from_secs(seconds)));
    }

    #[rstest]
    #[case("")]
    #[case("h")]
    #[case("1")]
    #[case("-1h")]
    #[case("99999999999h")]
    #[case("1h30m")]
    fn what_is_no_time_is_answered_with_one(#[case] text: &str) {
        assert!(time(text).unwrap_err().contains("1h"));
    }

    #[rstest]
    #[case::port("4801", "127.0.0.1:4801")]
    #[case::all("0.0.0.0:80", "0.0.0.0:80")]
    fn a_port_alone_means_this_machine(#[case] text: &str, #[case] expected: SocketAddr) {
        assert_eq!(listen_address(text), Ok(expected));
    }

    #[test]
    fn the_unit_starts_the_program_in_words_it_knows() {
        let unit = include_str!("../roomtone-cloud.service");
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let cli = Cli::try_parse_from(start.split_whitespace()).unwrap();
        assert!(matches!(cli.command, Some(Command::Serve(_))));
    }
}
