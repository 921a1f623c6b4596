//! The hub's database as the engine of sync sees it.

use std::collections::HashSet;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use roomtone_schema::HubId;
use roomtone_schema::player::PlayerStatus;
use roomtone_sync::store::{HubStore, LinkState, LocalTrouble, Present};
use roomtone_sync::wire::{
    Apart, Cursor, Fact, HeardAnswer, PlayerTold, Row, Scope, Stamp, VolumeOrder, ZoneTold,
};
use roomtone_sync::wire::{decode, encode};
use tokio::task::JoinError;
use uuid::Uuid;

use super::SOFTWARE;
use crate::hub::{Hub, Inner};
use crate::players::PlayerState;
use crate::store::down_rows::{self, BITE, Changed, Here, Manner, Part, Ready, Unstaging};
use crate::store::{Store, StoreError, aliases, link, zone_plays};

/// So many plays are recalled in one transaction.
const RECALLED_AT_ONCE: usize = 500;

/// The database of an enrolled hub. What comes down is in the room as soon as it is in the database.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
    me: HubId,
}

impl SqliteStore {
    /// Of a hub that the cloud knows as `me`.
    pub fn new(hub: &Hub, me: HubId) -> Self {
        Self { inner: Arc::clone(&hub.0), me }
    }

    fn here(&self) -> Here {
        self.inner.here(self.me)
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Does work that blocks beside the runtime, and brings what it has changed into the room.
    async fn change(
        &self,
        work: impl FnOnce(&Store, Here) -> Result<Changed, StoreError> + Send + 'static,
    ) -> Result<(), LocalTrouble> {
        let (inner, here) = (Arc::clone(&self.inner), self.here());
        let change = async move {
            let store = inner.store.clone();
            let changed = tokio::task::spawn_blocking(move || work(&store, here)).await.map_err(died)??;
            inner.bring_in(changed).await?;
            Ok(())
        };
        self.inner.whole(change).await
    }

    async fn bites(&self, rows: Vec<Row>, manner: Manner) -> Result<(), LocalTrouble> {
        self.change(move |store, here| in_bites(store, here, manner, down_rows::make_ready(rows))).await
    }
}

impl From<StoreError> for LocalTrouble {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn died(error: JoinError) -> LocalTrouble {
    LocalTrouble(format!("the work on it ended early: {error}"))
}

/// Writes rows a bite at a time: votes go in between. The cursor moves with the last bite.
fn in_bites(store: &Store, here: Here, manner: Manner, rows: Vec<Ready>) -> Result<Changed, StoreError> {
    let rows = Arc::new(rows);
    let mut changed = Changed::default();
    let ends = (BITE..rows.len()).step_by(BITE).chain([rows.len()]);
    let mut begin = 0;
    for end in ends {
        let to = manner.to.filter(|_| end == rows.len());
        let written = bite(store, here, Manner { to, ..manner }, &rows, begin..end)?;
        if !written.done {
            break;
        }
        changed.and(written);
        begin = end;
    }
    Ok(changed)
}

fn bite(
    store: &Store,
    here: Here,
    manner: Manner,
    rows: &Arc<Vec<Ready>>,
    range: Range<usize>,
) -> Result<Changed, StoreError> {
    let rows = Arc::clone(rows);
    store.write_blocking(move |tx| down_rows::write(tx, here, &manner, &rows[range.clone()]))
}

/// The rows without their content.
fn keys_of(rows: &[Row]) -> Vec<Row> {
    rows.iter().map(|row| Row { kind: row.kind.clone(), body: None, ..*row }).collect()
}

/// Puts a part in place at once, where there is nothing else to play. It counts as collected behind its last bite: where it
/// is cut short, it is fetched and written again. The cursor stays where it was until the whole is there, so that nobody
/// takes this for all of it; what an earlier snapshot has left behind is overwritten here, or goes with the whole.
fn place(
    store: &Store,
    here: Here,
    scope: Scope,
    part: &Part,
    rows: Vec<Row>,
) -> Result<Changed, StoreError> {
    let manner = Manner { scope, over: true, from: None, to: None };
    let changed = in_bites(store, here, manner, down_rows::make_ready(rows))?;
    let part = part.clone();
    store.write_blocking(move |tx| down_rows::put_part(tx, scope, &part))?;
    Ok(changed)
}

/// Puts what was collected in place. Where it is cut short, the next start goes on with it before it reads anything.
pub(crate) fn put_in_place(store: &Store, here: Here, what: &Unstaging) -> Result<Changed, StoreError> {
    let begun = what.clone();
    store.write_blocking(move |tx| begun.begin(tx))?;
    let scope = what.scope;
    let manner = Manner { scope, over: what.whole, from: None, to: None };
    let (mut changed, mut collected, mut next) = (Changed::default(), HashSet::new(), 0);
    while let Some(part) = store.read_blocking(move |conn| down_rows::part(conn, scope, next))? {
        match decode::<Vec<Row>>(&part.rows) {
            Ok(rows) => {
                if what.whole {
                    collected.extend(rows.iter().map(|row| (row.kind.clone(), row.pk)));
                }
                if !part.placed {
                    changed.and(in_bites(store, here, manner, down_rows::make_ready(rows))?);
                }
            }
            // Digests tell which rows are missing.
            Err(error) => {
                tracing::warn!("a part of what the cloud sent cannot be read and is left out: {error}");
            }
        }
        next = part.number + 1;
    }
    if what.whole {
        let known = store.read_blocking(move |conn| down_rows::keys(conn, scope, &[], &[]))?;
        let gone = known.into_iter().filter(|key| !collected.contains(key)).map(down_rows::gone).collect();
        changed.and(in_bites(store, here, manner, gone)?);
    }
    let done = Manner { to: Some(what.to), ..manner };
    store.write_blocking(move |tx| {
        down_rows::write(tx, here, &done, &[])?;
        down_rows::clear_stage(tx, scope)
    })?;
    Ok(changed)
}

/// Puts rows in the place of all others in some buckets and of some kinds.
fn replace(
    store: &Store,
    here: Here,
    manner: Manner,
    (kinds, buckets): (Vec<String>, Vec<u8>),
    rows: Vec<Row>,
) -> Result<Changed, StoreError> {
    let scope = manner.scope;
    let known = store.read_blocking(move |conn| down_rows::keys(conn, scope, &kinds, &buckets))?;
    let come: HashSet<(&str, Uuid)> = rows.iter().map(|row| (row.kind.as_str(), row.pk)).collect();
    let is_gone = |(kind, pk): &(String, Uuid)| !come.contains(&(kind.as_str(), *pk));
    let gone: Vec<Ready> = known.into_iter().filter(is_gone).map(down_rows::gone).collect();
    let mut all = down_rows::make_ready(rows);
    all.extend(gone);
    in_bites(store, here, manner, all)
}

impl HubStore for SqliteStore {
    async fn state(&self) -> Result<LinkState, LocalTrouble> {
        let lies_at = lies_at(self.store().path());
        Ok(self.store().read(move |conn| link::state(conn, lies_at)).await?)
    }

