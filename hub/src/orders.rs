//! What an operator can ask of a hub: the same whether it runs already or is opened only for this.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use roomtone_schema::ZoneId;
use roomtone_schema::id::Id as _;
use roomtone_schema::song::SongFacts;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::discovery;
use crate::drill::{Cut, Drill, DrillReport};
use crate::hub::Hub;
use crate::import::{self, Outcome, Step};
use crate::qr::{self, Poster};
use crate::room_code::RoomCode;
use crate::service::Place;
use crate::trouble::Trouble;
use crate::upkeep;

mod drilling;
mod joining;
pub mod pairing;
pub mod players;

use pairing::PairingCode;
use players::{PlayerLine, PlayerOrder};

/// Replies that may wait for a slow terminal; behind that the work waits too.
pub const REPLIES_WAITING: usize = 64;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Take the music of these files and folders.
    Import {
        /// Absolute, and as the system has them: names need not be text.
        roots: Vec<OsString>,
    },
    /// Let a player in.
    AddPlayer {
        /// What people call it.
        name: String,
        /// An NFC tag that identifies it.
        tag: Option<String>,
        /// Where it stands.
        zone: Option<String>,
    },
    /// Make a new token for a player.
    PlayerToken {
        /// What people call it.
        name: String,
    },
    /// Let a player in that shows the right code, for as long as somebody watches.
    Pair {
        /// What it is to be called, where that is decided here.
        name: Option<String>,
        /// Where it stands.
        zone: Option<String>,
    },
    /// Tell how every player is.
    ListPlayers,
    /// Take a player out.
    RemovePlayer {
        /// What people call it.
        name: String,
    },
    /// Give a player another name.
    RenamePlayer {
        /// What people call it.
        name: String,
        /// What they will.
        to: String,
    },
    /// Give a player an order.
    OrderPlayer {
        /// What people call it.
        name: String,
        /// Which.
        order: PlayerOrder,
    },
    /// Make a new token for the manager.
    ManagerToken,
    /// Make this the manager's PIN.
    ManagerPin {
        /// Never shown and never logged.
        pin: Typed,
    },
    /// Come to a cloud.
    Enrol {
        /// What the cloud has shown for it.
        code: String,
        /// Where the cloud is.
        cloud: String,
    },
    /// Leave it.
    Unenrol,
    /// Change the key that is shown to it.
    Rotate {
        /// Where it is, where it is another place than the hub enrolled at.
        cloud: String,
    },
    /// What the room's poster and screen show.
    Poster {
        /// Of which zone.
        zone: Option<String>,
        /// Whether it goes to a printer, so that its address should hold from now on.
        printed: bool,
    },
    /// Rehearse an outage, for as long as somebody watches.
    Drill {
        /// What is cut.
        cut: Cut,
        /// For so many seconds.
        for_s: u64,
    },
    /// How the hub is.
    Status,
    /// Copy the store.
    Backup {
        /// Where to; absolute.
        file: PathBuf,
    },
}

/// What somebody has typed that is nobody else's business.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Typed(pub String);

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Typed")
    }
}

/// What came of it. An order is answered by one reply, an import by many and a last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The import has looked through the folders.
    Found {
        /// Files that may be music.
        files: usize,
    },
    /// The import has dealt with one more file.
    Took {
        /// So many of them.
        done: usize,
        /// Of so many.
        total: usize,
        /// Which one it was.
        file: String,
        /// Why it was not taken.
        refused: Option<String>,
    },
    /// The import is through.
    Imported {
        /// New songs.
        added: usize,
        /// Songs that were there already.
        known: usize,
        /// Files that were not taken.
        refused: usize,
    },
    /// A player was let in.
    Player {
        /// Its name.
        name: String,
        /// Shown this once.
        token: String,
    },
    /// A player has another token.
    Renewed {
        /// Its name.
        name: String,
        /// Shown this once.
        token: String,
    },
    /// A player may come in.
    Pairing(PairingCode),
    /// Somebody has tried the digits.
    Tried {
        /// Tries that are left.
        left: u8,
    },
    /// The digits are too old; the code is still good.
    DigitsOver,
    /// A player came in.
    Paired {
        /// Its name.
        name: String,
        /// Where it plays.
        zone: String,
    },
    /// How every player is.
    Players(Vec<PlayerLine>),
    /// It was done; in a sentence.
    Done(String),
    /// A manager's token.
    Manager {
        /// Shown this once.
        token: String,
    },
    /// For poster and screen.
    Poster(Poster),
    /// A drill has begun.
    DrillBegan(Drill),
    /// It goes on.
    Drilling {
        /// For so many seconds; zero while it is waited for what players tell.
        left_s: u64,
    },
    /// It is over.
    Drilled(DrillReport),
    /// How the hub is.
    Status(Status),
    /// The copy is there.
    BackedUp {
        /// Where.
        file: PathBuf,
        /// How large.
        bytes: u64,
    },
    /// It could not be done.
    Refused(Trouble),
}

