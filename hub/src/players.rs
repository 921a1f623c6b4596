//! The players, and what the hub holds of each: its record, what it shows, what it plays, the line on which it takes
//! orders.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use roomtone_schema::play::{Play, Tier};
use roomtone_schema::player::{Player, PlayerHealth, PlayerMode, PlayerStatus};
use roomtone_schema::{PickId, PlayId, PlayerId, UnixMillis, ZoneId};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::hub::Inner;
use crate::locks::locked;
use crate::room::Upcoming;
use crate::secrets::{Hash, Key};
use crate::store::players::Kept;
use crate::view::{PlayerCommand, PlayerCommandKind};

mod joining;
mod keys;

pub(crate) use joining::usable;
pub use joining::{AddPlayerError, AddedPlayer, ChangePlayerError};
pub use keys::RenewTokenError;

/// So many orders wait for a player that reads slowly; then its orders end, and it asks again for what holds.
const ORDERS_KEPT: usize = 16;

/// So many plans are remembered of those that a player was given: it may have begun a song of one before it had the
/// next.
const PLANS_KEPT: usize = 3;

/// So many plays that have ended are remembered of each player, so that a late word about one changes nothing.
const CLOSED_KEPT: usize = 16;

/// Longest name of a player.
const LONGEST_NAME: usize = 60;

impl Inner {
    /// How every player is, by name.
    pub(crate) fn player_states(&self) -> Vec<PlayerState> {
        let mut states: Vec<PlayerState> = locked(&self.players).all().map(Known::state).collect();
        states.sort_by(|a, b| a.player.name.cmp(&b.player.name));
        states
    }
}

/// How a secret came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over plain HTTP: whoever can read the network has read it, so a paired player's opens nothing.
    Plain,
    /// Over TLS.
    Tls,
}

/// A player as whoever runs the venue sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerState {
    /// Its record.
    pub player: Player,
    /// Where its music comes from.
    pub tier: Tier,
    /// What it said of itself last.
    pub health: Option<PlayerHealth>,
    /// The number of the cloud's newest word on its volume that was followed.
    pub volume_order: i64,
}

impl PlayerState {
    /// Whether it is heard of.
    pub fn is_online(&self) -> bool {
        self.player.status != PlayerStatus::Offline
    }

    /// Whether nothing is heard from it though something should be.
    pub fn is_silent(&self) -> bool {
        let should_play = self.is_online() && self.player.mode == PlayerMode::Playing;
        should_play && self.health.as_ref().is_some_and(|health| health.silent)
    }
}

/// All players.
#[derive(Debug, Default)]
pub(crate) struct Players(BTreeMap<PlayerId, Known>);

/// A player.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) player: Player,
    key: Key,
    /// The secret that will count alone once it was shown.
    next: Option<Key>,
    /// The song it plays.
    pub(crate) play: Option<Play>,
    /// When its last sign of life was written down.
    pub(crate) saved_at: Option<UnixMillis>,
    /// Where its music comes from, as it said last.
    pub(crate) tier: Tier,
    /// What it said of itself last.
    pub(crate) health: Option<PlayerHealth>,
    /// The number of the cloud's newest word on its volume that was followed.
    pub(crate) volume_order: i64,
    /// Plays that it has told the end of.
    closed: VecDeque<PlayId>,
    /// The plans that it was given, the newest first.
    plans: VecDeque<Vec<Upcoming>>,
    orders: broadcast::Sender<PlayerCommand>,
    given: u64,
}

impl Known {
    fn state(&self) -> PlayerState {
        PlayerState {
            player: self.player.clone(),
            tier: self.tier,
            health: self.health.clone(),
            volume_order: self.volume_order,
        }
    }

    /// Gives an order to whoever listens; nobody need.
    pub(crate) fn order(&mut self, kind: PlayerCommandKind, order: impl FnOnce(&mut PlayerCommand)) {
        let mut command = self.command(kind);
        order(&mut command);
        // An error means that nobody listens: a terminal that polls.
        let _nobody = self.orders.send(command);
    }

    /// Notes how loud it is to be, and orders it so.
    pub(crate) fn turn_to(&mut self, volume: f32) {
        self.player.volume = volume;
        self.order(PlayerCommandKind::Volume, |order| order.volume = Some(volume));
    }

    fn command(&mut self, kind: PlayerCommandKind) -> PlayerCommand {
        self.given += 1;
        PlayerCommand { id: self.given, kind, volume: None, pick: None }
    }

    /// What holds now, in the form of orders, and then each order; nothing comes in between.
    pub(crate) fn listen(&mut self) -> ([PlayerCommand; 2], broadcast::Receiver<PlayerCommand>) {
        let volume =
            PlayerCommand { volume: Some(self.player.volume), ..self.command(PlayerCommandKind::Volume) };
        let mode = self.command(match self.player.mode {
            PlayerMode::Playing => PlayerCommandKind::Resume,
            PlayerMode::Paused => PlayerCommandKind::Pause,
            PlayerMode::Stopped => PlayerCommandKind::Stop,
        });
        ([volume, mode], self.orders.subscribe())
    }

