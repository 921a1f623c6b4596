//! The players: adding one, and what the hub holds of each: its record, what it plays, the line on which it takes
//! orders.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use roomtone_schema::play::{Play, PlayEnd, Tier};
use roomtone_schema::player::{Player, PlayerHealth, PlayerMode, PlayerStatus};
use roomtone_schema::{FactId, PickId, PlayId, PlayerId, UnixMillis, ZoneId};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::hub::Inner;
use crate::locks::locked;
use crate::refusal::{Refusal, RefusalCode};
use crate::room::Upcoming;
use crate::secrets::{Hash, Key, new_id, new_token};
use crate::store::players::{self, Kept};
use crate::store::{StoreError, Tx, plays};
use crate::view::{PlayerCommand, PlayerCommandKind};

/// So many orders wait for a player that reads slowly; then it loses the oldest. State follows in its next claim.
const ORDERS_KEPT: usize = 16;

/// So many plans are remembered of those that a player was given: it may have begun a song of one before it had the
/// next.
const PLANS_KEPT: usize = 3;

/// So many plays that have ended are remembered of each player, so that a late word about one changes nothing.
const CLOSED_KEPT: usize = 16;

/// Longest name of a player.
const LONGEST_NAME: usize = 60;

/// A new player and the secret it shows from now on.
#[derive(Debug, Clone)]
pub struct AddedPlayer {
    /// Its record.
    pub player: Player,
    /// Shown this once.
    pub token: String,
}

/// Why a player was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddPlayerError {
    /// Empty, too long, or with control characters.
    #[error("a player's name has 1 to 60 characters, all of them printable")]
    BadName,
    /// Another player has this name.
    #[error("another player has this name already; choose one that tells them apart")]
    NameTaken,
    /// Another player has this tag.
    #[error("another player has this tag already; give each its own")]
    TagTaken,
    /// There is no such zone.
    #[error("this venue has no such zone")]
    UnknownZone,
    /// Ours.
    #[error("the player could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Refusal for AddPlayerError {
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::BadName => Some(RefusalCode::Invalid),
            Self::NameTaken | Self::TagTaken => Some(RefusalCode::Conflict),
            Self::UnknownZone => Some(RefusalCode::NotFound),
            Self::Store(_) => None,
        }
    }
}

/// Why a player was not taken out, or has no other name.
#[derive(Debug, thiserror::Error)]
pub enum ChangePlayerError {
    /// No player has this name.
    #[error("no player has this name")]
    Unknown,
    /// Empty, too long, or with control characters.
    #[error("a player's name has 1 to 60 characters, all of them printable")]
    BadName,
    /// Another player has this name.
    #[error("another player has this name already; choose one that tells them apart")]
    NameTaken,
    /// Ours.
    #[error("the player could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Inner {
    /// Adds a player; its token is shown this once.
    pub(crate) async fn add_player(
        &self,
        name: &str,
        tag: Option<String>,
        zone: Option<ZoneId>,
    ) -> Result<AddedPlayer, AddPlayerError> {
        let name = usable(name).ok_or(AddPlayerError::BadName)?;
        for known in locked(&self.players).all() {
            if known.player.name == name {
                return Err(AddPlayerError::NameTaken);
            }
            if tag.is_some() && known.player.tag == tag {
                return Err(AddPlayerError::TagTaken);
            }
        }
        self.keep_player(name, tag, zone, false).await
    }

    /// Lets a player in that has shown that it may: under the name that was meant for it, else under the one that it
    /// wishes, with a number where that is taken. A name that was meant and is there already gets another secret.
    pub(crate) async fn pair_player(
        &self,
        wished: &str,
        meant: Option<&str>,
        zone: Option<ZoneId>,
    ) -> Result<AddedPlayer, AddPlayerError> {
        let Some(meant) = meant else {
            let wished = usable(wished).ok_or(AddPlayerError::BadName)?;
            let name = locked(&self.players).free_name(wished);
            return self.keep_player(&name, None, zone, true).await;
        };
        let name = usable(meant).ok_or(AddPlayerError::BadName)?;
        let before = locked(&self.players).by_name(name).map(|known| known.player.clone());
        match before {
            None => self.keep_player(name, None, zone, true).await,
            Some(before) => self.pair_again(before, zone).await,
        }
    }

