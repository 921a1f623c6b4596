//! A deck as the mixer holds it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use roomtone_schema::play::PlayEnd;
use rtrb::Consumer;

use super::fade::Fade;
use crate::deck::{self, Form, Progress, Shared};
use crate::decode::frames;
use crate::engine::Track;

/// A deck may be mixed in once this much of it is there.
const ENOUGH: Duration = Duration::from_millis(200);
/// An end that nobody foresaw is faded out over at most this.
pub(crate) const RESCUE: Duration = Duration::from_millis(150);

/// One deck with its gain and its way in or out.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) serial: u64,
    samples: Consumer<f32>,
    shared: Arc<Shared>,
    gain: f32,
    channels: usize,
    enough: u64,
    rescue: u64,
    /// Frames that its cues promise.
    promised: u64,
    /// Overlap with the one before it.
    crossfade: u64,
    /// Whether it begins where its file does: then it needs no fade to come in.
    pub(crate) from_the_top: bool,
    pub(crate) fade: Fade,
    pub(crate) rendered: u64,
    /// How it will have ended, once it is on its way out.
    pub(crate) end: PlayEnd,
}

impl Slot {
    /// A deck that was opened, and the thread behind it.
    pub(crate) fn new(
        serial: u64,
        track: &Track,
        from: Duration,
        opened: deck::Opened,
        form: Form,
    ) -> (Self, JoinHandle<()>) {
        let gain = if track.gain_db == 0.0 { 1.0 } else { 10.0_f32.powf(track.gain_db / 20.0) };
        let slot = Self {
            serial,
            samples: opened.samples,
            shared: opened.shared,
            gain: if gain.is_finite() { gain } else { 1.0 },
            channels: form.channels,
            enough: frames(ENOUGH, form.rate),
            rescue: frames(RESCUE, form.rate),
            promised: frames(track.cue_out.saturating_sub(from), form.rate),
            crossfade: frames(track.crossfade, form.rate),
            from_the_top: from.is_zero(),
            fade: Fade::FULL,
            rendered: 0,
            end: PlayEnd::Finished,
        };
        (slot, opened.thread)
    }

    /// Whether it can begin: enough is there, or all there ever will be.
    pub(crate) fn is_ready(&self) -> bool {
        match self.shared.progress() {
            Progress::Done => true,
            Progress::Failed => self.shared.produced() > 0,
            Progress::Working => self.held() >= self.enough,
        }
    }

    /// Whether nothing will ever come of it.
    pub(crate) fn is_stillborn(&self) -> bool {
        self.shared.is_stillborn()
    }

    /// Frames that are there to be mixed.
    pub(crate) fn held(&self) -> u64 {
        (self.samples.slots() / self.channels) as u64
    }

    /// Frames until its end, as far as is known; zero only where it has ended.
    pub(crate) fn left(&self) -> u64 {
        match self.shared.progress() {
            Progress::Working => self.promised.saturating_sub(self.rendered).max(1),
            Progress::Done | Progress::Failed => self.held(),
        }
    }

    /// Whether its end is in the middle of what its file has.
    pub(crate) fn was_cut(&self) -> bool {
        self.shared.was_cut()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.shared.progress() == Progress::Failed
    }

    /// How long `next` overlaps with this one: as it says itself, but at most half of either's music.
    pub(crate) fn overlap_with(&self, next: &Self) -> u64 {
        if self.has_failed() {
            return self.rescue;
        }
        next.crossfade.min(self.length() / 2).min(next.length() / 2)
    }

    /// All of its frames, as far as is known.
    fn length(&self) -> u64 {
        match self.shared.progress() {
            Progress::Working => self.promised,
            Progress::Done | Progress::Failed => self.shared.produced(),
        }
    }

    /// Adds at most `count` frames to `block` and returns how many; their power, before fade and volume, goes to `power`.
    pub(crate) fn mix(&mut self, block: &mut [f32], count: u64, power: &mut f64) -> u64 {
        let frames = count.min(self.held());
        let Ok(chunk) = self.samples.read_chunk(frames as usize * self.channels) else { return 0 };
        let (first, second) = chunk.as_slices();
        let mut source = first.iter().chain(second);
        for frame in block.chunks_exact_mut(self.channels).take(frames as usize) {
            let gain = if self.fade.is_full() { self.gain } else { self.gain * self.fade.gain() };
            for sample in frame {
                let Some(value) = source.next() else { break };
                *power += f64::from(value * self.gain).powi(2);
                *sample += value * gain;
            }
            self.fade.step();
        }
        chunk.commit_all();
        self.rendered += frames;
        frames
    }
}