    /// Notes that a play has ended, in the player's own words.
    pub(crate) fn close(&mut self, play: PlayId) {
        if self.play.as_ref().is_some_and(|open| open.id == play) {
            self.play = None;
            self.player.current_song = None;
        }
        if !self.closed.contains(&play) {
            self.closed.push_front(play);
            self.closed.truncate(CLOSED_KEPT);
        }
    }

    /// Whether the player has told the end of a play.
    pub(crate) fn has_closed(&self, play: PlayId) -> bool {
        self.closed.contains(&play)
    }

    /// Remembers a plan that the player is given.
    pub(crate) fn remember_plan(&mut self, plan: Vec<Upcoming>) {
        self.plans.push_front(plan);
        self.plans.truncate(PLANS_KEPT);
    }

    /// A song of a plan that the player was given.
    pub(crate) fn planned(&self, pick: PickId) -> Option<&Upcoming> {
        self.plans.iter().flatten().find(|upcoming| upcoming.view.id == pick)
    }
}

impl Players {
    pub(crate) fn put(&mut self, kept: Kept, play: Option<Play>) {
        let Kept { player, token, next, volume_order } = kept;
        let known = Known {
            saved_at: player.last_seen_at,
            key: Key::new(token),
            next: next.map(Key::new),
            play,
            tier: Tier::Hub,
            health: None,
            volume_order,
            closed: VecDeque::new(),
            plans: VecDeque::new(),
            orders: broadcast::Sender::new(ORDERS_KEPT),
            given: 0,
            player,
        };
        self.0.insert(known.player.id, known);
    }

    /// Takes a player out, and its keys with it.
    pub(crate) fn take(&mut self, player: PlayerId) -> Option<Known> {
        self.0.remove(&player)
    }

    /// Puts a player back as it was.
    pub(crate) fn put_back(&mut self, known: Known) {
        self.0.entry(known.player.id).or_insert(known);
    }

    pub(crate) fn by_name(&self, name: &str) -> Option<&Known> {
        self.0.values().find(|known| known.player.name == name)
    }

    /// The name, with the first number behind it that makes it nobody else's.
    fn free_name(&self, wished: &str) -> String {
        let is_free = |name: &String| self.by_name(name).is_none();
        let numbered = (2_u32..).map(|number| {
            let number = format!(" {number}");
            let room = LONGEST_NAME - number.len();
            let cut: String = wished.chars().take(room).collect();
            format!("{}{number}", cut.trim_end())
        });
        std::iter::once(wished.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }

    pub(crate) fn get(&self, player: PlayerId) -> Option<&Known> {
        self.0.get(&player)
    }

    pub(crate) fn get_mut(&mut self, player: PlayerId) -> Option<&mut Known> {
        self.0.get_mut(&player)
    }

    /// The player that this token belongs to, and whether it is one that is shown for the first time.
    pub(crate) fn by_token(&self, token: &Hash, way: Way) -> Option<(PlayerId, bool)> {
        self.opened_by(token, way).map(|(known, key)| (known.player.id, key.hash != known.key.hash))
    }

    /// What is cancelled when a token opens nothing any more.
    pub(crate) fn lease(&self, token: &Hash, way: Way) -> Option<CancellationToken> {
        self.opened_by(token, way).map(|(_, key)| key.void.clone())
    }

    fn opened_by(&self, token: &Hash, way: Way) -> Option<(&Known, &Key)> {
        // Hashes of 256 random bits: comparing them tells nothing about the token.
        let may_come = self.0.values().filter(|known| way == Way::Tls || !known.player.paired);
        let mut all = may_come.flat_map(|known| {
            let keys = [Some(&known.key), known.next.as_ref()].into_iter().flatten();
            keys.map(move |key| (known, key))
        });
        all.find(|(_, key)| key.hash == *token)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Known> {
        self.0.values()
    }

    pub(crate) fn of_zone(&mut self, zone: ZoneId) -> impl Iterator<Item = &mut Known> {
        self.0.values_mut().filter(move |known| known.player.zone == zone)
    }

    /// Marks as offline whoever has not been heard of for so long; true where that is news.
    pub(crate) fn miss(&mut self, silent_for: Duration, now: UnixMillis) -> bool {
        let mut news = false;
        for known in self.0.values_mut().filter(|known| known.player.status != PlayerStatus::Offline) {
            if known.player.last_seen_at.is_none_or(|at| now.since(at) >= silent_for) {
                known.player.status = PlayerStatus::Offline;
                news = true;
            }
        }
        news
    }

    /// How many were heard of lately, and how many there are.
    pub(crate) fn count(&self) -> (u64, u64) {
        let online = self.0.values().filter(|known| known.player.status != PlayerStatus::Offline).count();
        (online as u64, self.0.len() as u64)
    }
}
