//! The players: adding one, and what the hub holds of each: its record, what it plays, the line on which it takes
//! orders.

use std::collections::BTreeMap;
use std::time::Duration;

use roomtone_schema::play::Play;
use roomtone_schema::player::{Player, PlayerStatus};
use roomtone_schema::{FactId, PlayerId, UnixMillis, ZoneId};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::hub::Inner;
use crate::locks::locked;
use crate::refusal::{Refusal, RefusalCode};
use crate::secrets::{Hash, Key, new_id, new_token};
use crate::store::{StoreError, players};
use crate::view::{PlayerCommand, PlayerCommandKind};

/// So many orders wait for a player that reads slowly; then it loses the oldest. State follows in its next claim.
const ORDERS_KEPT: usize = 16;

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

impl Inner {
    /// Adds a player; its token is shown this once.
    pub(crate) async fn add_player(
        &self,
        name: &str,
        tag: Option<String>,
        zone: Option<ZoneId>,
    ) -> Result<AddedPlayer, AddPlayerError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Err(AddPlayerError::BadName);
        }
        let zone = zone.unwrap_or(self.zones[0].id);
        self.room(zone).ok_or(AddPlayerError::UnknownZone)?;
        for known in locked(&self.players).all() {
            if known.player.name == name {
                return Err(AddPlayerError::NameTaken);
            }
            if tag.is_some() && known.player.tag == tag {
                return Err(AddPlayerError::TagTaken);
            }
        }
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
        };
        let (token, hash) = new_token();
        let (op, stored): (FactId, Player) = (new_id(now), player.clone());
        self.store.write(move |tx| players::insert(tx, op, &stored, &hash)).await?;
        locked(&self.players).put(player.clone(), hash, None);
        self.show_players();
        Ok(AddedPlayer { player, token })
    }
}

/// Why a player has no new token.
#[derive(Debug, thiserror::Error)]
pub enum RenewTokenError {
    /// No player has this name.
    #[error("no player has this name")]
    Unknown,
    /// Ours.
    #[error("the token could not be saved: {0}")]
    Store(#[from] StoreError),
}

impl Inner {
    /// Gives a player another token, shown this once. The one before opens nothing from then on, and whoever is
    /// connected with it is let go.
    pub(crate) async fn renew_player_token(&self, name: &str) -> Result<AddedPlayer, RenewTokenError> {
        let found = locked(&self.players).all().find(|known| known.player.name == name.trim()).map(Known::id);
        let id = found.ok_or(RenewTokenError::Unknown)?;
        let (token, hash) = new_token();
        if !self.store.write(move |tx| players::renew_token(tx, id, &hash)).await? {
            return Err(RenewTokenError::Unknown);
        }
        let mut players = locked(&self.players);
        let known = players.get_mut(id).ok_or(RenewTokenError::Unknown)?;
        known.key = Key::new(hash);
        Ok(AddedPlayer { player: known.player.clone(), token })
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
    /// The song it plays.
    pub(crate) play: Option<Play>,
    /// When its last sign of life was written down.
    pub(crate) saved_at: Option<UnixMillis>,
    orders: broadcast::Sender<PlayerCommand>,
    given: u64,
}

impl Known {
    fn id(&self) -> PlayerId {
        self.player.id
    }

    /// Gives an order to whoever listens; nobody need.
    pub(crate) fn order(&mut self, kind: PlayerCommandKind, order: impl FnOnce(&mut PlayerCommand)) {
        self.given += 1;
        let mut command = PlayerCommand { id: self.given, kind, volume: None, pick: None };
        order(&mut command);
        // An error means that nobody listens: a terminal that polls.
        let _nobody = self.orders.send(command);
    }
}

impl Players {
    pub(crate) fn put(&mut self, player: Player, token: Hash, play: Option<Play>) {
        let saved_at = player.last_seen_at;
        let orders = broadcast::Sender::new(ORDERS_KEPT);
        self.0.insert(player.id, Known { player, key: Key::new(token), play, saved_at, orders, given: 0 });
    }

    pub(crate) fn get(&self, player: PlayerId) -> Option<&Known> {
        self.0.get(&player)
    }

    pub(crate) fn get_mut(&mut self, player: PlayerId) -> Option<&mut Known> {
        self.0.get_mut(&player)
    }

    pub(crate) fn by_token(&self, token: &Hash) -> Option<PlayerId> {
        // Hashes of 256 random bits: comparing them tells nothing about the token.
        self.0.values().find(|known| known.key.hash == *token).map(|known| known.player.id)
    }

    /// What is cancelled when a token opens nothing any more.
    pub(crate) fn lease(&self, token: &Hash) -> Option<CancellationToken> {
        self.0.values().find(|known| known.key.hash == *token).map(|known| known.key.void.clone())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Known> {
        self.0.values()
    }

    pub(crate) fn of_zone(&mut self, zone: ZoneId) -> impl Iterator<Item = &mut Known> {
        self.0.values_mut().filter(move |known| known.player.zone == zone)
    }

    pub(crate) fn listen(&self, player: PlayerId) -> Option<broadcast::Receiver<PlayerCommand>> {
        self.0.get(&player).map(|known| known.orders.subscribe())
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
