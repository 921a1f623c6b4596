//! What the hub does by itself, whoever asks for what: each second, whenever something stirs, and now and then.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::UnixMillis;
use tokio::time::MissedTickBehavior;

use crate::hub::Inner;
use crate::locks::locked;
use crate::store::{
    Retention, Soundness, StoreError, Tx, dead_letters, devices, hub_state, outbox, sessions, vec,
};
use crate::view::SyncStatusView;

/// After so long the room is looked at again though nothing happened: presence fades.
const VIBE_FADES_EVERY: Duration = Duration::from_secs(15);

/// Last signs of life are written down so often, where there are any.
const WRITTEN_DOWN_EVERY: Duration = Duration::from_secs(30);

/// The time is written down so often though nothing happens: facts carry it too, and flash wears.
const TIME_IS_KEPT_EVERY: Duration = Duration::from_mins(5);

/// Votes that come within this time change the plan once: it is the longest that anybody waits for it to begin.
const BREATH: Duration = Duration::from_millis(100);

/// So often backups are made and media files are looked for.
const HOUSE_IS_KEPT_EVERY: Duration = Duration::from_hours(1);

/// So often the whole database is looked at closely, in an hour in which nobody is here.
const LOOKED_CLOSELY_EVERY: Duration = Duration::from_hours(7 * 24);

/// So many songs go into the second engine in one transaction.
const FILLED_AT_ONCE: u32 = 200;

/// Between two bites everybody else's writes go first.
const FILLING_YIELDS: Duration = Duration::from_millis(20);

/// After a failure.
const FILLING_RESTS: Duration = Duration::from_secs(30);

/// When chores were done last.
#[derive(Debug, Default)]
pub(crate) struct Done {
    faded: Option<UnixMillis>,
    written_down: Option<UnixMillis>,
    time_kept: Option<UnixMillis>,
    outbox_seen: Option<UnixMillis>,
}

impl Inner {
    /// Ticks each second and brings up to date what was stirred.
    pub(crate) async fn conduct(self: &Arc<Self>) {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = second.tick() => {
                    if let Err(error) = self.tick().await {
                        tracing::warn!("the room's bookkeeping has to wait: {error}");
                    }
                }
                () = self.stirred.notified() => {
                    self.settle().await;
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    /// What is due by the clock.
    pub(crate) async fn tick(self: &Arc<Self>) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.mind_the_hours().await?;
        let silent_for = Duration::from_secs(u64::from(self.limits.player_offline_s));
        if locked(&self.players).miss(silent_for, now) {
            self.show_players();
        }
        for room in &self.rooms {
            self.show_now_playing(room);
        }
        self.show_sync_status();
        if is_due(&mut locked(&self.chores).faded, VIBE_FADES_EVERY, now) {
            self.rooms.iter().for_each(|room| self.stir(room));
        }
        self.catch_up().await?;
        self.sweep_sessions(now).await?;
        self.note_oldest_pending(now).await?;
        let is_time = is_due(&mut locked(&self.chores).time_kept, TIME_IS_KEPT_EVERY, now);
        let are_signs = is_due(&mut locked(&self.chores).written_down, WRITTEN_DOWN_EVERY, now)
            && !locked(&self.people).unsaved(WRITTEN_DOWN_EVERY).is_empty();
        if is_time || are_signs {
            self.write_down(WRITTEN_DOWN_EVERY).await?;
        }
        Ok(())
    }

    /// Brings up to date what was stirred.
    pub(crate) async fn settle(self: &Arc<Self>) {
        if self.library_is_stale() {
            self.rebuild().await;
        }
        for room in &self.rooms {
            if room.take_stirred() {
                self.refresh(room).await;
            }
        }
        self.show_sync_status();
    }

    /// Writes the time down, and signs of life that are `older` than what the store knows.
    pub(crate) async fn write_down(&self, older: Duration) -> Result<(), StoreError> {
        let now = self.clock.now();
        let signs = locked(&self.people).unsaved(older);
        let written = signs.clone();
        let work = move |tx: &Tx<'_>| {
            for (session, at) in &written {
                sessions::touch(tx, *session, *at)?;
                if let Some(session) = sessions::by_id(tx, *session)? {
                    devices::touch(tx, session.device, *at)?;
                }
            }
            hub_state::keep_time(tx, now)
        };
        self.store.write(work).await?;
        locked(&self.people).saved(&signs);
        Ok(())
    }

