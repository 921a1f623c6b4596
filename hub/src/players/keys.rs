//! The secrets of players: another token for a terminal, and for a paired player another secret beside the one that
//! counts, until it is shown.

use roomtone_schema::PlayerId;

use super::{AddedPlayer, Way};
use crate::hub::Inner;
use crate::locks::locked;
use crate::secrets::{Hash, Key, new_token};
use crate::store::{StoreError, players};

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
}
