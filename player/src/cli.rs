//! The command line: what an installer types, and what the program says back.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use roomtone_schema::{Clock as _, SystemClock};
use roomtone_sync::supervisor::Supervisor;
use roomtone_sync::trouble::{Trouble, sentence};
use roomtone_sync::{logging, signals};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, Flags};
use crate::doctor;
use crate::engine::{self, Engine, EngineSettings, Event, OutputKind};
use crate::hub_address::HubAddress;
use crate::hub_finder::{self, Finder, Hubs};
use crate::identity::{self, Identity};
use crate::pairing::{self, Code};
use crate::player::{Player, Setup, View};
use crate::status;

mod asking;

/// What a running player logs where nobody says otherwise. What the sound server's client says of a lost connection, the
/// player says in its own words.
const RUNNING: &str = "info,mdns_sd=warn,hyper=warn,pulseaudio=off,symphonia=error,symphonia_core=error,\
                       symphonia_bundle_mp3=error,symphonia_format_isomp4=error";

/// What everything else logs: its own words are its output.
const QUIET: &str = "warn,mdns_sd=error,pulseaudio=off,symphonia=error";

/// No player is running: what other programs answer to the same question.
const NOT_RUNNING: u8 = 3;

/// The doctor has found something that keeps the music away.
const FINDINGS: u8 = 4;

/// For how long a hub is looked for before a pairing is given up, and how long the doctor listens.
const LISTEN: Duration = Duration::from_secs(5);

/// After the first hub has been seen, for how long others may be: with two of them somebody has to choose.
const OTHERS: Duration = Duration::from_millis(700);

/// For how long an output is watched while it is opened.
const OPENS: Duration = Duration::from_secs(2);

/// How long work that blocks may go on after the end.
const LAST_WORK: Duration = Duration::from_secs(1);

/// The box with the loudspeaker: finds its hub, plays beautifully, is never silent.
///
/// Without a command it plays until it is told to stop.
#[derive(Debug, Parser)]
#[command(name = "roomtone-player", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Begin with `roomtone-player`, and type the code that the manager's page or `roomtone-hub pair` shows; a service is paired \
with `roomtone-player pair CODE`. When something is wrong: `roomtone-player doctor`.

Settings come from defaults, then the configuration file (player.toml in the data folder), then variables such as \
ROOMTONE_PLAYER_OUTPUT, then flags. player.example.toml shows them all. ROOMTONE_LOG sets what is logged: error, warn, \
info, debug.

Exit codes: 0 done, 1 could not be done, 2 not understood, 3 no player is running, 4 the doctor found something.";

