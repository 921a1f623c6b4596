//! How players come, go and change: added, paired, renamed, taken out.

use std::fmt;
use std::sync::Arc;

use roomtone_schema::play::PlayEnd;
use roomtone_schema::player::{Player, PlayerMode, PlayerStatus};
use roomtone_schema::{FactId, PlayerId, ZoneId};
use roomtone_sync::trouble::is_odd;

use super::{Known, LONGEST_NAME};
use crate::hub::Inner;
use crate::locks::locked;
use crate::refusal::{Refusal, RefusalCode};
use crate::secrets::{Key, new_id, new_token};
use crate::store::players::{self, Kept};
use crate::store::{StoreError, Tx, plays};
use crate::view::PlayerCommandKind;

/// A new player and the secret it shows from now on.
#[derive(Clone)]
pub struct AddedPlayer {
    /// Its record.
    pub player: Player,
    /// Shown this once.
    pub token: String,
}

impl fmt::Debug for AddedPlayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddedPlayer").field("player", &self.player).finish_non_exhaustive()
    }
}

/// Why a player was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddPlayerError {
    /// Empty, too long, or with characters that are not shown.
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
    /// Empty, too long, or with characters that are not shown.
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
        let zone = zone.unwrap_or(self.main_zone());
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
        locked(&self.players)
            .put(Kept { player: player.clone(), token: hash, next: None, volume_order: 0 }, None);
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
        let _alone = self.changing_secrets.lock().await;
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
    pub(crate) async fn remove_player(
        self: &Arc<Self>,
        player: PlayerId,
    ) -> Result<Player, ChangePlayerError> {
        // Here first: whatever becomes of whoever asked, from now on its secret opens nothing.
        let known = locked(&self.players).take(player).ok_or(ChangePlayerError::Unknown)?;
        self.show_players();
        let inner = Arc::clone(self);
        self.whole(async move { inner.forget(known).await }).await
    }

    /// Forgets a player that is no longer among the others; where it cannot be forgotten it is one of them again.
    async fn forget(&self, known: Known) -> Result<Player, ChangePlayerError> {
        let _alone = self.changing_secrets.lock().await;
        let now = self.clock.now();
        let (op, op_ended): (FactId, FactId) = (new_id(now), new_id(now));
        let (player, play) = (known.player.clone(), known.play.clone());
        let removed = player.clone();
        let work = move |tx: &Tx<'_>| {
            if let Some(play) = &play {
                plays::end(tx, op_ended, play.id, PlayEnd::Stopped, None, now)?;
            }
            players::remove(tx, op, &removed, now)
        };
        if let Err(error) = self.store.write(work).await {
            locked(&self.players).put_back(known);
            self.show_players();
            return Err(error.into());
        }
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

    /// Puts a player into another zone. What it sounds it plays to its end; the next song is that zone's.
    pub(crate) async fn move_player(
        &self,
        player: PlayerId,
        zone: ZoneId,
    ) -> Result<Player, ChangePlayerError> {
        let before = locked(&self.players).get(player).map(|known| known.player.clone());
        let moved = Player { zone, ..before.ok_or(ChangePlayerError::Unknown)? };
        let now = self.clock.now();
        let (op, stored): (FactId, Player) = (new_id(now), moved.clone());
        self.store.write(move |tx| players::change(tx, op, &stored, now)).await?;
        if let Some(known) = locked(&self.players).get_mut(player) {
            known.player.zone = zone;
            known.order(PlayerCommandKind::PlanChanged, |_| {});
        }
        self.show_players();
        Ok(moved)
    }
}

/// A name as it is kept, where it can be one.
pub(crate) fn usable(name: &str) -> Option<&str> {
    let name = name.trim();
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count()) && !name.chars().any(is_odd);
    fits.then_some(name)
}
