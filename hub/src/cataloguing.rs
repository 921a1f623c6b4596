//! Songs join and leave the catalogue while music plays.

use std::sync::Arc;

use roomtone_schema::song::{Song, SongFacts, SongStatus};
use roomtone_schema::{FactId, SongId};

use crate::hub::{Added, Inner};
use crate::secrets::new_id;
use crate::store::{StoreError, Tx, songs};

impl Inner {
    /// Takes a song into the catalogue, unless the same file is there already.
    pub(crate) async fn add_song(&self, facts: SongFacts) -> Result<Added, StoreError> {
        let now = self.clock.now();
        let op: FactId = new_id(now);
        let song = Song { id: new_id(now), status: SongStatus::Ready, facts, created_at: now };
        let work = move |tx: &Tx<'_>| {
            let Some(known) = songs::by_sha256(tx, song.facts.sha256)? else {
                let row = songs::insert(tx, op, &song)?;
                return Ok((Added::New(song.id), row, song.clone()));
            };
            let (row, known) = (known.row, known.song);
            let restored = songs::bring_back(tx, op, &known, now)?;
            let added = if restored { Added::Restored(known.id) } else { Added::Known(known.id) };
            let status = if restored { SongStatus::Ready } else { known.status };
            Ok((added, row, Song { status, ..known }))
        };
        let _turn = self.cataloguing.lock().await;
        let (added, row, song) = self.store.write(work).await?;
        self.library.put(row, song);
        self.mark_library_stale();
        Ok(added)
    }

    /// Takes a song out of the catalogue. What plays is played to its end.
    pub(crate) async fn withdraw_song(self: &Arc<Self>, song: SongId) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let op: FactId = new_id(now);
        let _turn = self.cataloguing.lock().await;
        let withdrawn = self.store.write(move |tx| songs::withdraw(tx, op, song, now)).await?;
        if withdrawn {
            self.library.withdraw(song);
            self.mark_library_stale();
        }
        Ok(withdrawn)
    }
}