#[derive(Debug, Args)]
struct Common {
    /// The folder with everything this player keeps: its identity, songs, the journal.
    #[arg(long, global = true, value_name = "DIR", env = "ROOMTONE_PLAYER_DATA")]
    data: Option<PathBuf>,
    /// The configuration file; player.toml in the data folder where none is named.
    #[arg(long, global = true, value_name = "FILE", env = "ROOMTONE_PLAYER_CONFIG")]
    config: Option<PathBuf>,
    /// Where the hub is, where it is not found by itself: its page's address, such as 192.168.1.20 or 192.168.1.20:4700.
    #[arg(long, global = true, value_name = "ADDRESS")]
    hub: Option<HubAddress>,
    /// What people call this player. [default: the machine's name]
    #[arg(long, global = true, value_name = "NAME")]
    name: Option<String>,
    /// Where the sound goes: device, device:NAME, discard or `file:PATH.wav`; `list` shows what there is. [default: device]
    #[arg(long, global = true, value_name = "OUTPUT")]
    output: Option<String>,
    /// Show the configuration that holds in the end, and stop.
    #[arg(long, global = true)]
    print_config: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play until told to stop: the same as no command.
    Run,
    /// Join a hub with the code that `roomtone-hub pair` shows: 8 digits, or the whole roomtone:// address.
    Pair {
        /// The code.
        #[arg(required = true, value_name = "CODE")]
        code: Vec<String>,
    },
    /// Leave the hub: its key and this player's secret are forgotten; songs and journal stay.
    Forget,
    /// Tell how the running player is.
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// The outputs of this machine.
    #[command(subcommand)]
    Output(Output),
    /// Find out why something does not work, with the evidence.
    Doctor {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum Output {
    /// List them.
    List,
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
            let _nobody_reads = writeln!(io::stderr(), "roomtone-player: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Trouble> {
    if cli.common.output.as_deref() == Some("list")
        || matches!(cli.command, Some(Command::Output(Output::List)))
    {
        return Ok(list_outputs());
    }
    let setup = setup(&cli.common)?;
    if cli.common.print_config {
        return print_config(&setup);
    }
    let command = cli.command.unwrap_or(Command::Run);
    logging::start(if matches!(command, Command::Run) { RUNNING } else { QUIET });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Trouble::new(
            format!("The system gives this program no threads: {error}."),
            "The player did not start.",
            "Look at the limits of this user or service.",
        )
    })?;
    let done = runtime.block_on(obey(command, setup));
    runtime.shutdown_timeout(LAST_WORK);
    done
}

async fn obey(command: Command, setup: Setup) -> Result<ExitCode, Trouble> {
    let watch = Supervisor::new();
    let stop = signals::stop(&watch).map_err(|error| Trouble::harmless(error, "Start it again."))?;
    match command {
        Command::Run => play(&setup, stop).await,
        Command::Pair { code } => {
            let code = code.join(" ");
            stop.run_until_cancelled(pair(&setup, &code)).await.unwrap_or(Ok(ExitCode::FAILURE))
        }
        Command::Forget => forget(&setup),
        Command::Status { json } => tell_status(&setup, json).await,
        Command::Output(Output::List) => Ok(list_outputs()),
        Command::Doctor { json } => {
            let examination = examine(&setup, json);
            stop.run_until_cancelled(examination).await.unwrap_or(Ok(ExitCode::FAILURE))
        }
    }
}

async fn play(setup: &Setup, stop: CancellationToken) -> Result<ExitCode, Trouble> {
    let _lock = crate::lock::take(&setup.data)?;
    let player = Player::start(setup).map_err(|error| {
        Trouble::new(
            sentence(&format!("{error:#}")),
            "This player did not start; it plays nothing.",
            "Check the data folder and its disk, or choose another with --data DIR.",
        )
    })?;
    let (data, shown) = (setup.data.clone(), player.shown.clone());
    player.supervisor.keep_running("status", move |stop| status::serve(data.clone(), shown.clone(), stop));
    welcome(setup);
    let (asking, shown) = (setup.clone(), player.shown.clone());
    player
        .supervisor
        .keep_running("terminal", move |stop| at_the_terminal(asking.clone(), shown.clone(), stop));
    let ended = player.ended.clone();
    tokio::select! {
        () = stop.cancelled() => {}
        () = ended.cancelled() => {}
    }
    tracing::info!("stopping");
    player.stop().await;
    Ok(if ended.is_cancelled() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is asked and shown in the terminal that the player was started in, first the one, then the other: a line that is
/// drawn anew all the time is none to type on.
async fn at_the_terminal(
    setup: Setup,
    shown: watch::Receiver<View>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let asked = stop.run_until_cancelled(asking::until_paired(&setup)).await;
    if asked.is_some() && io::stderr().is_terminal() {
        status::keep_line(shown, stop).await?;
    }
    Ok(())
}

/// Whoever starts it for the first time learns the one thing that is left to do.
fn welcome(setup: &Setup) {
    match Identity::load(&setup.data) {
        Ok(Some(identity)) => say(format!("{} plays for {}.", identity.name, identity.venue_name)),
        Ok(None) => say(
            "This player belongs to no hub yet. The manager's page shows a code, and so does `roomtone-hub pair` on the \
             hub: type it here, or `roomtone-player pair CODE` in another terminal.",
        ),
        // The link says it, with what to do.
        Err(_) => {}
    }
}

async fn pair(setup: &Setup, code: &str) -> Result<ExitCode, Trouble> {
    let code: Code = code
        .parse()
        .map_err(|error| Trouble::harmless(error, "On the hub, `roomtone-hub pair` shows it."))?;
    make_data_folder(&setup.data)?;
    let candidates = candidates(setup, &code).await?;
    let paired = pairing::pair(&code, &setup.config.name(), &candidates, SystemClock::new().wall()).await;
    let identity = paired
        .map_err(|error| Trouble::harmless(error, "This player belongs to whom it belonged to before."))?;
    identity.save(&setup.data).map_err(|error| {
        Trouble::new(
            sentence(&error.to_string()),
            "The hub has let this player in, but it cannot remember that.",
            "Make room on the disk, then pair again.",
        )
    })?;
    give_to_owner(&setup.data);
    say(format!("Paired: this is {} in {} now, zone {}.", identity.name, identity.venue_name, identity.zone));
    let runs = matches!(status::ask(&setup.data).await, Ok(Some(_)));
    say(if runs { "The running player goes on with it." } else { "Start it with `roomtone-player`." });
    Ok(ExitCode::SUCCESS)
}

/// Root pairs a service's player: what it wrote belongs to whoever the folder belongs to, so that the service reads it.
fn give_to_owner(data: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(folder) = data.metadata() else { return };
    if let Err(error) =
        std::os::unix::fs::chown(data.join(identity::FILE), Some(folder.uid()), Some(folder.gid()))
    {
        tracing::warn!("the identity could not be given to the owner of {}: {error}", data.display());
    }
}

/// Where the hub of a code may be: what the code says, what somebody says, what the network says.
async fn candidates(setup: &Setup, code: &Code) -> Result<Vec<SocketAddr>, Trouble> {
    let mut candidates = match &setup.config.hub {
        Some(hub) => hub.for_players().await,
        None => Vec::new(),
    };
    if let Code::Token(uri) = code {
        candidates.extend(&uri.addresses);
    }
    if !candidates.is_empty() {
        return Ok(candidates);
    }
    let hubs = hubs_nearby().await;
    match hubs.iter().map(|hub| hub.hub).collect::<BTreeSet<_>>().len() {
        0 => Err(Trouble::harmless(
            "no hub has announced itself on this network within 5 seconds",
            "Look whether the hub runs and is on the same network, or say where it is: --hub ADDRESS.",
        )),
        1 => Ok(hubs.for_pairing()),
        several => Err(Trouble::harmless(
            format!("there are {several} hubs on this network: {}", described(&hubs)),
            "Say which one: --hub ADDRESS, or give the whole roomtone:// address instead of the digits.",
        )),
    }
}

/// Hubs by name, with where their players connect.
fn described(hubs: &Hubs) -> String {
    let one = |hub: &hub_finder::SeenHub| {
        let place = hub.for_players().first().map_or_else(String::new, |place| format!(" at {}", place.ip()));
        format!("{}{place}", hub.name)
    };
    hubs.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The hubs that announce themselves: as soon as there is one, and a moment for others.
async fn hubs_nearby() -> Hubs {
    let finder = Finder::new(None);
    let mut hubs = finder.hubs();
    let looking = Supervisor::new();
    looking.keep_running("finder", move |stop| {
        let finder = finder.clone();
        async move { finder.run(stop).await }
    });
    let seen = tokio::time::timeout(LISTEN, hubs.wait_for(|hubs| !hubs.is_empty())).await.is_ok();
    if seen {
        tokio::time::sleep(OTHERS).await;
    }
    // Before the end: a finder that stops forgets.
    let found = hubs.borrow().clone();
    looking.stop(Duration::from_millis(500)).await;
    found
}

fn forget(setup: &Setup) -> Result<ExitCode, Trouble> {
    let known = Identity::load(&setup.data).ok().flatten();
    Identity::forget(&setup.data)
        .map_err(|error| Trouble::harmless(error, "The player still belongs to its hub."))?;
    say(match known {
        Some(identity) => format!(
            "{} is forgotten. On the hub, `roomtone-hub player remove {}` ends it there, too.",
            identity.venue_name, identity.name
        ),
        None => "This player belonged to no hub.".to_owned(),
    });
    Ok(ExitCode::SUCCESS)
}

async fn tell_status(setup: &Setup, json: bool) -> Result<ExitCode, Trouble> {
    let asked = status::ask(&setup.data).await;
    let view = asked.map_err(|error| {
        Trouble::harmless(
            format!("the running player could not be asked: {error}"),
            "Run the command as the user that the player runs as.",
        )
    })?;
    let Some(view) = view else {
        say(format!("No player is running on {}. Start it with `roomtone-player`.", setup.data.display()));
        return Ok(ExitCode::from(NOT_RUNNING));
    };
    if json {
        let text = serde_json::to_string_pretty(&view);
        say(text.map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?);
    } else {
        say(status::page(&view));
    }
    Ok(ExitCode::SUCCESS)
}

fn list_outputs() -> ExitCode {
    let outputs = engine::outputs();
    if outputs.is_empty() {
        say("This machine has no sound output that this program can use. `roomtone-player doctor` says why.");
    }
    for output in outputs {
        say(format!("device:{}{}", output.name, if output.is_default { "  (the default)" } else { "" }));
    }
    say("discard  (plays in real time and without sound)");
    say("file:PATH.wav  (writes down what a loudspeaker would get)");
    ExitCode::SUCCESS
}

async fn examine(setup: &Setup, json: bool) -> Result<ExitCode, Trouble> {
    let running = status::ask(&setup.data).await.ok().flatten();
    let told = match &setup.config.hub {
        Some(hub) => hub.for_players().await,
        None => Vec::new(),
    };
    let output = doctor::OutputEvidence {
        wanted: setup.config.output.to_string(),
        devices: engine::outputs().into_iter().map(|output| output.name).collect(),
        needs_device: matches!(setup.config.output, OutputKind::Device(_)),
        running: running.is_some(),
        trouble: match &running {
            Some(view) => view.output_trouble.clone(),
            None => output_trouble(&setup.config.output).await,
        },
    };
    if !json {
        say("Looking: network, hubs, clock, output, disk. This takes some seconds.");
    }
    let findings = doctor::examine(&setup.data, &told, output, LISTEN).await;
    if json {
        let text = serde_json::to_string_pretty(&findings);
        say(text.map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?);
    } else {
        findings.iter().for_each(say);
    }
    let serious = findings.iter().any(doctor::Finding::is_serious);
    Ok(if serious { ExitCode::from(FINDINGS) } else { ExitCode::SUCCESS })
}

/// Opens the output for a moment; why it does not play, where it does not. A file is not written for this.
async fn output_trouble(output: &OutputKind) -> Option<String> {
    if !matches!(output, OutputKind::Device(_)) {
        return None;
    }
    let settings = EngineSettings { output: output.clone(), volume: 0.0 };
    let (engine, mut events) = match Engine::start(settings, Arc::new(SystemClock::new())) {
        Ok(started) => started,
        Err(error) => return Some(format!("{error:#}")),
    };
    let opened = async {
        loop {
            match events.recv().await {
                Some(Event::Output { trouble }) => break trouble,
                Some(_) => {}
                None => break Some("the output ended by itself".to_owned()),
            }
        }
    };
    let told = tokio::time::timeout(OPENS, opened).await;
    told.unwrap_or_else(|_nothing_said| engine.snapshot().output_trouble)
}

fn setup(common: &Common) -> Result<Setup, Trouble> {
    let data = common.data.clone().unwrap_or_else(|| config::default_data_dir(|name| std::env::var_os(name)));
    let data = std::path::absolute(&data).map_err(|error| {
        Trouble::harmless(format!("{}: {error}", data.display()), "Choose another --data DIR.")
    })?;
    let output = common.output.as_deref().map(str::parse).transpose();
    let output = output
        .map_err(|error| Trouble::harmless(error, "`roomtone-player --output list` shows what there is."))?;
    let flags = Flags { name: common.name.clone(), hub: common.hub.clone(), output };
    // Variables that are no text cannot be settings.
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    let config = Config::load(&data, common.config.as_deref(), variables, &flags).map_err(|error| {
        Trouble::new(
            sentence(&format!("The configuration cannot be used: {error}")),
            "The player did not start.",
            "Mend the setting; player.example.toml shows them all, and --print-config what holds now.",
        )
    })?;
    Ok(Setup { data, config })
}

fn text(os: OsString) -> Option<String> {
    os.into_string().ok()
}

/// The data folder, which only its owner looks into: the player's secret is in it.
pub(crate) fn make_data_folder(data: &Path) -> Result<(), Trouble> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|error| {
        Trouble::new(
            format!("The folder {} cannot be made: {error}.", data.display()),
            "Without it the player does not start.",
            "Check that it belongs to this user, or choose another with --data DIR.",
        )
    })
}

fn print_config(setup: &Setup) -> Result<ExitCode, Trouble> {
    let toml = setup.config.to_toml();
    let toml = toml.map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?;
    say(format!("# The data folder is {}\n{toml}", setup.data.display()));
    Ok(ExitCode::SUCCESS)
}

/// Says a line to whoever reads the output; nobody reading is no failure.
fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    let _nobody_reads = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[rstest]
    #[case::digits(&["roomtone-player", "pair", "1234", "5678"])]
    #[case::after(&["roomtone-player", "pair", "12345678", "--hub", "192.0.2.1", "--data", "/d"])]
    #[case::before(&["roomtone-player", "--hub", "192.0.2.1:4700", "pair", "12345678"])]
    fn a_code_may_be_typed_as_it_is_shown(#[case] words: &[&str]) {
        assert!(matches!(Cli::try_parse_from(words).unwrap().command, Some(Command::Pair { .. })));
    }

    #[test]
    fn the_unit_starts_the_program_in_words_it_knows() {
        let unit = include_str!("../roomtone-player.service");
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let cli = Cli::try_parse_from(start.split_whitespace()).unwrap();
        assert!(matches!(cli.command, None | Some(Command::Run)));
    }
}
