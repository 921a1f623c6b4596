//! The command line: what an installer types, and what the program says back.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use roomtone_schema::{Clock, SystemClock};
use roomtone_server::front::Introspection;
use roomtone_sync::supervisor::Supervisor;
use roomtone_sync::{logging, signals};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, Flags};
use crate::demo;
use crate::drill::Cut;
use crate::orders::Order;
use crate::orders::players::PlayerOrder;
use crate::service::{Service, Setup};
use crate::store;
use crate::trouble::{self, Trouble};

mod ask;
mod pin;
mod replay;
pub(crate) mod show;

/// What `serve` logs where nobody says otherwise.
const SERVING: &str = "info,mdns_sd=warn,hyper=warn,tower=warn";

/// What everything else logs: its own words are its output.
const QUIET: &str = "warn,mdns_sd=error";

/// Parsing GraphQL goes as deep as the document does: enough room for the deepest that is allowed.
const STACK: usize = 8 << 20;

/// How long work that blocks may go on after the end: a copy of the store, a file being read.
const LAST_WORK: Duration = Duration::from_secs(2);

/// Music chosen by the people in the room, and never silent.
///
/// One hub serves one venue: phones open its page and vote, players ask it what to play. It needs no internet.
#[derive(Debug, Parser)]
#[command(name = "roomtone-hub", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Begin with `roomtone-hub demo`; for a real venue: `roomtone-hub import DIR`, `roomtone-hub serve`, and \
`roomtone-hub pair` for each player.

Settings come from defaults, then the configuration file (hub.toml in the data folder), then variables such as \
ROOMTONE_VENUE_NAME, then flags. hub.example.toml shows them all. ROOMTONE_LOG sets what is logged: error, warn, \
info, debug.

Exit codes: 0 done, 1 could not be done, 2 not understood, 3 no hub is running.";

