//! Where the sound goes: a sound card, nowhere in real time, or a file in real time.
//!
//! One thread opens the output, hands the mixer to it and watches; where it is lost it is opened again, for as long as
//! it takes. The mixer is the engine's: what was lost with an output is made again by the engine for the next one.

use std::fmt::{Display, Formatter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use roomtone_schema::time::Clock;

use crate::deck::Form;
use crate::engine::Inbox;
use crate::mix::Render;

#[cfg(feature = "device")]
mod device;
mod offline;
mod paced;
mod wave;

pub use offline::Offline;

/// After a failure the output is opened again this soon, then half as often each time.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// At least this often: a sound server that is back should be heard within five seconds.
const SLOWEST_RETRY: Duration = Duration::from_secs(2);
/// One that could be opened, and was lost again, is tried this soon: a sound server that comes up refuses at first.
const OPENED_RETRY: Duration = Duration::from_millis(500);
/// An output that has played this long was well: the next failure is a new one.
const WELL: Duration = Duration::from_secs(10);
/// How long a healthy engine may take to make a mixer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputKind {
    /// A sound card: the one of this name, or the system's choice.
    Device(Option<String>),
    /// Nowhere, in real time.
    Discard,
    /// What a loudspeaker would get, into a WAV file, in real time.
    File(PathBuf),
}

/// `device`, `device:NAME`, `discard` or `file:PATH.wav` is what an output is called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no output: say device, device:NAME, discard or file:PATH.wav")]
pub struct OddOutput(String);

impl FromStr for OutputKind {
    type Err = OddOutput;

    fn from_str(text: &str) -> Result<Self, OddOutput> {
        match text.split_once(':') {
            None if text == "device" => Ok(Self::Device(None)),
            None if text == "discard" => Ok(Self::Discard),
            Some(("device", name)) if !name.is_empty() => Ok(Self::Device(Some(name.into()))),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(OddOutput(text.into())),
        }
    }
}

impl Display for OutputKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Device(None) => f.write_str("device"),
            Self::Device(Some(name)) => write!(f, "device:{name}"),
            Self::Discard => f.write_str("discard"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// A sound card that could be played to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputDevice {
    /// What `device:NAME` takes.
    pub name: String,
    /// What people call it.
    pub description: String,
    /// Through which system: `PulseAudio`, ALSA.
    pub host: String,
    /// Whether the system would choose it.
    pub is_default: bool,
}

/// The sound cards that are there now; none where this was built without them.
pub fn outputs() -> Vec<OutputDevice> {
    #[cfg(feature = "device")]
    return device::list();
    #[cfg(not(feature = "device"))]
    Vec::new()
}

/// What the output's thread tells the engine.
pub(crate) enum News {
    /// It is open and wants a mixer.
    Up(Up),
    Down {
        why: String,
    },
    /// The engine itself is to end.
    Close,
}

/// An output that was opened.
pub(crate) struct Up {
    pub(crate) form: Form,
    /// From the mixer to the ear, as far as it is known.
    pub(crate) latency: Duration,
    pub(crate) words: String,
    pub(crate) reply: SyncSender<Render>,
}

/// An output that was opened, before it has a mixer.
struct Open {
    form: Form,
    latency: Duration,
    words: String,
    /// Plays until it is lost or told to stop; says why it is lost.
    play: Box<Playing>,
}

/// An output at work.
type Playing = dyn FnOnce(Render, &Stop) -> Option<String>;

/// Tells the output's thread to stop, and wakes it where it waits.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopped: AtomicBool,
    lock: Mutex<()>,
    bell: Condvar,
}

impl Stop {
    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // Whoever has just looked at the flag is waiting by the time the lock is free.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
        self.bell.notify_all();
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Waits so long, or until it is stopped.
    fn wait(&self, time: Duration) {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_stopped() {
            drop(self.bell.wait_timeout(guard, time));
        }
    }
}

/// The output's thread, as the engine holds it.
pub(crate) struct Outlet {
    stop: Arc<Stop>,
    thread: JoinHandle<()>,
    gone: std::sync::mpsc::Receiver<()>,
}

