//! A deck: one file on its way to the mixer, decoded ahead on a thread of its own.
//!
//! The thread has one way to say how it ended, and it says it even when it panics: a mixer that waits for a dead deck
//! would be silent for ever. What is absent: gains and fades; the mixer's.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::decode::{Channelled, DecodeError, Decoder, Ending, Resampled, frames};
use crate::engine::Track;

/// Decoded this far ahead: more than a disk on its way to sleep or a busy machine holds back.
const AHEAD: Duration = Duration::from_secs(4);
/// At most this many samples ahead (6 MB), however many channels there are.
const MOST_AHEAD: usize = 1_500_000;
/// A full deck looks this often whether there is room again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The cues are whole milliseconds: a file that ends this soon after its last one is played to its end.
const ROUNDED: Duration = Duration::from_millis(2);
/// A file may end this much before its music does and still be whole: AAC knows its length only roughly.
const FORGIVEN: Duration = Duration::from_millis(500);

/// What the output wants to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Frames a second.
    pub rate: u32,
    /// Samples a frame.
    pub channels: usize,
}

/// Where a song ended that could be read.
enum End {
    /// With its file.
    Whole,
    /// At its last cue.
    Cut,
}

const WHOLE: u8 = 1;
const CUT: u8 = 2;
const FAILED: u8 = 3;

/// How far a deck is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More may come.
    Working,
    /// All that there is has been put into the ring.
    Done,
    /// As `Done`, but that is not all that should have come.
    Failed,
}

/// What both sides of the ring know.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    progress: AtomicU8,
    produced: AtomicU64,
    why: Mutex<Option<String>>,
}

impl Shared {
    /// To be asked before the ring is looked at: what was put in before the end was told is then seen.
    pub(crate) fn progress(&self) -> Progress {
        match self.progress.load(Ordering::Acquire) {
            0 => Progress::Working,
            FAILED => Progress::Failed,
            _ => Progress::Done,
        }
    }

    /// Whether it ended at its last cue, with more behind it in the file.
    pub(crate) fn was_cut(&self) -> bool {
        self.progress.load(Ordering::Acquire) == CUT
    }

    /// Frames that were ever put into the ring.
    pub(crate) fn produced(&self) -> u64 {
        self.produced.load(Ordering::Acquire)
    }

    /// Whether nothing at all could be made of the file.
    pub(crate) fn is_stillborn(&self) -> bool {
        self.progress() == Progress::Failed && self.produced() == 0
    }

    /// Whether nothing has come yet.
    pub(crate) fn has_given_nothing(&self) -> bool {
        self.progress() == Progress::Working && self.produced() == 0
    }

    /// Why it failed. Takes a lock: not for the mixer.
    pub(crate) fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end(&self, outcome: Result<End, String>) {
        let progress = match outcome {
            Ok(End::Whole) => WHOLE,
            Ok(End::Cut) => CUT,
            Err(_) => FAILED,
        };
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = outcome.err();
        self.progress.store(progress, Ordering::Release);
    }
}

/// A deck as it was opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) samples: Consumer<f32>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) thread: JoinHandle<()>,
}

/// Begins to decode `track` from `from`.
pub(crate) fn open(track: &Track, from: Duration, form: Form) -> std::io::Result<Opened> {
    let room = (frames(AHEAD, form.rate) as usize * form.channels).min(MOST_AHEAD);
    let (producer, samples) = RingBuffer::new(room - room % form.channels);
    let shared = Arc::new(Shared::default());
    let (track, sharing) = (track.clone(), Arc::clone(&shared));
    let thread = std::thread::Builder::new().name("deck".into()).spawn(move || {
        let mut last_word = LastWord { shared: &sharing, said: false };
        let mut feed = Feed { ring: producer, shared: &sharing, channels: form.channels };
        last_word.say(play(&track, from, form, &mut feed));
    })?;
    Ok(Opened { samples, shared, thread })
}

/// Says how the deck ended even where nobody came to say it.
struct LastWord<'a> {
    shared: &'a Shared,
    said: bool,
}

impl LastWord<'_> {
    fn say(&mut self, outcome: Result<End, DecodeError>) {
        self.said = true;
        self.shared.end(outcome.map_err(|error| error.to_string()));
    }
}

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        if !self.said {
            self.shared.end(Err("the decoder broke down over this file".into()));
        }
    }
}

