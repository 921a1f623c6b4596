//! Tracks, and an engine to play them on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roomtone_player::deck::Form;
use roomtone_player::engine::{Command, Event, Track};
use roomtone_player::output::Offline;
use roomtone_schema::PlayId;
use roomtone_schema::play::PlayEnd;
use tempfile::TempDir;
use uuid::Uuid;

use crate::signals::{Mono, Width, channel, write_wav};

static PLAYS: AtomicU64 = AtomicU64::new(1);

pub(crate) const RATE: u32 = 48_000;
pub(crate) const STEREO: Form = Form { rate: RATE, channels: 2 };

/// A folder for files and an engine to play them.
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) offline: Offline,
    pub(crate) form: Form,
    pub(crate) events: Vec<Event>,
}

impl Stage {
    pub(crate) fn new(form: Form) -> Self {
        Self { dir: TempDir::new().unwrap(), offline: Offline::new(form), form, events: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A 24-bit WAV of the same in both channels.
    pub(crate) fn song(&self, name: &str, rate: u32, samples: &Mono) -> PathBuf {
        let path = self.path(name);
        write_wav(&path, rate, Width::Int24, &[samples, samples]);
        path
    }

    pub(crate) fn send(&mut self, command: Command) {
        self.offline.send(command);
    }

    /// Renders, and keeps the events.
    pub(crate) fn render(&mut self, frames: usize) -> Vec<f32> {
        let out = self.offline.render(frames);
        self.events.extend(self.offline.events());
        out
    }

    /// Renders, and gives the left channel.
    pub(crate) fn left(&mut self, frames: usize) -> Mono {
        let channels = self.form.channels;
        channel(&self.render(frames), channels, 0)
    }

    pub(crate) fn seconds(&mut self, seconds: f64) -> Mono {
        self.left((seconds * f64::from(self.form.rate)) as usize)
    }

    /// How the play ended and what was heard of it.
    pub(crate) fn end_of(&self, play: PlayId) -> Option<(PlayEnd, Duration, Option<String>)> {
        self.events.iter().find_map(|event| match event {
            Event::Ended { play: ended, end, heard, why } if *ended == play => {
                Some((*end, *heard, why.clone()))
            }
            _ => None,
        })
    }

    /// In short: `+1 +2 -1` where the second song of these began before the first had ended; `.` = dry.
    pub(crate) fn told(&self, plays: &[&Track]) -> String {
        let number = |play: &PlayId| plays.iter().position(|track| track.play == *play).unwrap() + 1;
        let words = self.events.iter().map(|event| match event {
            Event::Started { play } => format!("+{}", number(play)),
            Event::Ended { play, .. } => format!("-{}", number(play)),
            Event::Dry => ".".to_owned(),
            Event::Output { .. } => "o".to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The whole file, gapless.
pub(crate) fn track(path: &Path, length: Duration) -> Track {
    Track {
        play: PlayId(Uuid::from_u128(PLAYS.fetch_add(1, Ordering::Relaxed).into())),
        path: path.to_owned(),
        gain_db: 0.0,
        cue_in: Duration::ZERO,
        cue_out: length,
        from: Duration::ZERO,
        crossfade: Duration::ZERO,
    }
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}