    async fn present(&self) -> Result<Present, LocalTrouble> {
        let stamp = self.store().stamp();
        let mut zones = Vec::new();
        for room in &self.inner.rooms {
            let fares = self.inner.fares_told(room).await;
            zones.push(ZoneTold { id: room.zone.id, name: room.zone.name.clone(), fares });
        }
        Ok(Present {
            now: Stamp { boot: stamp.boot, mono_ms: stamp.mono_ms, wall_ms: stamp.wall_ms },
            steady_ms: self.inner.clock.now().0,
            software: SOFTWARE.to_owned(),
            zones,
            players: self.inner.player_states().into_iter().map(told).collect(),
            rooms: self.inner.rooms.iter().map(|room| self.inner.room_told(room)).collect(),
            guests_cut_off: self.inner.guests_are_cut_off(),
        })
    }

    async fn begin(&self, drawn: Uuid) -> Result<Uuid, LocalTrouble> {
        let lies_at = lies_at(self.store().path());
        Ok(self.store().write(move |tx| link::begin(tx, drawn, lies_at)).await?)
    }

    async fn settle_instance(&self, instance: Uuid) -> Result<(), LocalTrouble> {
        let lies_at = lies_at(self.store().path());
        Ok(self.store().write(move |tx| link::settle_instance(tx, instance, lies_at)).await?)
    }

    async fn facts_after(
        &self,
        seq: i64,
        most: usize,
        bytes: usize,
    ) -> Result<([u8; 32], Vec<Fact>), LocalTrouble> {
        Ok(self.store().read(move |conn| link::facts_after(conn, seq, most, bytes)).await?)
    }

    async fn acknowledge(&self, ack: i64, apart: Vec<(Apart, Fact)>) -> Result<(), LocalTrouble> {
        let now = self.inner.clock.now();
        Ok(self.store().write(move |tx| link::acknowledge(tx, ack, &apart, now)).await?)
    }