/// How the hub is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The venue's name.
    pub venue: String,
    /// Where the page is.
    pub url: String,
    /// What each zone hears: zone and song.
    pub playing: Vec<(String, Option<String>)>,
    /// People checked in.
    pub listeners: u64,
    /// Songs that can be played, and all.
    pub songs: (u64, u64),
    /// Players in reach, and all.
    pub players: (u64, u64),
    /// Facts that the cloud does not have.
    pub outbox: u64,
    /// How the hub stands with its cloud, in a sentence.
    pub cloud: String,
    /// What is wrong, in sentences; empty when all is well.
    pub complaints: Vec<String>,
}

/// Does what is asked and tells what comes of it. Where nobody listens any more, an import stops.
pub async fn carry_out(hub: &Hub, place: &Place, order: Order, replies: mpsc::Sender<Reply>) {
    let done = match order {
        Order::Import { roots } => take_in(hub, &roots, &replies).await,
        Order::AddPlayer { name, tag, zone } => add_player(hub, name, tag, zone.as_deref()).await,
        Order::PlayerToken { name } => player_token(hub, &name).await,
        Order::Pair { name, zone } => pairing::pair(hub, place, name, zone.as_deref(), &replies).await,
        Order::ListPlayers => Ok(Reply::Players(players::lines(hub))),
        Order::RemovePlayer { name } => players::remove(hub, &name).await,
        Order::RenamePlayer { name, to } => players::rename(hub, &name, &to).await,
        Order::OrderPlayer { name, order } => players::order(hub, &name, order).await,
        Order::ManagerToken => manager_token(hub).await,
        Order::ManagerPin { pin } => manager_pin(hub, &pin).await,
        Order::Enrol { code, cloud } => joining::enrol(hub, &cloud, &code).await,
        Order::Unenrol => joining::unenrol(hub).await,
        Order::Rotate { cloud } => joining::rotate(hub, &cloud).await,
        Order::Poster { zone, printed } => poster(hub, place, zone.as_deref(), printed).map(Reply::Poster),
        Order::Drill { cut, for_s } => drilling::drill(hub, cut, Duration::from_secs(for_s), &replies).await,
        Order::Status => Ok(Reply::Status(status(hub, place))),
        Order::Backup { file } => back_up(hub, file).await,
    };
    let _nobody_listens = replies.send(done.unwrap_or_else(Reply::Refused)).await;
}

async fn take_in(hub: &Hub, roots: &[OsString], replies: &mpsc::Sender<Reply>) -> Result<Reply, Trouble> {
    let roots: Vec<PathBuf> = roots.iter().map(PathBuf::from).collect();
    let stop = CancellationToken::new();
    let (steps, mut told) = mpsc::unbounded_channel();
    let tell = move |step| {
        let _nobody_listens = steps.send(step);
    };
    let relay = async {
        while let Some(step) = told.recv().await {
            if replies.send(reply_to(step)).await.is_err() {
                stop.cancel();
            }
        }
    };
    let (report, ()) = tokio::join!(import::run(hub, &roots, &stop, tell), relay);
    let report = report.map_err(|error| {
        Trouble::harmless(error, "Run the import again when that is mended: it goes on where it stopped.")
    })?;
    Ok(Reply::Imported { added: report.added, known: report.known, refused: report.refused.len() })
}

fn reply_to(step: Step) -> Reply {
    match step {
        Step::Found { files } => Reply::Found { files },
        Step::Took { done, total, path, outcome } => {
            let refused = match outcome {
                Outcome::Added | Outcome::Known => None,
                Outcome::Refused(why) => Some(why),
            };
            Reply::Took { done, total, file: path.to_string_lossy().into_owned(), refused }
        }
    }
}

async fn add_player(
    hub: &Hub,
    name: String,
    tag: Option<String>,
    zone: Option<&str>,
) -> Result<Reply, Trouble> {
    let zone = zone_named(hub, zone)?;
    let added = hub.add_player(name, tag, Some(zone)).await;
    let added = added.map_err(|error| Trouble::harmless(error, "No player was added."))?;
    Ok(Reply::Player { name: added.player.name, token: added.token })
}

async fn player_token(hub: &Hub, name: &str) -> Result<Reply, Trouble> {
    let renewed = hub.renew_player_token(name).await;
    let renewed = renewed.map_err(|error| Trouble::harmless(error, "The token before is still good."))?;
    Ok(Reply::Renewed { name: renewed.player.name, token: renewed.token })
}

async fn manager_token(hub: &Hub) -> Result<Reply, Trouble> {
    let minted = hub.mint_manager_token().await;
    let token = minted.map_err(|error| Trouble::harmless(error, "The token before is still good."))?;
    Ok(Reply::Manager { token })
}

async fn manager_pin(hub: &Hub, pin: &Typed) -> Result<Reply, Trouble> {
    let set = hub.set_pin(&pin.0).await;
    set.map_err(|error| Trouble::harmless(error, "What was the PIN before is still the PIN."))?;
    let said = "The manager's PIN is set. Whoever was signed in by the one before has to sign in again.";
    Ok(Reply::Done(said.to_owned()))
}