    async fn keep_player(
        &self,
        name: &str,
        tag: Option<String>,
        zone: Option<ZoneId>,
        paired: bool,
    ) -> Result<AddedPlayer, AddPlayerError> {
        let zone = zone.unwrap_or(self.zones[0].id);
        self.room(zone).ok_or(AddPlayerError::UnknownZone)?;
        let now = self.clock.now();
        let player = Player {
            id: new_id(now),
            name: name.to_owned(),
            tag,
            zone,
            status: PlayerStatus::Offline,
            current_song: None,
            last_seen_at: None,
            volume: 1.0,
            silence_ms: 0,
            created_at: now,
            paired,
            secret_made_at: paired.then_some(now),
            mode: PlayerMode::Playing,
        };
        let (token, hash) = new_token();
        let (op, stored): (FactId, Player) = (new_id(now), player.clone());
        self.store.write(move |tx| players::insert(tx, op, &stored, &hash)).await?;
        locked(&self.players).put(Kept { player: player.clone(), token: hash, next: None }, None);
        self.show_players();
        Ok(AddedPlayer { player, token })
    }

    async fn pair_again(&self, before: Player, zone: Option<ZoneId>) -> Result<AddedPlayer, AddPlayerError> {
        let zone = zone.unwrap_or(before.zone);
        self.room(zone).ok_or(AddPlayerError::UnknownZone)?;
        let now = self.clock.now();
        let player = Player { zone, paired: true, secret_made_at: Some(now), ..before };
        let (token, hash) = new_token();
        let (op, stored): (FactId, Player) = (new_id(now), player.clone());
        let work = move |tx: &Tx<'_>| {
            players::change(tx, op, &stored, now)?;
            players::renew_token(tx, stored.id, &hash)
        };
        self.store.write(work).await?;
        if let Some(known) = locked(&self.players).get_mut(player.id) {
            known.player = player.clone();
            (known.key, known.next) = (Key::new(hash), None);
        }
        self.show_players();
        Ok(AddedPlayer { player, token })
    }

    /// Takes a player out. Its secret opens nothing from then on, and whoever is connected with it is let go.
    pub(crate) async fn remove_player(&self, player: PlayerId) -> Result<Player, ChangePlayerError> {
        let found = locked(&self.players).get(player).map(|known| (known.player.clone(), known.play.clone()));
        let (player, play) = found.ok_or(ChangePlayerError::Unknown)?;
        let now = self.clock.now();
        let (op, op_ended): (FactId, FactId) = (new_id(now), new_id(now));
        let removed = player.clone();
        let work = move |tx: &Tx<'_>| {
            if let Some(play) = &play {
                plays::end(tx, op_ended, play.id, PlayEnd::Stopped, None, now)?;
            }
            players::remove(tx, op, &removed, now)
        };
        self.store.write(work).await?;
        locked(&self.players).take(player.id);
        self.show_players();
        Ok(player)
    }

    /// Gives a player another name.
    pub(crate) async fn rename_player(
        &self,
        player: PlayerId,
        name: &str,
    ) -> Result<Player, ChangePlayerError> {
        let name = usable(name).ok_or(ChangePlayerError::BadName)?.to_owned();
        let (renamed, is_taken) = {
            let players = locked(&self.players);
            let known = players.get(player).ok_or(ChangePlayerError::Unknown)?;
            let taken = players.by_name(&name).is_some_and(|other| other.player.id != player);
            (Player { name, ..known.player.clone() }, taken)
        };
        if is_taken {
            return Err(ChangePlayerError::NameTaken);
        }
        let now = self.clock.now();
        let (op, stored): (FactId, Player) = (new_id(now), renamed.clone());
        self.store.write(move |tx| players::change(tx, op, &stored, now)).await?;
        if let Some(known) = locked(&self.players).get_mut(player) {
            known.player.name.clone_from(&renamed.name);
        }
        self.show_players();
        Ok(renamed)
    }
}

