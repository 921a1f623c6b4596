//! The mixer: what the output pulls its samples from, whichever output it is.
//!
//! Runs in the sound card's callback. It takes no lock, asks for no memory and reads no file: orders come and reports
//! go through rings, decks are handed in open and handed back to be closed. It alone knows the sample at which a song
//! begins, so it makes the transitions itself. What is absent: any knowledge of files, devices or plays; a deck is a
//! number here.

use std::sync::Arc;
use std::time::Duration;

use roomtone_schema::play::PlayEnd;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::deck::Form;
use crate::decode::frames;

mod face;
mod fade;
mod limiter;
mod meter;
mod slot;
mod turn;

pub(crate) use face::{Face, Look};
use fade::{Fade, Ramp};
use limiter::Limiter;
pub(crate) use meter::NOTHING_DB;
use meter::{Meter, Wanted};
pub(crate) use slot::Slot;

/// Frames that are mixed at once: orders are obeyed this exactly (5 ms at 48 kHz).
const BLOCK: usize = 256;
/// From one song to another by order.
const SHORT: Duration = Duration::from_millis(180);
/// Into a pause, out of it, and to a stop.
const HUSH: Duration = Duration::from_millis(150);
/// From one volume to another.
const TURN: Duration = Duration::from_millis(50);
/// A song that is taken up in its middle, or comes late, comes in over this.
const EASE: Duration = Duration::from_millis(50);
/// Songs that are fading out at the same time; a seventh skip within a fifth of a second waits.
const LEAVING: usize = 6;
/// Orders and reports on their way.
const RING: usize = 256;
/// Below -60 dBFS the song itself is quiet.
const QUIET: f64 = 1e-6;

/// What the mixer is told. Decks come open.
#[derive(Debug)]
pub(crate) enum Order {
    Next(Option<Slot>),
    Play(Slot),
    /// The next one is wanted now.
    Hurry,
    /// A song that had begun before this mixer was made.
    Restore(Slot),
    /// The deck of this number will never play.
    Forget(u64),
    Pause,
    Resume,
    Stop,
    Volume(f32),
}

/// What the mixer tells.
#[derive(Debug)]
pub(crate) enum Report {
    Started(u64),
    /// It is on its way out: how it will have ended, and what was rendered of it so far.
    Leaving(u64, PlayEnd, u64),
    /// It is over; the deck is to be closed.
    Ended(Slot, PlayEnd),
    /// It never began; the deck is to be closed.
    Unused(Slot),
    Dry,
}

/// What outlives a mixer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) volume: f32,
    pub(crate) paused: bool,
    /// Whether something should be heard: from `Play` to `Stop`.
    pub(crate) wanted: bool,
}

/// Whoever steers a mixer holds these.
#[derive(Debug)]
pub(crate) struct Reins {
    pub(crate) orders: Producer<Order>,
    pub(crate) reports: Consumer<Report>,
    pub(crate) face: Arc<Face>,
}

/// The one path that every sound takes, offline and to a loudspeaker.
pub struct Render {
    form: Form,
    orders: Consumer<Order>,
    reports: Producer<Report>,
    face: Arc<Face>,
    current: Option<Slot>,
    next: Option<Slot>,
    /// What was ordered to play at once, until its deck is ready.
    urgent: Option<Slot>,
    leaving: [Option<Slot>; LEAVING],
    /// Whether something should be heard: from `Play` to `Stop`.
    wanted: bool,
    paused: bool,
    /// `Play` ends a pause, but not before its song is there.
    resume_with_urgent: bool,
    /// The fade of the pause.
    master: Ramp,
    volume: Ramp,
    limiter: Limiter,
    meter: Meter,
    starving: u64,
    look: Look,
}

impl std::fmt::Debug for Render {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Render").field("form", &self.form).field("look", &self.look).finish_non_exhaustive()
    }
}

impl Render {
    /// A mixer that stands as the one before it stood.
    pub(crate) fn new(form: Form, standing: Standing) -> (Self, Reins) {
        let (orders_in, orders) = RingBuffer::new(RING);
        let (reports, reports_out) = RingBuffer::new(RING);
        let face = Arc::new(Face::default());
        let look = Look { level_db: NOTHING_DB, ..Look::default() };
        face.show(&look);
        let reins = Reins { orders: orders_in, reports: reports_out, face: Arc::clone(&face) };
        let render = Self {
            form,
            orders,
            reports,
            face,
            current: None,
            next: None,
            urgent: None,
            leaving: Default::default(),
            wanted: standing.wanted,
            paused: standing.paused,
            resume_with_urgent: false,
            master: Ramp::at(if standing.paused { 0.0 } else { 1.0 }),
            volume: Ramp::at(loudness(standing.volume)),
            limiter: Limiter::new(form.rate, form.channels, BLOCK),
            meter: Meter::new(form),
            starving: 0,
            look,
        };
        (render, reins)
    }

