//! The sound: what plays and what comes next, on threads that wait for nobody.
//!
//! The engine makes the transitions itself, to the sample: when the current song comes within its crossfade of its
//! end, the next one begins under it. Whoever steers it only says early what comes next.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use roomtone_schema::PlayId;
use roomtone_schema::play::PlayEnd;
use roomtone_schema::time::Clock;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::output::{News, Outlet};
pub use crate::output::{OutputDevice, OutputKind, outputs};

pub(crate) mod control;

use control::Control;

/// A file and how it is to be played.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Under which id its play is told to the hub.
    pub play: PlayId,
    /// Where the file is.
    pub path: PathBuf,
    /// What brings it to the zone's loudness.
    pub gain_db: f32,
    /// Where its music starts.
    pub cue_in: Duration,
    /// Where its music ends: the next song has begun by then.
    pub cue_out: Duration,
    /// Where to begin: `cue_in`, or later where a song is taken up again.
    pub from: Duration,
    /// Overlap with the song before it; zero is gapless.
    pub crossfade: Duration,
}

/// What the engine is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// What comes after the current song; replaces what was said before. `None` where nothing is known.
    Next(Option<Track>),
    /// Leave the current song, if there is one, for this one, with a short fade.
    Play(Track),
    /// Fade out and hold the position.
    Pause,
    /// Go on from there.
    Resume,
    /// Fade out, end the play, forget what comes next.
    Stop,
    /// 0 to 1, by ear: reached by a ramp.
    Volume(f32),
}

/// What the engine tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The song's first sample has left for the output.
    Started {
        /// Which.
        play: PlayId,
    },
    /// The song is over; told after the `Started` of the one that took its place, where there is one.
    Ended {
        /// Which.
        play: PlayId,
        /// How. `Failed` also where the file could not be read to its end; then `why` says it.
        end: PlayEnd,
        /// What was rendered of it, fades included, pauses not.
        heard: Duration,
        /// A sentence, where it failed.
        why: Option<String>,
    },
    /// There is nothing to play after the song that has just ended, or the next one could not be read.
    Dry,
    /// The output went away or came back; `None` = it plays.
    Output {
        /// Why it does not.
        trouble: Option<String>,
    },
}

/// How the engine stands, as of the last block rendered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// What plays.
    pub play: Option<PlayId>,
    /// Where in the file, as heard (the output's latency taken off where it is known).
    pub position: Duration,
    /// What was rendered of this play so far.
    pub heard: Duration,
    /// RMS of the last 400 ms of the output in dBFS; -120 where there is nothing.
    pub level_db: f32,
    /// Unplanned silence since the start, in milliseconds: below -60 dBFS for more than 2 s while it should play, outside
    /// of passages that are quiet in the song itself. Counts from the first silent sample.
    pub silence_ms: u64,
    /// Whether such a silence lasts right now.
    pub silent_now: bool,
    /// Held by `Pause`.
    pub paused: bool,
    /// Why the output does not play; `None` where it does.
    pub output_trouble: Option<String>,
    /// Which output, in words.
    pub output: String,
    /// Times that a deck had no samples ready in the middle of a song.
    pub underruns: u64,
    /// 0 to 1, as last ordered.
    pub volume: f32,
}

/// What an engine is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineSettings {
    /// Where the sound goes.
    pub output: OutputKind,
    /// 0 to 1, by ear.
    pub volume: f32,
}

/// How often the engine looks after its decks, and renews the snapshot; orders do not wait for it.
const TICK: Duration = Duration::from_millis(20);
/// The last sound fades out, and leaves the output, before the output is closed.
const FAREWELL: Duration = Duration::from_millis(300);
/// Until the engine's thread has closed its output, or is left behind.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// The engine at work. Dropping it stops the sound and the threads.
#[derive(Debug)]
pub struct Engine {
    inbox: Option<Sender<Inbox>>,
    snapshot: Arc<Mutex<Snapshot>>,
    thread: Option<JoinHandle<()>>,
}

/// What reaches the engine's thread.
pub(crate) enum Inbox {
    Command(Command),
    News(News),
}

impl Engine {
    /// Starts the threads; the output is opened by one of them, and reopened for as long as it takes.
    pub fn start(
        settings: EngineSettings,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<(Self, UnboundedReceiver<Event>)> {
        let EngineSettings { output, volume } = settings;
        let (events_in, events) = tokio::sync::mpsc::unbounded_channel();
        let (inbox_in, inbox) = channel();
        let mut control = Control::new(volume, events_in);
        let snapshot = Arc::new(Mutex::new(control.snapshot(&output.to_string())));
        let words = output.to_string();
        let outlet = Outlet::start(output, inbox_in.clone(), Arc::clone(&clock))?;
        let shown = Arc::clone(&snapshot);
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || run(&inbox, &mut control, outlet, clock.as_ref(), &shown, words))
            .context("the engine's thread could not be started")?;
        Ok((Self { inbox: Some(inbox_in), snapshot, thread: Some(thread) }, events))
    }

    /// Tells it something; never waits, and nothing is lost.
    pub fn send(&self, command: Command) {
        if let Some(inbox) = &self.inbox {
            inbox.send(Inbox::Command(command)).ok();
        }
    }

    /// How it stands, a few milliseconds ago.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(inbox) = self.inbox.take() {
            inbox.send(Inbox::News(News::Close)).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn run(
    inbox: &Receiver<Inbox>,
    control: &mut Control,
    outlet: Outlet,
    clock: &dyn Clock,
    shown: &Mutex<Snapshot>,
    mut words: String,
) {
    loop {
        let mut letter = match inbox.recv_timeout(TICK) {
            Ok(letter) => Some(letter),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let now_ms = clock.monotonic_ms();
        while let Some(this) = letter {
            match this {
                Inbox::Command(command) => control.obey(command),
                Inbox::News(News::Close) => {
                    if control.hush() {
                        std::thread::sleep(FAREWELL);
                    }
                    outlet.close(LAST_WAIT);
                    return;
                }
                Inbox::News(News::Up(up)) => {
                    words.clone_from(&up.words);
                    let render = control.connect(up.form, up.latency, now_ms);
                    // An output that is gone again says so itself.
                    up.reply.send(render).ok();
                }
                Inbox::News(News::Down { why }) => control.disconnect(why, now_ms),
            }
            letter = inbox.try_recv().ok();
        }
        control.step(now_ms);
        *shown.lock().unwrap_or_else(PoisonError::into_inner) = control.snapshot(&words);
    }
}
