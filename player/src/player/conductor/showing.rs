//! What is seen of the player: the view that everybody is shown, and the place that outlives it.

use std::time::Duration;

use super::{Announced, BELIEVABLE, Conductor, OnDisk, titled};
use crate::place::{Place, SongPlace};
use crate::player::view::{SongView, View};
use crate::queue::Chosen;

/// Between two looks at the disk, for what is shown of it.
const LOOK_AT_DISK_MS: i64 = 1_000;

/// What takes a look at every file.
#[derive(Debug, Clone, Default)]
pub(super) struct Outlook {
    due_ms: i64,
    next: Option<String>,
    planned_ms: u64,
    disk_free_bytes: Option<u64>,
}

impl Outlook {
    /// Something has changed: it is looked at anew before it is shown again.
    pub(super) fn is_old(&mut self) {
        self.due_ms = 0;
    }
}

impl Conductor {
    pub(super) fn look(&mut self) {
        self.steer();
        self.look_ahead();
        let view = self.view();
        self.parts.shown.send_if_modified(|shown| {
            let changed = *shown != view;
            *shown = view;
            changed
        });
        if self.reports.place_is_due(self.parts.stamps.now().since_boot_ms) {
            self.save_place();
        }
    }

    fn look_ahead(&mut self) {
        let now_ms = self.parts.stamps.now().since_boot_ms;
        if now_ms < self.outlook.due_ms {
            return;
        }
        let disk = OnDisk(&self.parts.files);
        self.outlook = Outlook {
            due_ms: now_ms + LOOK_AT_DISK_MS,
            next: self.queue.next(&disk, self.client.is_some()).map(|chosen| titled(&chosen.pick)),
            planned_ms: self.queue.lasts(&disk).as_millis() as u64,
            disk_free_bytes: self.parts.files.disk_free().ok(),
        };
    }

    /// The place of the last run, while its song is on its way to the output again.
    fn being_taken_up(&self) -> Option<SongPlace> {
        let left = self.parts.place.as_ref()?.song.clone()?;
        (self.turning_to == Some(left.play)).then_some(left)
    }

    pub(super) fn save_place(&self) {
        let snapshot = self.parts.engine.snapshot();
        let song = self.current.as_ref().map(|current| {
            let sounds = snapshot.play == Some(current.announced.play);
            let heard = if sounds { snapshot.heard } else { Duration::ZERO };
            let Announced { play, chosen, heard_before } = current.announced.clone();
            let position =
                if sounds { snapshot.position } else { Duration::from_millis(chosen.pick.cue_in_ms.into()) };
            let heard_ms = (heard_before + heard).as_millis() as u64;
            SongPlace {
                play,
                pick: chosen.pick,
                tier: chosen.tier,
                position_ms: position.as_millis() as u64,
                heard_ms,
            }
        });
        let song = song.or_else(|| self.held.clone()).or_else(|| self.being_taken_up());
        let place = Place { mode: self.mode, volume: self.volume, song, at: self.parts.stamps.now() };
        if let Err(error) = place.save(&self.parts.data) {
            tracing::debug!("the place could not be written down: {error}");
        }
    }

    pub(super) fn view(&self) -> View {
        let snapshot = self.parts.engine.snapshot();
        let song = self.current.as_ref().map(|current| {
            let Chosen { pick, tier } = &current.announced.chosen;
            SongView {
                title: pick.title.clone(),
                artist: pick.artist.clone(),
                position_ms: snapshot.position.as_millis() as u64,
                duration_ms: pick.duration_ms.into(),
                tier: *tier,
            }
        });
        View {
            name: self.identity.as_ref().map_or(&self.parts.name, |identity| &identity.name).clone(),
            venue: self.identity.as_ref().map(|identity| identity.venue_name.clone()),
            hub: self.hub.clone(),
            mode: self.mode,
            song,
            next: self.outlook.next.clone(),
            volume: self.volume,
            level_db: snapshot.level_db,
            silence_ms: self.reports.silence_ms(&snapshot),
            silent_now: snapshot.silent_now,
            output: snapshot.output,
            output_trouble: snapshot.output_trouble,
            planned_ms: self.outlook.planned_ms,
            cached_songs: self.parts.files.count() as u64,
            disk_free_bytes: self.outlook.disk_free_bytes,
            untold_plays: self.parts.journal.untold().count() as u64,
            clock_trusted: BELIEVABLE.contains(&self.parts.stamps.now().wall),
            rogue: self.rogue.clone(),
            underruns: snapshot.underruns,
        }
    }
}
