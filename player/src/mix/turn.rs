//! From one song to the next: when, over how long, and what is told of it.

use std::time::Duration;

use roomtone_schema::play::PlayEnd;

use super::fade::Fade;
use super::{EASE, Render, Report, SHORT, Slot};
use crate::decode::frames;

/// A song that ends with nothing after it goes out over this: its last cue may be in the middle of a note.
const LAST: Duration = Duration::from_millis(20);
/// A deck that gives nothing for so long has failed: before the silence is one that counts.
const STARVED: Duration = Duration::from_millis(1_900);
/// Songs that may end within one block: empty ones, one after the other.
const MOST_ENDS: usize = 4;

impl Render {
    /// Begins and ends songs until what plays is what should play at this very frame.
    pub(super) fn turn(&mut self) {
        for _ in 0..MOST_ENDS {
            if self.is_held() || !self.has_room() || !self.turn_once() {
                return;
            }
        }
    }

    /// At the start of a block only, as all orders: the fade of a pause goes over whole blocks.
    pub(super) fn turn_to_urgent(&mut self) {
        if self.is_held() {
            self.end_leaving();
        }
        if self.urgent.as_ref().is_some_and(Slot::is_ready) && (!self.paused || self.resume_with_urgent) {
            self.begin_urgent();
        }
    }

    fn has_room(&self) -> bool {
        self.reports.slots() > 4 && self.leaving.iter().any(Option::is_none)
    }

    /// One transition, if one is due.
    fn turn_once(&mut self) -> bool {
        let next_is_ready = self.next.as_ref().is_some_and(Slot::is_ready);
        let Some(current) = &mut self.current else {
            if !(self.wanted && next_is_ready) {
                return false;
            }
            let from_the_top = self.next.as_ref().is_some_and(|next| next.from_the_top);
            self.begin_next(if from_the_top { 0 } else { self.length(EASE) });
            return true;
        };
        let left = current.left();
        let starved = self.starving > frames(STARVED, self.form.rate);
        if left == 0 || starved {
            self.finish(starved, next_is_ready);
            return true;
        }
        let Some(next) = self.next.as_ref().filter(|_| next_is_ready) else {
            let last = frames(LAST, self.form.rate);
            let alone = self.next.is_none() && self.urgent.is_none();
            if alone && left <= last && current.was_cut() && current.fade.is_full() {
                current.fade = current.fade.fall(left);
            }
            return false;
        };
        let overlap = current.overlap_with(next);
        if left > overlap {
            return false;
        }
        let end = if current.has_failed() { PlayEnd::Failed } else { PlayEnd::Finished };
        let old = self.current.take();
        self.begin_next(left);
        if let Some(old) = old {
            self.leave(old, left, end);
        }
        true
    }

    /// The current song has come to its end, in whichever way.
    fn finish(&mut self, starved: bool, next_is_ready: bool) {
        let Some(current) = self.current.take() else { return };
        let end = if starved || current.has_failed() { PlayEnd::Failed } else { PlayEnd::Finished };
        let gapless = end == PlayEnd::Finished && self.starving == 0;
        if next_is_ready {
            self.begin_next(if gapless { 0 } else { self.length(EASE) });
        }
        self.starving = 0;
        self.ended(current, end);
        self.tell_if_dry();
    }

    /// The next song takes the current one's place, coming in over so many frames.
    fn begin_next(&mut self, over: u64) {
        let Some(mut slot) = self.next.take() else { return };
        if over > 0 {
            slot.fade = Fade::rise(over);
        }
        self.begin(slot);
    }

    fn begin(&mut self, slot: Slot) {
        self.starving = 0;
        self.reports.push(Report::Started(slot.serial)).ok();
        self.current = Some(slot);
    }

    /// What was ordered to play at once takes the place of whatever plays.
    fn begin_urgent(&mut self) {
        if !self.has_room() {
            return;
        }
        let Some(mut slot) = self.urgent.take() else { return };
        let short = self.length(SHORT);
        let was_held = self.is_held();
        self.take_master_into_the_fades();
        (self.paused, self.resume_with_urgent) = (false, false);
        for leaving in self.leaving.iter_mut().flatten() {
            if leaving.fade.left() > short {
                leaving.fade = leaving.fade.fall(short);
            }
        }
        let old = self.current.take();
        if old.is_some() && !was_held {
            slot.fade = Fade::rise(short);
        } else if !slot.from_the_top {
            slot.fade = Fade::rise(self.length(EASE));
        }
        self.begin(slot);
        match old {
            Some(old) if was_held => self.ended(old, PlayEnd::Skipped),
            Some(old) => self.leave(old, short, PlayEnd::Skipped),
            None => {}
        }
    }

    fn end_leaving(&mut self) {
        for place in &mut self.leaving {
            if let Some(slot) = place.take() {
                let end = slot.end;
                self.reports.push(Report::Ended(slot, end)).ok();
            }
        }
    }
}
