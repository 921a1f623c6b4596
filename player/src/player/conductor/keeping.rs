//! Which files must be here, which must not give way, and which must go where the venue's licence lets no song be kept.

use std::collections::HashSet;
use std::path::Path;

use roomtone_schema::licence::{READY, let_go};
use roomtone_schema::song::Sha256;

use super::Conductor;
use crate::kept;
use crate::pick::Pick;

/// What the hub told last of keeping songs, in the data folder.
const NAME: &str = "offline_storage.json";

/// What is known of what may be kept.
#[derive(Debug)]
pub(super) struct Keeping {
    /// Whether songs may be kept that are needed no more.
    may: bool,
}

impl Keeping {
    /// As the hub said last. Before any has, a player has nothing to keep.
    pub(super) fn load(data: &Path) -> Self {
        Self { may: kept::load(data, NAME).unwrap_or(true) }
    }

    /// The hub's word on it, which came with a plan.
    pub(super) fn is_told(&mut self, may: Option<bool>, data: &Path) {
        let Some(may) = may.filter(|may| *may != self.may) else { return };
        self.may = may;
        let word = if may { "may" } else { "may not" };
        tracing::info!("by the venue's licence songs {word} be kept beyond what is needed to play on");
        if let Err(error) = kept::save(data, NAME, &may) {
            tracing::debug!("what the licence says could not be written down: {error}");
        }
    }
}

impl Conductor {
    /// Says which files must be here, and which must not give way; removes what may not be kept.
    pub(super) fn keep_files(&mut self) {
        // A disk that cannot be asked is taken for a large one: what does not fit is refused then.
        let wanted = self.queue.wanted(self.parts.files.capacity().unwrap_or(u64::MAX));
        let sounding = self.queue.sounding().map(|pick| pick.sha256);
        let prepared = self.announced.iter().map(|known| known.chosen.pick.sha256);
        let pinned: Vec<Sha256> =
            sounding.into_iter().chain(prepared).chain(wanted.iter().map(|pick| pick.sha256)).collect();
        self.parts.files.pin_exactly(&pinned);
        if !self.keeping.may {
            self.let_go(&wanted);
        }
        self.parts.wanted.send_if_modified(|shown| {
            let changed = *shown != wanted;
            if changed {
                *shown = wanted;
            }
            changed
        });
    }

    /// Removes what nobody needs any more, as far as an hour of music is left: of the plan where that is here, else of what
    /// was heard, for the plan may run out.
    fn let_go(&self, wanted: &[Pick]) {
        let files = &self.parts.files;
        let spare = files.beside(&self.needed(wanted));
        if spare.is_empty() {
            return;
        }
        // As the hub counts the hour.
        let ready = wanted.iter().filter(|pick| files.has(&pick.sha256)).map(Pick::length).sum();
        for sha256 in let_go(ready, spare, READY) {
            if let Err(error) = files.discard(&sha256) {
                tracing::debug!("a song that may not be kept could not be removed yet: {error}");
            }
        }
    }

    /// What sounds, what lies ready or was left in its middle, and what comes.
    fn needed(&self, wanted: &[Pick]) -> HashSet<Sha256> {
        let current = self.current.as_ref().map(|current| current.announced.play);
        let in_hand = [current, self.turning_to, self.prepared];
        let announced = self.announced.iter().filter(|known| in_hand.contains(&Some(known.play)));
        let left = self.held.as_ref().map(|song| song.pick.sha256);
        let sounding = self.queue.sounding().map(|pick| pick.sha256);
        let wanted = wanted.iter().map(|pick| pick.sha256);
        let announced = announced.map(|known| known.chosen.pick.sha256);
        left.into_iter().chain(sounding).chain(wanted).chain(announced).collect()
    }

    pub(super) fn know<'a>(&self, picks: impl IntoIterator<Item = &'a Pick>) {
        let picks: Vec<Pick> = picks.into_iter().cloned().collect();
        self.parts.files.remember(&picks);
    }
}