    /// What it renders.
    pub fn form(&self) -> Form {
        self.form
    }

    /// What it shows of itself, for whoever watches the output.
    #[cfg(feature = "device")]
    pub(crate) fn face(&self) -> Arc<Face> {
        Arc::clone(&self.face)
    }

    /// How many frames later than it was mixed everything comes out.
    pub fn delay(&self) -> usize {
        self.limiter.delay()
    }

    /// Fills `out` with interleaved samples.
    pub fn render(&mut self, out: &mut [f32]) {
        for block in out.chunks_mut(BLOCK * self.form.channels) {
            block.fill(0.0);
            self.obey();
            let wanted = self.mix(block);
            self.limiter.limit(block);
            self.meter.heard(block, wanted);
            self.show();
        }
    }

    /// Whether a deck is still at work on what the next block, or a transition in it, would need. For those who can wait.
    pub fn is_hungry(&mut self) -> bool {
        self.obey();
        let lacks = |slot: &Slot| !slot.is_ready() && !slot.is_stillborn();
        let starves = |slot: &Slot| slot.held() < (BLOCK as u64).min(slot.left());
        let coming = self.urgent.iter().chain(&self.next);
        let playing = self.current.iter().chain(self.leaving.iter().flatten());
        coming.into_iter().any(lacks) || (!self.is_held() && playing.into_iter().any(starves))
    }

    fn length(&self, time: Duration) -> u64 {
        frames(time, self.form.rate)
    }

    /// Paused, and the fade is over.
    fn is_held(&self) -> bool {
        self.paused && self.master.is_silent()
    }

    fn obey(&mut self) {
        // An order may make a deck leave or give it back: there must be room for both.
        while self.reports.slots() > 2 * LEAVING + 4 && self.leaving.iter().any(Option::is_none) {
            let Ok(order) = self.orders.pop() else { return };
            match order {
                Order::Next(next) => {
                    let old = std::mem::replace(&mut self.next, next);
                    self.unused(old);
                }
                Order::Play(slot) => self.urge(Some(slot)),
                Order::Hurry => {
                    let next = self.next.take();
                    self.urge(next);
                }
                Order::Restore(slot) => self.restore(slot),
                Order::Forget(serial) => self.forget(serial),
                Order::Pause => {
                    (self.paused, self.resume_with_urgent) = (true, false);
                    self.master.go(0.0, self.length(HUSH));
                }
                Order::Resume => {
                    (self.paused, self.resume_with_urgent) = (false, false);
                    self.master.go(1.0, self.length(HUSH));
                }
                Order::Stop => self.stop(),
                Order::Volume(volume) => self.volume.go(loudness(volume), self.length(TURN)),
            }
        }
    }

    fn urge(&mut self, slot: Option<Slot>) {
        if slot.is_none() {
            return;
        }
        let old = std::mem::replace(&mut self.urgent, slot);
        self.unused(old);
        (self.wanted, self.resume_with_urgent) = (true, self.paused);
    }

    fn restore(&mut self, mut slot: Slot) {
        if !slot.from_the_top {
            slot.fade = Fade::rise(self.length(EASE));
        }
        self.wanted = true;
        let old = self.current.replace(slot);
        self.unused(old);
    }

    fn forget(&mut self, serial: u64) {
        for place in [&mut self.next, &mut self.urgent] {
            if let Some(slot) = place.take_if(|slot| slot.serial == serial) {
                self.reports.push(Report::Unused(slot)).ok();
            }
        }
        if self.wanted {
            self.tell_if_dry();
        }
    }

    fn tell_if_dry(&mut self) {
        if self.current.is_none() && self.next.is_none() && self.urgent.is_none() {
            self.reports.push(Report::Dry).ok();
        }
    }

    fn stop(&mut self) {
        let hush = self.length(HUSH);
        self.take_master_into_the_fades();
        for slot in self.leaving.iter_mut().flatten() {
            slot.fade = slot.fade.fall(hush);
        }
        if let Some(current) = self.current.take() {
            self.leave(current, hush, PlayEnd::Stopped);
        }
        let (next, urgent) = (self.next.take(), self.urgent.take());
        self.unused(next);
        self.unused(urgent);
        (self.wanted, self.paused, self.resume_with_urgent) = (false, false, false);
    }

