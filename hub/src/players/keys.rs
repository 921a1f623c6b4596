//! The secrets of players: another token for a terminal, and for a paired player another secret beside the one that
//! counts, until it is shown.

use std::sync::Arc;

use roomtone_schema::PlayerId;

use super::{AddedPlayer, Known, Way};
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
    pub(crate) async fn renew_player_token(
        self: &Arc<Self>,
        name: &str,
    ) -> Result<AddedPlayer, RenewTokenError> {
        let found = locked(&self.players).by_name(name.trim()).map(|known| known.player.clone());
        let player = found.ok_or(RenewTokenError::Unknown)?;
        if player.paired {
            return Err(RenewTokenError::Paired);
        }
        let (inner, id) = (Arc::clone(self), player.id);
        self.whole(async move { inner.replace_token(id).await }).await
    }

    async fn replace_token(&self, id: PlayerId) -> Result<AddedPlayer, RenewTokenError> {
        let _alone = self.changing_secrets.lock().await;
        let (token, hash) = new_token();
        if !self.store.write(move |tx| players::renew_token(tx, id, &hash)).await? {
            return Err(RenewTokenError::Unknown);
        }
        let mut players = locked(&self.players);
        let known = players.get_mut(id).ok_or(RenewTokenError::Unknown)?;
        (known.key, known.next) = (Key::new(hash), None);
        Ok(AddedPlayer { player: known.player.clone(), token })
    }

    /// Another secret for a paired player, who shows the one that counts. Both count until the new one is first shown.
    /// `None` where what it shows counts no longer.
    pub(crate) async fn offer_secret(
        self: &Arc<Self>,
        player: PlayerId,
        shown: Hash,
    ) -> Result<Option<String>, StoreError> {
        let inner = Arc::clone(self);
        self.whole(async move { inner.keep_offered_secret(player, shown).await }).await
    }

    async fn keep_offered_secret(&self, player: PlayerId, shown: Hash) -> Result<Option<String>, StoreError> {
        let _alone = self.changing_secrets.lock().await;
        let (token, hash) = new_token();
        if !self.store.write(move |tx| players::offer_token(tx, player, &shown, &hash)).await? {
            return Ok(None);
        }
        let mut players = locked(&self.players);
        let Some(known) = players.get_mut(player).filter(|known| known.key.hash == shown) else {
            return Ok(None);
        };
        known.next = Some(Key::new(hash));
        Ok(Some(token))
    }

    /// Which player shows this secret on this way. The first time that a new secret is shown makes it the only one.
    pub(crate) async fn player_showing(self: &Arc<Self>, token: &Hash, way: Way) -> Option<PlayerId> {
        let (player, is_new) = locked(&self.players).by_token(token, way)?;
        if !is_new {
            return Some(player);
        }
        let (inner, shown) = (Arc::clone(self), *token);
        self.whole(async move { inner.take_offered_secret(player, shown).await }).await;
        // It may have become void meanwhile.
        locked(&self.players).by_token(token, way).map(|(player, _)| player)
    }

    async fn take_offered_secret(&self, player: PlayerId, token: Hash) {
        let _alone = self.changing_secrets.lock().await;
        let is_offered = |known: &Known| known.next.as_ref().is_some_and(|next| next.hash == token);
        if !locked(&self.players).get(player).is_some_and(is_offered) {
            return;
        }
        let now = self.clock.now();
        let written = self.store.write(move |tx| players::take_offered_token(tx, player, &token, now)).await;
        let is_kept = match written {
            Ok(is_kept) => is_kept,
            Err(error) => {
                // Both go on counting, here and on the disk, until it can be written.
                tracing::warn!(
                    "a player's new secret could not be saved ({error}); its old one still counts"
                );
                return;
            }
        };
        let mut players = locked(&self.players);
        let Some(known) = players.get_mut(player).filter(|known| is_offered(known)) else { return };
        let next = known.next.take();
        // What the disk does not know as the one to follow counts no longer.
        if let Some(next) = next.filter(|_| is_kept) {
            known.key = next;
            known.player.secret_made_at = Some(now);
        }
    }
}