    /// Backups, retention, files.
    pub(crate) async fn keep_house(self: &Arc<Self>) {
        let mut hour = tokio::time::interval(HOUSE_IS_KEPT_EVERY);
        hour.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once: the hub has just started and looked at everything.
        hour.tick().await;
        loop {
            tokio::select! {
                _ = hour.tick() => {
                    let inner = Arc::clone(self);
                    let kept = tokio::task::spawn_blocking(move || inner.keep_house_now()).await;
                    if let Err(error) = kept.unwrap_or(Err(StoreError::Panicked)) {
                        tracing::warn!("backup or clean-up has to wait for the next hour: {error}");
                    }
                }
                () = self.to_fill.notified() => {
                    if let Err(error) = self.fill_second_engine().await {
                        tracing::warn!("the second engine has to wait for its songs: {error}");
                        tokio::time::sleep(FILLING_RESTS).await;
                        self.to_fill.notify_one();
                    }
                }
            }
        }
    }

    /// Lets the second engine catch up with the catalogue, a bite at a time, so that no vote waits long for it.
    pub(crate) async fn fill_second_engine(&self) -> Result<(), StoreError> {
        while self.store.write(|tx| vec::fill(tx, FILLED_AT_ONCE)).await? == FILLED_AT_ONCE {
            tokio::time::sleep(FILLING_YIELDS).await;
        }
        Ok(())
    }

    fn keep_house_now(self: &Arc<Self>) -> Result<(), StoreError> {
        if self.library.look_for_all() {
            self.mark_library_stale();
        }
        if self.store.back_up()?.is_none() {
            tracing::warn!(
                "there is too little room on the disk for a backup; free some, or attach a larger one"
            );
        }
        self.close_days()?;
        self.store.purge(&Retention::default(), self.clock.now())?;
        self.look_closely()
    }

    /// Looks closely at the database where that is due and disturbs nobody; after twice the time it is done all the same.
    pub(crate) fn look_closely(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let looked = self.store.read_blocking(|conn| hub_state::get(conn, hub_state::LOOKED_CLOSELY))?;
        let note = move |tx: &Tx<'_>| hub_state::put(tx, hub_state::LOOKED_CLOSELY, now.0);
        // The first time the weeks begin to count.
        let Some(looked) = looked.map(UnixMillis) else { return self.store.write_blocking(note) };
        let since = now.since(looked);
        let is_quiet = locked(&self.people).count(None, now) == 0;
        if since < LOOKED_CLOSELY_EVERY || (!is_quiet && since < LOOKED_CLOSELY_EVERY * 2) {
            return Ok(());
        }
        match self.store.look_closely()? {
            Soundness::Sound => {
                let took = self.clock.now().since(now);
                tracing::info!(
                    "the database is sound, indexes and all; to look took {} ms",
                    took.as_millis()
                );
            }
            Soundness::Mended(found) => {
                tracing::warn!("an index of the database was not right ({found}); it was made anew");
            }
            Soundness::Damaged(found) => {
                tracing::error!(
                    "the database is damaged ({found}): restart the hub to have it mended, and look after its disk"
                );
                return Ok(());
            }
        }
        self.store.write_blocking(note)
    }

    /// Looks now and then how old the oldest fact is that the cloud does not have.
    async fn note_oldest_pending(&self, now: UnixMillis) -> Result<(), StoreError> {
        if !is_due(&mut locked(&self.chores).outbox_seen, VIBE_FADES_EVERY, now) {
            return Ok(());
        }
        self.note_dead_letters().await?;
        let oldest = self.store.read(outbox::oldest_pending).await?;
        self.sync_status.send_if_modified(|shown| {
            let changed = shown.oldest_pending_at != oldest;
            if changed {
                *shown =
                    Arc::new(SyncStatusView { oldest_pending_at: oldest, ..SyncStatusView::clone(shown) });
            }
            changed
        });
        Ok(())
    }

    /// Counts the facts that the cloud keeps apart.
    pub(crate) async fn note_dead_letters(&self) -> Result<(), StoreError> {
        let count = self.store.read(dead_letters::count).await?;
        self.sync_status.send_if_modified(|shown| {
            let changed = shown.dead_letters != count;
            if changed {
                *shown = Arc::new(SyncStatusView { dead_letters: count, ..SyncStatusView::clone(shown) });
            }
            changed
        });
        Ok(())
    }

    pub(crate) fn show_sync_status(&self) {
        let census = self.library.census();
        let pending = self.store.stats().outbox_pending;
        self.sync_status.send_if_modified(|shown| {
            let status = SyncStatusView {
                pending,
                oldest_pending_at: shown.oldest_pending_at.filter(|_| pending > 0),
                cached_songs: census.cached,
                total_songs: census.total,
                cached_bytes: census.cached_bytes,
                ..SyncStatusView::clone(shown)
            };
            let changed = **shown != status;
            if changed {
                *shown = Arc::new(status);
            }
            changed
        });
    }
}

/// Whether `every` has passed since it was done last; counts it as done.
fn is_due(done: &mut Option<UnixMillis>, every: Duration, now: UnixMillis) -> bool {
    let due = done.is_none_or(|at| now.since(at) >= every);
    if due {
        *done = Some(now);
    }
    due
}
