//! The engine without a clock and without an output: renders as fast as the decks give, and to the sample the same each
//! time. What is measured on it is what a loudspeaker would get.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::deck::Form;
use crate::engine::control::Control;
use crate::engine::{Command, Event, Snapshot};
use crate::mix::Render;

/// Frames rendered between two looks at commands and decks.
const BLOCK: usize = 256;

/// An engine that is pulled by hand.
#[derive(Debug)]
pub struct Offline {
    control: Control,
    render: Render,
    events: UnboundedReceiver<Event>,
    elapsed: Duration,
}

impl Offline {
    /// An engine for an output of this form, at full volume.
    pub fn new(form: Form) -> Self {
        let (events_in, events) = tokio::sync::mpsc::unbounded_channel();
        let mut control = Control::new(1.0, events_in);
        let render = control.connect(form, Duration::ZERO, 0);
        Self { control, render, events, elapsed: Duration::ZERO }
    }

    /// As `Engine::send`.
    pub fn send(&mut self, command: Command) {
        self.control.obey(command);
    }

    /// Renders so many frames, waiting for decks that are still at work: interleaved samples.
    pub fn render(&mut self, frames: usize) -> Vec<f32> {
        let channels = self.render.form().channels;
        let mut out = vec![0.0; frames * channels];
        for block in out.chunks_mut(BLOCK * channels) {
            self.settle();
            self.render.render(block);
            let frames = (block.len() / channels) as f64;
            self.elapsed += Duration::from_secs_f64(frames / f64::from(self.render.form().rate));
        }
        self.control.step(self.now_ms());
        out
    }

    /// Renders into `block` and does nothing else: what a sound card's callback does.
    pub fn render_only(&mut self, block: &mut [f32]) {
        self.render.render(block);
    }

    /// Lets the decks come as far as the next block needs them.
    pub fn settle(&mut self) {
        self.control.step(self.now_ms());
        while self.render.is_hungry() {
            std::thread::yield_now();
            self.control.step(self.now_ms());
        }
    }

    /// The output is lost: nothing is to be rendered until there is another one.
    pub fn lose(&mut self) {
        self.control.disconnect("lost".into(), self.now_ms());
    }

    /// After `away` there is another output than the one that was lost.
    pub fn reopen(&mut self, form: Form, away: Duration) {
        self.lose();
        self.elapsed += away;
        self.render = self.control.connect(form, Duration::ZERO, self.now_ms());
    }

    /// What has happened since the last time.
    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// As `Engine::snapshot`.
    pub fn snapshot(&self) -> Snapshot {
        self.control.snapshot("offline")
    }

    /// How many frames later than it was mixed everything comes out.
    pub fn delay(&self) -> usize {
        self.render.delay()
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.elapsed.as_millis()).unwrap_or(i64::MAX)
    }
}