impl Outlet {
    pub(crate) fn start(
        kind: OutputKind,
        engine: Sender<Inbox>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let stop = Arc::new(Stop::default());
        let stopping = Arc::clone(&stop);
        let (going, gone) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("output".into())
            .spawn(move || {
                keep_playing(&kind, &engine, &clock, &stopping);
                going.send(()).ok();
            })
            .context("the output's thread could not be started")?;
        Ok(Self { stop, thread, gone })
    }

    /// Stops it; a sound system that does not answer any more is left behind.
    pub(crate) fn close(self, at_most: Duration) {
        self.stop.stop();
        if self.gone.recv_timeout(at_most).is_ok() {
            self.thread.join().ok();
        }
    }
}

/// Opens, plays, and begins again where it was lost.
fn keep_playing(kind: &OutputKind, engine: &Sender<Inbox>, clock: &Arc<dyn Clock>, stop: &Stop) {
    let mut retry = FIRST_RETRY;
    let mut first = true;
    let mut told = None;
    while !stop.is_stopped() {
        let began_ms = clock.monotonic_ms();
        let mut opened = false;
        let attempt = || match open(kind, clock, first) {
            Ok(open) => {
                opened = true;
                play(open, engine, stop)
            }
            Err(error) => Some(format!("{error:#}")),
        };
        // Drivers and servers are other people's code: where it panics, the output is lost and opened again.
        let lost = catch_unwind(AssertUnwindSafe(attempt))
            .unwrap_or_else(|_panic| Some("the sound system broke down".to_owned()));
        if opened {
            first = false;
            retry = retry.min(OPENED_RETRY);
        }
        let Some(why) = lost else { return };
        if clock.monotonic_ms() - began_ms >= WELL.as_millis() as i64 {
            retry = FIRST_RETRY;
        }
        // The same reason again and again is said once.
        if told.as_ref() != Some(&why) {
            tracing::warn!(output = %kind, ?retry, "the output does not play: {why}");
            told = Some(why.clone());
        }
        if engine.send(Inbox::News(News::Down { why })).is_err() {
            return;
        }
        stop.wait(retry);
        retry = (retry * 2).min(SLOWEST_RETRY);
    }
}

/// Why it was lost; `None` where it was told to stop.
fn play(open: Open, engine: &Sender<Inbox>, stop: &Stop) -> Option<String> {
    let (reply, mixer) = sync_channel(1);
    let up = Up { form: open.form, latency: open.latency, words: open.words.clone(), reply };
    engine.send(Inbox::News(News::Up(up))).ok()?;
    let render = mixer.recv_timeout(PATIENCE).ok()?;
    tracing::info!("the sound goes to {}", open.words);
    (open.play)(render, stop)
}

fn open(kind: &OutputKind, clock: &Arc<dyn Clock>, first: bool) -> anyhow::Result<Open> {
    match kind {
        OutputKind::Discard => Ok(paced::discard(Arc::clone(clock))),
        OutputKind::File(path) => paced::file(path, Arc::clone(clock), first),
        #[cfg(feature = "device")]
        OutputKind::Device(name) => device::open(name.as_deref()),
        #[cfg(not(feature = "device"))]
        OutputKind::Device(_) => {
            anyhow::bail!("this player was built without sound cards (feature `device`)")
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("device", OutputKind::Device(None))]
    #[case("device:USB: Audio", OutputKind::Device(Some("USB: Audio".into())))]
    #[case("discard", OutputKind::Discard)]
    #[case("file:/tmp/heard.wav", OutputKind::File("/tmp/heard.wav".into()))]
    fn an_output_is_called_by_its_words(#[case] words: &str, #[case] kind: OutputKind) {
        assert_eq!(words.parse(), Ok(kind.clone()));
        assert_eq!(kind.to_string(), words);
    }

    #[rstest]
    #[case("")]
    #[case("loudspeaker")]
    #[case("device:")]
    #[case("file:")]
    fn other_words_are_no_output(#[case] words: &str) {
        assert!(words.parse::<OutputKind>().unwrap_err().to_string().contains("discard"));
    }
}