fn play(track: &Track, from: Duration, form: Form, feed: &mut Feed<'_>) -> Result<End, DecodeError> {
    if from >= track.cue_out {
        return Ok(End::Whole);
    }
    let mut decoder = Decoder::open(&track.path, from)?;
    let (mut packet, mut mapped, mut ready) = (Vec::new(), Vec::new(), Vec::new());
    let mut line: Option<Line> = None;
    while decoder.next(&mut packet)? {
        let line = match &mut line {
            Some(line) => line,
            none => none.insert(Line::new(&decoder, track.cue_out.saturating_sub(from), form)?),
        };
        let wanted = line.cut.take(&packet, line.from_channels);
        line.channels.push(wanted, &mut mapped);
        line.resampled.push(&mapped, &mut ready);
        if !feed.put(&mut ready) {
            return Ok(End::Whole);
        }
        if line.cut.is_over() {
            break;
        }
    }
    let Some(mut line) = line else {
        return if decoder.shape().is_some() { whole(&decoder, track) } else { Err(DecodeError::silent()) };
    };
    if decoder.ending().is_some() {
        line.channels.push(&std::mem::take(&mut line.cut.tail), &mut mapped);
        line.resampled.push(&mapped, &mut ready);
    }
    line.resampled.finish(&mut ready);
    feed.put(&mut ready);
    whole(&decoder, track)
}

/// Whether all came that should have come.
fn whole(decoder: &Decoder, track: &Track) -> Result<End, DecodeError> {
    let at = decoder.position();
    if decoder.ending() == Some(Ending::Doubtful) && at + FORGIVEN < track.cue_out {
        return Err(DecodeError::Cut { at });
    }
    Ok(if decoder.ending().is_some() { End::Whole } else { End::Cut })
}

/// What a decoded file goes through.
struct Line {
    cut: Cut,
    from_channels: usize,
    channels: Channelled,
    resampled: Resampled,
}

impl Line {
    fn new(decoder: &Decoder, length: Duration, form: Form) -> Result<Self, DecodeError> {
        let shape = decoder.shape().expect("samples have come");
        Ok(Self {
            cut: Cut::after(frames(length, shape.rate), frames(ROUNDED, shape.rate)),
            from_channels: shape.channels.count(),
            channels: Channelled::new(&shape.channels, form.channels),
            resampled: Resampled::new(shape.rate, form.rate, form.channels)?,
        })
    }
}

/// Ends a song at its last cue, or at the file's end where that comes a moment later.
struct Cut {
    left: u64,
    slack: u64,
    tail: Vec<f32>,
    tail_frames: u64,
}

impl Cut {
    fn after(left: u64, slack: u64) -> Self {
        Self { left, slack, tail: Vec::new(), tail_frames: 0 }
    }

    /// What of `packet` is before the end; what is just behind it is kept for the case that the file ends there.
    fn take<'a>(&mut self, packet: &'a [f32], channels: usize) -> &'a [f32] {
        let frames = (packet.len() / channels) as u64;
        let taken = frames.min(self.left);
        self.left -= taken;
        let (before, behind) = packet.split_at(taken as usize * channels);
        self.tail_frames += frames - taken;
        if self.tail_frames <= self.slack {
            self.tail.extend_from_slice(behind);
        } else {
            self.tail.clear();
        }
        before
    }

    fn is_over(&self) -> bool {
        self.tail_frames > self.slack
    }
}

/// The way into the ring.
struct Feed<'a> {
    ring: Producer<f32>,
    shared: &'a Shared,
    channels: usize,
}

impl Feed<'_> {
    /// Puts all of `samples` in, waiting for room; false where nobody listens any more.
    fn put(&mut self, samples: &mut Vec<f32>) -> bool {
        let mut rest = &samples[..];
        while !rest.is_empty() {
            if self.ring.is_abandoned() {
                return false;
            }
            let room = self.ring.slots() / self.channels * self.channels;
            let (now, later) = rest.split_at(room.min(rest.len()));
            if now.is_empty() {
                std::thread::park_timeout(LOOK_AGAIN);
                continue;
            }
            self.ring.push_entire_slice(now).expect("there is room");
            self.shared.produced.fetch_add((now.len() / self.channels) as u64, Ordering::Release);
            rest = later;
        }
        samples.clear();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deck_that_panics_has_failed_and_says_so() {
        let shared = Arc::new(Shared::default());
        let sharing = Arc::clone(&shared);
        let broken = std::thread::Builder::new().spawn(move || {
            let _last_word = LastWord { shared: &sharing, said: false };
            panic!("a decoder with a bug (this message is part of a test)");
        });
        assert!(broken.unwrap().join().is_err());
        assert_eq!(shared.progress(), Progress::Failed);
        assert!(shared.is_stillborn());
        assert!(shared.why().unwrap().contains("broke down"));
    }

    #[test]
    fn a_song_ends_at_its_last_cue_or_with_its_file_a_moment_later() {
        let mut cut = Cut::after(5, 2);
        assert_eq!(cut.take(&[1.0, 2.0, 3.0], 1), [1.0, 2.0, 3.0]);
        assert_eq!(cut.take(&[4.0, 5.0, 6.0], 1), [4.0, 5.0]);
        assert!(!cut.is_over());
        assert_eq!(cut.tail, [6.0]);
        assert!(cut.take(&[7.0, 8.0], 1).is_empty());
        assert!(cut.is_over() && cut.tail.is_empty());
    }
}