/// A name as it is kept, where it can be one.
pub(crate) fn usable(name: &str) -> Option<&str> {
    let name = name.trim();
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    fits.then_some(name)
}

/// Why a player has no new token.
#[derive(Debug, thiserror::Error)]
pub enum RenewTokenError {
    /// No player has this name.
    #[error("no player has this name")]
    Unknown,
    /// Its secret is its own affair.
    #[error(
        "this player was paired and makes its secrets itself; pair it again with `roomtone-hub pair --as NAME`"
    )]
    Paired,
    /// Ours.
    #[error("the token could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Inner {
    /// Gives a terminal another token, shown this once. The one before opens nothing from then on, and whoever is
    /// connected with it is let go.
    pub(crate) async fn renew_player_token(&self, name: &str) -> Result<AddedPlayer, RenewTokenError> {
        let found = locked(&self.players).by_name(name.trim()).map(|known| known.player.clone());
        let player = found.ok_or(RenewTokenError::Unknown)?;
        if player.paired {
            return Err(RenewTokenError::Paired);
        }
        let id = player.id;
        let (token, hash) = new_token();
        if !self.store.write(move |tx| players::renew_token(tx, id, &hash)).await? {
            return Err(RenewTokenError::Unknown);
        }
        let mut players = locked(&self.players);
        let known = players.get_mut(id).ok_or(RenewTokenError::Unknown)?;
        known.key = Key::new(hash);
        Ok(AddedPlayer { player: known.player.clone(), token })
    }

    /// Another secret for a paired player, who shows the one that counts. Both count until the new one is first shown.
    pub(crate) async fn offer_secret(&self, player: PlayerId) -> Result<String, RenewTokenError> {
        let (token, hash) = new_token();
        if !self.store.write(move |tx| players::offer_token(tx, player, &hash)).await? {
            return Err(RenewTokenError::Unknown);
        }
        let mut players = locked(&self.players);
        players.get_mut(player).ok_or(RenewTokenError::Unknown)?.next = Some(Key::new(hash));
        Ok(token)
    }

    /// Which player shows this secret on this way. The first time that a new secret is shown makes it the only one.
    pub(crate) async fn player_showing(&self, token: &Hash, way: Way) -> Option<PlayerId> {
        let (player, is_new) = locked(&self.players).by_token(token, way)?;
        if is_new {
            self.take_offered_secret(player, *token).await;
        }
        Some(player)
    }

    async fn take_offered_secret(&self, player: PlayerId, token: Hash) {
        let now = self.clock.now();
        let written = self.store.write(move |tx| players::take_offered_token(tx, player, &token, now)).await;
        if let Err(error) = written {
            // Both go on counting, here and on the disk, until it can be written.
            tracing::warn!("a player's new secret could not be saved ({error}); its old one still counts");
            return;
        }
        if let Some(known) = locked(&self.players).get_mut(player)
            && known.next.as_ref().is_some_and(|next| next.hash == token)
            && let Some(next) = known.next.take()
        {
            known.key = next;
            known.player.secret_made_at = Some(now);
        }
    }

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
    /// Plays that it has told the end of.
    closed: VecDeque<PlayId>,
    /// The plans that it was given, the newest first.
    plans: VecDeque<Vec<Upcoming>>,
    orders: broadcast::Sender<PlayerCommand>,
    given: u64,
}

impl Known {
    fn state(&self) -> PlayerState {
        PlayerState { player: self.player.clone(), tier: self.tier, health: self.health.clone() }
    }

    /// Gives an order to whoever listens; nobody need.
    pub(crate) fn order(&mut self, kind: PlayerCommandKind, order: impl FnOnce(&mut PlayerCommand)) {
        let mut command = self.command(kind);
        order(&mut command);
        // An error means that nobody listens: a terminal that polls.
        let _nobody = self.orders.send(command);
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
        let Kept { player, token, next } = kept;
        let known = Known {
            saved_at: player.last_seen_at,
            key: Key::new(token),
            next: next.map(Key::new),
            play,
            tier: Tier::Hub,
            health: None,
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
