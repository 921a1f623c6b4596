//! What came down, in the room: songs on the shelf, tastes of those who are here, players.

use std::sync::Arc;

use roomtone_schema::player::Player;
use roomtone_schema::{PlayerId, SongId, UnixMillis, ZoneId};
use roomtone_sync::wire::{PlayerNews, VolumeOrder};

use crate::hub::Inner;
use crate::locks::locked;
use crate::store::down_rows::{self, Changed};
use crate::store::players::share_of;
use crate::store::tastes::Shown;
use crate::store::{StoreError, hub_state};

/// So many songs are read back in one question.
const READ_AT_ONCE: usize = 2_000;

impl Inner {
    /// Brings what has changed in the database into the room. The shelf is built once, when all of it is there: the
    /// recommender never sees half a catalogue.
    pub(crate) async fn bring_in(self: &Arc<Self>, changed: Changed) -> Result<(), StoreError> {
        if 0 < changed.unknown {
            tracing::info!(
                "the cloud told {} rows that this version does not know; a newer roomtone-hub will ask for them",
                changed.unknown
            );
        }
        let has_songs = !changed.songs.is_empty();
        self.bring_in_songs(changed.songs).await?;
        if has_songs {
            self.bring_in_waiting_votes().await?;
        }
        self.bring_in_tastes(&changed.tastes);
        self.bring_in_guests(changed.guests).await?;
        for (player, news) in changed.players {
            self.bring_in_player(player, news).await;
        }
        for (player, order) in changed.volumes {
            self.bring_in_volume(player, order);
        }
        if changed.venue {
            self.take_settings().await?;
        }
        if changed.pairings {
            self.pairings_came.send_replace(());
        }
        Ok(())
    }

    async fn bring_in_songs(self: &Arc<Self>, mut songs: Vec<SongId>) -> Result<(), StoreError> {
        if songs.is_empty() {
            return Ok(());
        }
        songs.sort_unstable();
        songs.dedup();
        // What is read now is not overtaken by what is withdrawn or imported meanwhile.
        let _turn = self.cataloguing.lock().await;
        let inner = Arc::clone(self);
        let read = move || {
            let mut found = Vec::with_capacity(songs.len());
            for some in songs.chunks(READ_AT_ONCE) {
                let some = some.to_vec();
                found.extend(inner.store.read_blocking(move |conn| down_rows::songs_of(conn, &some))?);
            }
            inner.library.take_in(found);
            inner.mark_library_stale();
            inner.songs_came.notify_one();
            Ok(())
        };
        tokio::task::spawn_blocking(read).await.unwrap_or(Err(StoreError::Panicked))
    }

    /// A vote that was written after the news has the news in its own outcome already.
    fn bring_in_tastes(&self, tastes: &[Shown]) {
        let mut people = locked(&self.people);
        for shown in tastes {
            if let Some(listener) = people.listener_mut(shown.listener)
                && listener.newest <= shown.newest
            {
                listener.state = shown.state;
            }
        }
        drop(people);
        if !tastes.is_empty() {
            self.rooms.iter().for_each(|room| self.stir(room));
        }
    }

    async fn bring_in_player(self: &Arc<Self>, player: PlayerId, news: PlayerNews) {
        let known = locked(&self.players).get(player).map(|known| known.player.clone());
        let Some(Player { name, zone: stands, .. }) = known else { return };
        // A zone that this hub does not have is for another start of it.
        let zone =
            self.rooms.iter().map(|room| &room.zone).find(|zone| Some(&zone.name) == news.zone.as_ref());
        if let Some(zone) = zone.filter(|zone| zone.id != stands && !news.revoked) {
            match self.move_player(player, zone.id).await {
                Ok(_) => tracing::info!("{name} stands in the zone {} now", zone.name),
                Err(error) => tracing::warn!("{name} could not be put into the zone {}: {error}", zone.name),
            }
        }
        let done = if news.revoked {
            self.remove_player(player).await.map(|_| format!("{name} was sent away by a manager"))
        } else if news.name != name {
            self.rename_player(player, &news.name)
                .await
                .map(|_| format!("{name} is called {} now", news.name))
        } else {
            return;
        };
        match done {
            Ok(done) => tracing::info!("{done}"),
            Err(error) => {
                tracing::warn!("a manager's word on the player {name} could not be followed: {error}");
            }
        }
    }

    /// It is in the database already.
    fn bring_in_volume(&self, player: PlayerId, VolumeOrder { percent, number }: VolumeOrder) {
        {
            let mut players = locked(&self.players);
            let Some(known) = players.get_mut(player) else { return };
            known.volume_order = number;
            known.turn_to(share_of(percent));
            tracing::info!("{} is turned to {percent} % by a manager", known.player.name);
        }
        self.show_players();
        self.news.notify_one();
    }

    /// Songs that this venue's zones have heard, by what the cloud remembers.
    pub(crate) fn remember_heard(&self, heard: Vec<(ZoneId, SongId, UnixMillis)>) {
        for (zone, song, at) in heard {
            if let Some(room) = self.room(zone) {
                let mut stage = locked(&room.stage);
                let known = stage.played.entry(song).or_insert(at);
                *known = at.max(*known);
            }
        }
        self.mark_library_stale();
    }

    /// Reads `most` rows again and compares them with what came; how many are damaged, and whether a round is done.
    pub(crate) async fn scrub(&self, most: u32) -> Result<(u64, bool), StoreError> {
        let found = self.store.read(move |conn| down_rows::scrub(conn, most)).await?;
        let (damaged, done) = (found.damaged.len() as u64, found.next.is_none());
        if 0 < damaged {
            tracing::warn!(
                "{damaged} rows from the cloud are not what came; they are fetched again. Look after the hub's disk"
            );
        }
        let now = self.clock.now();
        self.store
            .write(move |tx| {
                found.note(tx)?;
                if done { hub_state::put(tx, hub_state::SCRUBBED, now.0) } else { Ok(()) }
            })
            .await?;
        Ok((damaged, done))
    }
}