fn poster(hub: &Hub, place: &Place, zone: Option<&str>, printed: bool) -> Result<Poster, Trouble> {
    let zone = zone_named(hub, zone)?;
    let code =
        hub.room_code(zone).map_err(|error| Trouble::harmless(error, "Name one of the venue's zones."))?;
    if printed {
        upkeep::note_printed(&place.data, &place.to_print().to_string()).map_err(|error| {
            Trouble::harmless(
                format!("the address on the poster could not be noted: {error}"),
                "Look whether the hub's disk is full.",
            )
        })?;
    }
    Ok(poster_of(hub, place, zone, &code))
}

/// What the poster and the screen of a zone show. Where the venue has more zones than one, the address names this one.
pub fn poster_of(hub: &Hub, place: &Place, zone: ZoneId, code: &RoomCode) -> Poster {
    let address = place.to_print();
    let of_zone = if zone == hub.main_zone() { String::new() } else { format!("&zone={}", zone.to_global()) };
    let shown = format!("{}{of_zone}", code.for_screens());
    Poster {
        venue: hub.venue().name.clone(),
        url: qr::page_url(address, &shown),
        local_url: format!("http://{}:{}/#code={shown}", discovery::host_of(hub.id()), address.port()),
        code: code.poster.clone(),
        rotating_changes_in_s: code.rotating_changes_at.since(hub.now()).as_secs(),
        rotating: code.rotating.clone(),
    }
}

/// A zone by its name, in capitals or not; the main one where none is named.
pub fn zone_named(hub: &Hub, name: Option<&str>) -> Result<ZoneId, Trouble> {
    let Some(name) = name else { return Ok(hub.main_zone()) };
    let zones = hub.zones();
    let found = zones.iter().find(|zone| zone.name.eq_ignore_ascii_case(name));
    found.map(|zone| zone.id).ok_or_else(|| {
        let known: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
        Trouble::harmless(
            format!("this venue has no zone {name:?}"),
            format!("It has: {}. Zones are made by a section [zones.NAME] of hub.toml.", known.join(", ")),
        )
    })
}

/// A song in words.
fn title(facts: &SongFacts) -> String {
    facts.artist.as_ref().map_or(facts.title.clone(), |artist| format!("{} by {artist}", facts.title))
}

fn status(hub: &Hub, place: &Place) -> Status {
    let health = hub.health();
    let title = |zone: ZoneId| {
        let now = hub.now_playing(zone).ok()?.borrow().clone()?;
        Some(title(&now.pick.song.facts))
    };
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        venue: hub.venue().name.clone(),
        url: format!("http://{}/", place.to_print()),
        playing: hub.zones().iter().map(|zone| (zone.name.clone(), title(zone.id))).collect(),
        listeners: health.active_listeners,
        songs: (health.playable_songs, health.total_songs),
        players: (health.players_online, health.players),
        outbox: health.outbox,
        cloud: joining::standing(hub),
        complaints: complaints(&health).into_iter().chain(joining::complaints(hub)).collect(),
    }
}

/// What an operator should know, each with what to do about it.
fn complaints(health: &crate::hub::Health) -> Vec<String> {
    let known = [
        (health.total_songs == 0, "There is no music yet: run `roomtone-hub import DIR`."),
        (
            0 < health.total_songs && health.playable_songs == 0,
            "No song can be played: their files are missing. Import the folder again.",
        ),
        (health.players == 0, "There is no player yet: `roomtone-hub pair` lets one in."),
        (
            0 < health.players_silent,
            "A player is silent though it should play: see `roomtone-hub player list`, and its cable and volume.",
        ),
        (
            0 < health.players && health.players_online == 0,
            "No player is in reach: look whether they have power and network.",
        ),
        (
            health.read_only,
            "The disk takes no writes: votes are refused while the music goes on. Make room, or replace the disk.",
        ),
        (
            !health.clock_trusted,
            "The clock of this machine jumped. The hub keeps its own time meanwhile; check the machine's clock.",
        ),
    ];
    known.into_iter().filter(|(holds, _)| *holds).map(|(_, sentence)| sentence.to_owned()).collect()
}

async fn back_up(hub: &Hub, file: PathBuf) -> Result<Reply, Trouble> {
    let (store, to) = (hub.store().clone(), file.clone());
    let copied = tokio::task::spawn_blocking(move || store.backup_to(&to)).await;
    let failed = |error: &dyn std::fmt::Display| {
        Trouble::harmless(
            error,
            "There is no copy. Choose a file on a disk with room that the hub may write.",
        )
    };
    copied.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    let bytes = size_of(&file).map_err(|error| failed(&error))?;
    Ok(Reply::BackedUp { file, bytes })
}

fn size_of(file: &Path) -> std::io::Result<u64> {
    Ok(std::fs::metadata(file)?.len())
}