#[derive(Debug, Args)]
struct Common {
    /// The folder with everything this hub keeps: its store, media, backups.
    #[arg(long, global = true, value_name = "DIR", env = "ROOMTONE_DATA")]
    data: Option<PathBuf>,
    /// The configuration file; hub.toml in the data folder where none is named.
    #[arg(long, global = true, value_name = "FILE", env = "ROOMTONE_CONFIG")]
    config: Option<PathBuf>,
    /// Show the configuration that holds in the end, and stop.
    #[arg(long, global = true)]
    print_config: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub until it is told to stop.
    Serve(Serve),
    /// Try it out: a venue with music of its own making, a silent player and, if you like, guests.
    Demo(Demo),
    /// Take the music of files and folders into the catalogue. Can be stopped and run again.
    Import {
        /// Files and folders with music.
        #[arg(required = true, value_name = "DIR")]
        roots: Vec<PathBuf>,
    },
    /// Let a player in: shows a code and waits until the player has come.
    Pair {
        /// The name that the player gets. A player of this name that is there already gets another secret: for a box that
        /// was replaced.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Where it stands; the main zone where none is named.
        #[arg(long, value_name = "NAME")]
        zone: Option<String>,
    },
    /// Players: the boxes with a loudspeaker.
    #[command(subcommand)]
    Player(Player),
    /// Managers.
    #[command(subcommand)]
    Manager(Manager),
    /// Show the QR code that people scan to come in.
    Qr {
        /// Of this zone; the main one where none is named.
        #[arg(long, value_name = "NAME")]
        zone: Option<String>,
        /// Also write it as a picture, for a poster.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Come to a cloud: trades the code that it shows for this hub's own key. Again with a new code, it changes the key.
    Enrol {
        /// What the cloud shows for this hub.
        code: String,
        /// Where the cloud is; what [cloud] url of the configuration says where none is given.
        #[arg(long, value_name = "URL")]
        cloud: Option<String>,
    },
    /// Change the key that this hub shows to its cloud, without a code: the key that it has vouches for the new one, and
    /// opens nothing once that was used.
    Rotate,
    /// Leave the cloud. What came from there goes, what was made here stays.
    Unenrol,
    /// Rehearse an outage: cuts the hub off from its cloud, or everybody from the hub, for a while, and tells whether
    /// anybody would have heard it. Refused where that could be a silence; Ctrl-C ends it early.
    Drill {
        /// What is cut: the way to the cloud, or the hub itself.
        #[arg(long, value_enum)]
        cut: What,
        /// For how long: 90s, 10m, 1h.
        #[arg(long = "for", value_name = "TIME", value_parser = span, default_value = "10m")]
        length: Duration,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Tell how the running hub is.
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Play a zone's last days again under another setting, and tell how people would have fared. Also while the hub runs.
    Replay(replay::Replay),
    /// Copy the store to a file, also while the hub runs. The music files are not in it.
    Backup {
        /// Where to.
        file: PathBuf,
    },
    /// Put a backup in the place of the store; what stood there is kept beside it. The hub must not run.
    Restore {
        /// The backup.
        file: PathBuf,
    },
}

/// What a drill cuts.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// The way to the cloud: votes are kept and sent later, the music comes from the hub.
    Cloud,
    /// The hub itself: players go on with their plan, phones see nothing.
    Hub,
}

impl From<What> for Cut {
    fn from(what: What) -> Self {
        match what {
            What::Cloud => Self::Cloud,
            What::Hub => Self::Hub,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Player {
    /// Let a terminal in, which is a player that cannot be paired, and show its token, this once.
    Add {
        /// What people call it.
        name: String,
        /// The id of an NFC tag on it: it tells which player this is, and opens nothing.
        #[arg(long, value_name = "ID")]
        tag: Option<String>,
        /// Where it stands; the main zone where none is named.
        #[arg(long, value_name = "NAME")]
        zone: Option<String>,
    },
    /// Make another token for a player and show it, this once. The one before is void, and whoever is connected with it
    /// is let go.
    Token {
        /// What people call it.
        name: String,
    },
    /// Tell how every player is.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Take a player out. What it shows opens nothing any more, and its connections end at once.
    Remove {
        /// What people call it.
        name: String,
    },
    /// Give a player another name.
    Rename {
        /// What people call it.
        name: String,
        /// What they will.
        to: String,
    },
    /// Set how loud a player is, also after it was switched off and on.
    Volume {
        /// What people call it.
        name: String,
        /// In percent.
        #[arg(value_name = "0..100", value_parser = clap::value_parser!(u8).range(0..=100))]
        percent: u8,
    },
    /// Leave the song that plays; the player's whole zone does.
    Skip {
        /// What people call it.
        name: String,
    },
    /// Hold, until `resume`, also after the player was switched off and on.
    Pause {
        /// What people call it.
        name: String,
    },
    /// Go on.
    Resume {
        /// What people call it.
        name: String,
    },
    /// Play nothing, until `resume`, also after the player was switched off and on.
    Stop {
        /// What people call it.
        name: String,
    },
}

impl Player {
    fn order(self) -> Order {
        let order = |name, order| Order::OrderPlayer { name, order };
        match self {
            Self::Add { name, tag, zone } => Order::AddPlayer { name, tag, zone },
            Self::Token { name } => Order::PlayerToken { name },
            Self::List { .. } => Order::ListPlayers,
            Self::Remove { name } => Order::RemovePlayer { name },
            Self::Rename { name, to } => Order::RenamePlayer { name, to },
            Self::Volume { name, percent } => order(name, PlayerOrder::Volume(percent)),
            Self::Skip { name } => order(name, PlayerOrder::Skip),
            Self::Pause { name } => order(name, PlayerOrder::Pause),
            Self::Resume { name } => order(name, PlayerOrder::Resume),
            Self::Stop { name } => order(name, PlayerOrder::Stop),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Manager {
    /// Make a token for the manager and show it, this once. The one before is void.
    Token,
    /// Set the PIN of the manager's page. It is asked for here, or read from the input; it is never given as a word of the
    /// command, where others on this machine could read it.
    Pin,
}

#[derive(Debug, Args)]
struct Network {
    /// Where to listen: an address with port, or a port alone. May be given more than once. [default: [::]:4700]
    #[arg(long, value_name = "ADDRESS", value_parser = listen_address)]
    listen: Vec<SocketAddr>,
    /// What people call the venue.
    #[arg(long, value_name = "NAME")]
    venue: Option<String>,
    /// Do not announce the hub on the local network.
    #[arg(long)]
    no_mdns: bool,
}

#[derive(Debug, Args)]
struct Serve {
    #[command(flatten)]
    network: Network,
    /// For whoever develops against the hub: anybody may use the query page at /graphiql and ask what the schema is.
    #[arg(long)]
    dev: bool,
}

#[derive(Debug, Args)]
struct Demo {
    #[command(flatten)]
    network: Network,
    /// How many simulated guests come, vote and go.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=500))]
    guests: u16,
    /// What the guests' chance begins with: the same seed, the same guests.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
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
            let _nobody_reads = writeln!(io::stderr(), "roomtone-hub: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Trouble> {
    let Some(command) = cli.command else {
        if cli.common.print_config {
            return print_config(&setup(&cli.common, &Flags::default(), false)?);
        }
        let _nobody_reads = Cli::command().print_help();
        return Ok(ExitCode::from(2));
    };
    let mut setup = setup(&cli.common, &flags_of(&command), matches!(command, Command::Demo(_)))?;
    if matches!(command, Command::Demo(_) | Command::Serve(Serve { dev: true, .. })) {
        setup.introspection = Introspection::Everyone;
    }
    if cli.common.print_config {
        return print_config(&setup);
    }
    logging::start(if matches!(command, Command::Serve(_)) { SERVING } else { QUIET });
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK).enable_all().build();
    let runtime = runtime.map_err(|error| {
        Trouble::new(
            format!("The system gives this program no threads: {error}."),
            "The hub did not start.",
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
        Command::Serve(_) => serve(&setup, stop).await,
        Command::Demo(options) => {
            let may_move = options.network.listen.is_empty();
            let options = demo::Options { guests: options.guests, seed: options.seed, may_move };
            demo::run(setup, options, stop).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Import { roots } => {
            let roots = roots.iter().map(absolute).collect::<Result<_, _>>()?;
            ask::and_show(&setup, Order::Import { roots }, stop).await
        }
        Command::Pair { name, zone } => ask::for_pairing(&setup, Order::Pair { name, zone }, stop).await,
        Command::Player(Player::List { json: true }) => ask::for_players(&setup).await,
        Command::Player(player) => ask::and_show(&setup, player.order(), stop).await,
        Command::Manager(Manager::Token) => ask::and_show(&setup, Order::ManagerToken, stop).await,
        Command::Manager(Manager::Pin) => {
            let pin = tokio::task::spawn_blocking(pin::ask).await;
            let pin = pin.map_err(|error| Trouble::harmless(error, "Run the command again."))??;
            ask::and_show(&setup, Order::ManagerPin { pin }, stop).await
        }
        Command::Enrol { code, cloud } => {
            let cloud = cloud.unwrap_or_else(|| setup.config.cloud.url.clone());
            ask::and_show(&setup, Order::Enrol { code, cloud }, stop).await
        }
        Command::Rotate => {
            let cloud = setup.config.cloud.url.clone();
            ask::and_show(&setup, Order::Rotate { cloud }, stop).await
        }
        Command::Unenrol => ask::and_show(&setup, Order::Unenrol, stop).await,
        Command::Qr { zone, svg } => ask::for_poster(&setup, zone, svg.as_deref(), stop).await,
        Command::Drill { cut, length, json } => {
            let order = Order::Drill { cut: cut.into(), for_s: length.as_secs() };
            ask::for_drill(&setup, order, json, stop).await
        }
        Command::Status { json } => ask::for_status(&setup, json).await,
        Command::Replay(asked) => replay::run(&setup, asked).await,
        Command::Backup { file } => {
            let file = absolute(&file)?.into();
            ask::and_show(&setup, Order::Backup { file }, stop).await
        }
        Command::Restore { file } => ask::restore(&setup, &file).await,
    }
}

async fn serve(setup: &Setup, stop: CancellationToken) -> Result<ExitCode, Trouble> {
    let mut setup = setup.clone();
    loop {
        let mut service = Service::start_replaceable(&setup).await?;
        show::page(&service);
        let handed_in = service.handed_in.take();
        let handed_in = async {
            match handed_in {
                Some(mut handed_in) => handed_in.recv().await,
                None => std::future::pending().await,
            }
        };
        let successor = stop.run_until_cancelled(handed_in).await.flatten();
        tracing::info!("stopping");
        // Where it is now it stays: players and posters know the ports.
        setup.stay_at(&service.place);
        service.stop().await;
        let Some(backup) = successor else { return Ok(ExitCode::SUCCESS) };
        begin_anew(&setup, backup).await;
    }
}

/// Puts a backup in the place of the store. Where that fails the hub goes on with the store that it has: the music comes
/// first.
async fn begin_anew(setup: &Setup, backup: PathBuf) {
    let (data, file) = (setup.data.clone(), backup.clone());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let restored = tokio::task::spawn_blocking(move || store::restore(&file, &data, &clock)).await;
    match restored {
        Ok(Ok(restored)) => {
            let kept = restored
                .kept_at
                .map(|kept| format!("; what stood there before is kept in {}", kept.display()));
            tracing::warn!("the store is that of the backup now{}", kept.unwrap_or_default());
        }
        Ok(Err(error)) => tracing::error!("the backup did not take the place of the store: {error}"),
        Err(broke) => tracing::error!("the backup did not take the place of the store: {broke}"),
    }
    if let Err(error) = tokio::fs::remove_file(&backup).await {
        tracing::debug!("{} stays: {error}", backup.display());
    }
}

fn setup(common: &Common, flags: &Flags, demo: bool) -> Result<Setup, Trouble> {
    let variable = |name: &str| std::env::var_os(name);
    let default = if demo { config::demo_data_dir } else { config::default_data_dir };
    let data = common.data.clone().unwrap_or_else(|| default(variable));
    let data = std::path::absolute(&data).map_err(|error| trouble::of_file("find", &data, &error))?;
    // Variables that are no text cannot be settings.
    let variables = std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?)));
    let config = Config::load(&data, common.config.as_deref(), variables, flags)?;
    Ok(Setup { data, config, introspection: Introspection::default() })
}

fn text(os: OsString) -> Option<String> {
    os.into_string().ok()
}

fn flags_of(command: &Command) -> Flags {
    match command {
        Command::Serve(serve) => serve.network.flags(),
        Command::Demo(demo) => {
            let mut flags = demo.network.flags();
            flags.venue.get_or_insert_with(|| demo::VENUE.to_owned());
            flags
        }
        _ => Flags::default(),
    }
}

impl Network {
    fn flags(&self) -> Flags {
        Flags { listen: self.listen.clone(), venue: self.venue.clone(), no_mdns: self.no_mdns }
    }
}

fn print_config(setup: &Setup) -> Result<ExitCode, Trouble> {
    let toml = setup.config.to_toml();
    let toml = toml.map_err(|error| Trouble::harmless(error, "Please report this as a bug."))?;
    say(format!("# The data folder is {}\n{toml}", setup.data.display()));
    Ok(ExitCode::SUCCESS)
}

/// A time such as 90s, 10m or 1h; a bare number is seconds.
fn span(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
    let each = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return Err(format!("{unit:?} is no unit; write 90s, 10m or 1h")),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(each));
    seconds.map(Duration::from_secs).ok_or_else(|| format!("{text:?} is no time; write 90s, 10m or 1h"))
}

/// An address with port, or a port alone, which means all addresses.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    text.parse()
        .map_err(|_not_one| format!("{text:?} is no address; write it as 192.168.1.5:4700 or [::]:4700"))
}

fn absolute(path: &PathBuf) -> Result<OsString, Trouble> {
    let absolute = std::path::absolute(path);
    absolute.map(PathBuf::into_os_string).map_err(|error| trouble::of_file("find", path, &error))
}

/// Says a line to whoever reads the output; nobody reading is no failure.
pub(crate) fn say(line: impl Display) {
    let mut out = io::stdout().lock();
    let _nobody_reads = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Whether the output is a terminal that wants colours.
pub(crate) fn is_coloured() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
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
    #[case::before(&["roomtone-hub", "--data", "/d", "serve", "--listen", "127.0.0.1:0"])]
    #[case::after(&["roomtone-hub", "serve", "--data", "/d", "--listen", "127.0.0.1:0"])]
    fn the_data_folder_may_stand_on_either_side_of_the_command(#[case] words: &[&str]) {
        let cli = Cli::try_parse_from(words).unwrap();
        assert_eq!(cli.common.data, Some(PathBuf::from("/d")));
    }

    #[rstest]
    #[case::port("4701", "[::]:4701")]
    #[case::colon(":4701", "[::]:4701")]
    #[case::ipv4("127.0.0.1:80", "127.0.0.1:80")]
    fn a_port_alone_means_everywhere(#[case] text: &str, #[case] expected: SocketAddr) {
        assert_eq!(listen_address(text), Ok(expected));
    }

    #[rstest]
    #[case("90s", Ok(90))]
    #[case("10m", Ok(600))]
    #[case("1h", Ok(3_600))]
    #[case("45", Ok(45))]
    #[case("m", Err(()))]
    #[case("1d", Err(()))]
    fn times_are_written_as_people_write_them(#[case] text: &str, #[case] seconds: Result<u64, ()>) {
        assert_eq!(span(text).map_err(drop), seconds.map(Duration::from_secs));
    }

    #[test]
    fn the_unit_starts_the_program_in_words_it_knows() {
        let unit = include_str!("../roomtone-hub.service");
        let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let cli = Cli::try_parse_from(start.split_whitespace()).unwrap();
        assert!(matches!(cli.command, Some(Command::Serve(_))));
    }

    #[test]
    fn what_is_no_address_is_answered_with_one_that_is() {
        let refusal =
            Cli::try_parse_from(["roomtone-hub", "serve", "--listen", "here"]).unwrap_err().to_string();
        assert!(refusal.contains("192.168.1.5:4700"), "{refusal}");
    }
}