    async fn go_on_from(&self, epoch: i64, ack: i64) -> Result<(), LocalTrouble> {
        Ok(self.store().write(move |tx| link::go_on_from(tx, epoch, ack)).await?)
    }

    async fn apply(
        &self,
        scope: Scope,
        from: Cursor,
        to: Cursor,
        rows: Vec<Row>,
    ) -> Result<(), LocalTrouble> {
        self.bites(rows, Manner { scope, over: false, from: Some(from), to: Some(to) }).await
    }

    async fn stage(&self, scope: Scope, name: String) -> Result<u64, LocalTrouble> {
        Ok(self.store().write(move |tx| down_rows::stage(tx, scope, &name)).await?)
    }

    async fn stage_part(&self, scope: Scope, part: u64, rows: Vec<Row>) -> Result<(), LocalTrouble> {
        let placed = self.store().read(move |conn| down_rows::takes_what_comes(conn, scope)).await?;
        let pack = move || if placed { (encode(&keys_of(&rows)), rows) } else { (encode(&rows), Vec::new()) };
        let (packed, rows) = tokio::task::spawn_blocking(pack).await.map_err(died)?;
        let packed = packed.map_err(|error| LocalTrouble(error.to_string()))?;
        let part = Part { number: part.cast_signed(), rows: packed, placed };
        if placed {
            return self.change(move |store, here| place(store, here, scope, &part, rows)).await;
        }
        Ok(self.store().write(move |tx| down_rows::put_part(tx, scope, &part)).await?)
    }

    async fn unstage(&self, scope: Scope, to: Cursor, whole: bool) -> Result<(), LocalTrouble> {
        let what = Unstaging { scope, to, whole };
        self.change(move |store, here| put_in_place(store, here, &what)).await
    }

    async fn digest(&self, scope: Scope) -> Result<Vec<[u8; 16]>, LocalTrouble> {
        Ok(self.store().read(move |conn| down_rows::digest_of(conn, scope)).await?)
    }

    async fn replace(
        &self,
        scope: Scope,
        kinds: Vec<String>,
        buckets: Vec<u8>,
        rows: Vec<Row>,
        to: Option<Cursor>,
    ) -> Result<(), LocalTrouble> {
        let manner = Manner { scope, over: true, from: None, to };
        self.change(move |store, here| replace(store, here, manner, (kinds, buckets), rows)).await
    }

    async fn note_revision(&self, kind: String, revision: u32) -> Result<(), LocalTrouble> {
        Ok(self.store().write(move |tx| link::note_revision(tx, &kind, revision)).await?)
    }

    async fn scrub(&self, most: u32) -> Result<u64, LocalTrouble> {
        Ok(self.inner.scrub(most).await?.0)
    }

    async fn recall(&self, heard: HeardAnswer) -> Result<(), LocalTrouble> {
        for some in heard.heard.chunks(RECALLED_AT_ONCE) {
            let some = some.to_vec();
            let work = move |tx: &crate::store::Tx<'_>| {
                let mut here = Vec::new();
                for (zone, song, at) in &some {
                    let song = aliases::local(tx, *song)?;
                    zone_plays::mark(tx, *zone, song, *at)?;
                    here.push((*zone, song, *at));
                }
                Ok(here)
            };
            let here = self.store().write(work).await?;
            self.inner.remember_heard(here);
        }
        Ok(())
    }
}

fn told(state: PlayerState) -> PlayerTold {
    let PlayerState { player, tier, volume_order, .. } = state;
    let percent = (player.volume.clamp(0.0, 1.0) * 100.0).round() as u8;
    let status = match player.status {
        PlayerStatus::Active => "active",
        PlayerStatus::Idle => "idle",
        PlayerStatus::Offline => "offline",
    };
    let tier = serde_json::to_value(tier).ok().and_then(|tier| tier.as_str().map(str::to_owned));
    PlayerTold {
        id: player.id,
        status: status.to_owned(),
        tier: tier.filter(|_| player.status == PlayerStatus::Active),
        song: player.current_song,
        last_seen_at: player.last_seen_at,
        silence_ms: player.silence_ms,
        volume: Some(VolumeOrder { percent, number: volume_order }),
    }
}

/// A digest of the machine and the file: another one says that the database was copied, or moved to another box.
fn lies_at(database: &Path) -> [u8; 32] {
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let place = std::fs::metadata(database).map_or((0, 0), |found| (found.dev(), found.ino()));
    let mut hasher = blake3::Hasher::new();
    hasher.update(machine.trim().as_bytes()).update(&place.0.to_le_bytes()).update(&place.1.to_le_bytes());
    *hasher.finalize().as_bytes()
}
