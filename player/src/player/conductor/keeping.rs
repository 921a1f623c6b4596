//! Which files must be here, which must not give way, and which must go where the venue's licence lets no song be kept.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

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
    /// Whether the plan is one that the hub, which is in reach, has made since it is.
    is_sure: bool,
}

impl Keeping {
    /// As the hub said last. Before any has, a player has nothing to keep.
    pub(super) fn load(data: &Path) -> Self {
        Self { may: kept::load(data, NAME).unwrap_or(true), is_sure: false }
    }

    /// The hub has come or gone: what is here may be all there is, for how long nobody knows.
    pub(super) fn is_unsure(&mut self) {
        self.is_sure = false;
    }

    /// A plan has come from the hub, with its word on this where it had one.
    pub(super) fn has_plan(&mut self, may: Option<bool>, data: &Path) {
        self.is_sure = true;
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

    /// Removes what nobody needs any more: all of it where the hub's plan is here as a whole. Else an hour of music stays,
    /// for the plan may run out.
    fn let_go(&self, wanted: &[Pick]) {
        let files = &self.parts.files;
        let spare = files.beside(&self.needed(wanted));
        if spare.is_empty() {
            return;
        }
        let mut counted = HashSet::new();
        let here: Vec<&Pick> = wanted.iter().filter(|pick| files.has(&pick.sha256)).collect();
        let settled = self.keeping.is_sure && !wanted.is_empty() && here.len() == wanted.len();
        let least = if settled { Duration::ZERO } else { READY };
        let ready = here.iter().filter(|pick| counted.insert(pick.sha256)).map(|pick| pick.music()).sum();
        for sha256 in let_go(ready, spare, least) {
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