    /// Ends the fade of a pause where it is: what sounds goes on at the level it has reached, what comes is at full.
    fn take_master_into_the_fades(&mut self) {
        let factor = self.master.gain();
        for slot in self.current.iter_mut().chain(self.leaving.iter_mut().flatten()) {
            slot.fade = slot.fade.scaled(factor);
        }
        self.master = Ramp::at(1.0);
    }

    fn unused(&mut self, slot: Option<Slot>) {
        if let Some(slot) = slot {
            self.reports.push(Report::Unused(slot)).ok();
        }
    }

    /// Puts a deck among those that fade out. There is a place: nothing calls this without having looked.
    fn leave(&mut self, mut slot: Slot, over: u64, end: PlayEnd) {
        slot.fade = slot.fade.fall(over);
        slot.end = end;
        self.reports.push(Report::Leaving(slot.serial, end, slot.rendered)).ok();
        match self.leaving.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(slot),
            None => self.ended(slot, end),
        }
    }

    fn ended(&mut self, slot: Slot, end: PlayEnd) {
        self.reports.push(Report::Ended(slot, end)).ok();
    }

    /// Mixes one block, stretch by stretch: within a stretch nothing begins and nothing ends.
    fn mix(&mut self, block: &mut [f32]) -> Wanted {
        let channels = self.form.channels;
        let frames = (block.len() / channels) as u64;
        let (mut at, mut power, mut starved) = (0, 0.0, false);
        self.turn_to_urgent();
        while at < frames {
            self.turn();
            if self.is_held() {
                break;
            }
            let count = self.stretch(frames - at);
            let part = &mut block[at as usize * channels..(at + count) as usize * channels];
            starved |= !self.mix_stretch(part, count, &mut power);
            at += count;
        }
        self.turn_down(block);
        if !self.wanted || self.paused {
            return Wanted::Nothing;
        }
        let power = power / (frames * channels.min(2) as u64) as f64;
        let loud = f64::from(self.volume.target()).powi(2);
        if !starved && power * loud < QUIET { Wanted::Quiet } else { Wanted::Sound }
    }

    /// Whether the current song gave all that was asked of it.
    fn mix_stretch(&mut self, part: &mut [f32], count: u64, power: &mut f64) -> bool {
        for place in &mut self.leaving {
            let Some(slot) = place else { continue };
            let got = slot.mix(part, count, power);
            // One that gives nothing any more is not waited for: it is on its way out.
            let over = slot.fade.is_silent() || slot.left() == 0 || got < count;
            if over && let Some(slot) = place.take() {
                let end = slot.end;
                self.reports.push(Report::Ended(slot, end)).ok();
            }
        }
        let Some(current) = &mut self.current else { return false };
        let got = current.mix(part, count, power);
        if got == count {
            self.starving = 0;
            return true;
        }
        self.look.underruns += u64::from(self.starving == 0 && current.left() > 0);
        self.starving += count - got;
        false
    }

    /// The fade of a pause, and the volume.
    fn turn_down(&mut self, block: &mut [f32]) {
        let moving = self.master.left() > 0 || self.volume.left() > 0;
        let mut gain = self.master.gain() * self.volume.gain();
        for frame in block.chunks_exact_mut(self.form.channels) {
            if moving {
                gain = self.master.gain() * self.volume.gain();
                self.master.step();
                self.volume.step();
            }
            for sample in frame {
                *sample *= gain;
            }
        }
    }

    /// Frames until something has to be decided again.
    fn stretch(&self, most: u64) -> u64 {
        let mut count = most;
        if let Some(current) = &self.current {
            let left = current.left();
            let overlap = self.next.as_ref().map_or(0, |next| current.overlap_with(next));
            count = count.min(if left > overlap { left - overlap } else { left });
            // What is there goes out; only then is it known whether more has come.
            count = count.min(current.held().max(1));
        }
        for slot in self.leaving.iter().flatten() {
            count = count.min(slot.fade.left().max(1));
        }
        count.max(1)
    }

    fn show(&mut self) {
        let (silence_ms, silent_now) = self.meter.silence();
        self.look = Look {
            serial: self.current.as_ref().map_or(0, |slot| slot.serial),
            rendered: self.current.as_ref().map_or(0, |slot| slot.rendered),
            level_db: self.meter.level_db(),
            silence_ms,
            silent_now,
            underruns: self.look.underruns,
            pulse: self.look.pulse + 1,
        };
        self.face.show(&self.look);
    }
}

/// From the volume as people turn it to a gain: halfway sounds half as loud.
fn loudness(volume: f32) -> f32 {
    let volume = if volume.is_finite() { volume.clamp(0.0, 1.0) } else { 0.0 };
    volume.powi(3)
}
