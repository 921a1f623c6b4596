//! A sound card, by cpal and rodio's mixer: `PulseAudio` (or what speaks its language) where its server answers, else
//! ALSA.
//!
//! A sound card that is lost says so in its own way: once, or ten thousand times a second, or not at all. So its errors
//! only raise a flag, and a callback that stands still is taken for a lost card.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{BufferSize, Device, ErrorKind, Host, HostId, SampleFormat};
use rodio::stream::DeviceSinkBuilder;
use rodio::{ChannelCount, MixerDeviceSink, SampleRate, Source};

use super::{Open, OutputDevice, Stop};
use crate::deck::Form;
use crate::mix::{Face, Render};

/// What the sound card asks for at once; it holds two of them. More, and an order would be heard later than it should.
const PERIOD: Duration = Duration::from_millis(60);
/// How often the card is looked after.
const LOOK: Duration = Duration::from_millis(50);
/// A callback that did not come for so long does not come any more.
const STALLED: Duration = Duration::from_secs(3);
/// A card that reports errors without end is slowed down to this.
const CALM: Duration = Duration::from_millis(5);
/// Frames rendered at once.
const BLOCK: usize = 256;

/// All sound cards of all hosts.
pub(super) fn list() -> Vec<OutputDevice> {
    let mut found = Vec::new();
    for (id, host) in hosts() {
        let default = host.default_output_device().and_then(|device| name_of(&device));
        for device in host.output_devices().into_iter().flatten() {
            let Some(name) = name_of(&device) else { continue };
            let description = device.description().map(|words| words.name().to_owned());
            let is_default =
                default.as_ref() == Some(&name) && !found.iter().any(|at: &OutputDevice| at.is_default);
            let description = description.unwrap_or_else(|_| name.clone());
            found.push(OutputDevice { name, description, host: id.name().into(), is_default });
        }
    }
    found
}

/// Opens the sound card of this name, or the system's choice.
pub(super) fn open(name: Option<&str>) -> anyhow::Result<Open> {
    let mut last = None;
    for (id, host) in hosts() {
        if id.name() == "ALSA" && name.is_none() && !has_cards() {
            continue;
        }
        let Some(device) = choose(&host, name) else { continue };
        match open_on(id, &device) {
            Ok(open) => return Ok(open),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| match name {
        Some(name) => anyhow::anyhow!("there is no sound card called {name}"),
        None => anyhow::anyhow!("there is no sound card, and no sound server answers"),
    }))
}

/// Whether the kernel knows a sound card. Without one, ALSA's default is only another way to a server that does not
/// answer, and ALSA complains of that at length on standard error, at each attempt.
fn has_cards() -> bool {
    let cards = std::fs::read_to_string("/proc/asound/cards");
    cards.map_or(!cfg!(target_os = "linux"), |cards| cards.contains('['))
}

/// In the order in which they are tried. A host whose server is down is not among them.
fn hosts() -> impl Iterator<Item = (HostId, Host)> {
    cpal::available_hosts().into_iter().filter_map(|id| Some((id, cpal::host_from_id(id).ok()?)))
}

fn choose(host: &Host, name: Option<&str>) -> Option<Device> {
    let Some(name) = name else { return host.default_output_device() };
    let is_it = |device: &Device| {
        name_of(device).as_deref() == Some(name)
            || device.description().is_ok_and(|words| words.name() == name)
    };
    host.output_devices().ok()?.find(is_it)
}

fn name_of(device: &Device) -> Option<String> {
    device.id().ok().map(|id| id.id().to_owned())
}

/// What a lost card leaves: the flag, and its last words.
#[derive(Debug, Default)]
struct Lost {
    is_lost: AtomicBool,
    words: Mutex<String>,
}

impl Lost {
    fn tell(&self, error: &cpal::Error) {
        if matches!(error.kind(), ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged) {
            tracing::debug!("the sound card says: {error}");
            return;
        }
        if !self.is_lost.load(Ordering::Acquire) {
            *self.words.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
            self.is_lost.store(true, Ordering::Release);
        }
        std::thread::sleep(CALM);
    }

    fn why(&self) -> Option<String> {
        let lost = self.is_lost.load(Ordering::Acquire);
        lost.then(|| {
            format!("the sound card is gone ({})", self.words.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

fn open_on(id: HostId, device: &Device) -> anyhow::Result<Open> {
    let called =
        device.description().map_or_else(|_| "a sound card".to_owned(), |words| words.name().to_owned());
    let lost = Arc::new(Lost::default());
    let sink = open_sink(id, device, &lost)
        .with_context(|| format!("the sound card {called} cannot be played to"))?;
    let config = sink.config();
    let form = Form { rate: config.sample_rate().get(), channels: usize::from(config.channel_count().get()) };
    let words = format!("{called} by {} at {} Hz, {} channels", id.name(), form.rate, form.channels);
    let (channels, rate) = (config.channel_count(), config.sample_rate());
    let play = move |render: Render, stop: &Stop| {
        let face = render.face();
        sink.mixer().add(Feed::new(render, channels, rate));
        let why = watch(&face, &lost, stop);
        close(sink);
        why
    };
    Ok(Open { form, latency: 2 * PERIOD, words, play: Box::new(play) })
}

/// With our period, or with the card's own where it refuses.
fn open_sink(id: HostId, device: &Device, lost: &Arc<Lost>) -> anyhow::Result<MixerDeviceSink> {
    let attempt = |period: Option<Duration>| {
        let builder = DeviceSinkBuilder::from_device(device.clone())?;
        let calm = Arc::clone(lost);
        let mut builder = builder.with_error_callback(move |error| calm.tell(&error));
        if id.name() == "PulseAudio" {
            // The server brings it to what the card wants; nothing is gained by doing it here.
            builder = builder.with_sample_format(SampleFormat::F32);
        }
        let rate = device.default_output_config()?.sample_rate();
        let size = period.map_or(BufferSize::Default, |period| {
            BufferSize::Fixed((period.as_millis() as u32 * rate / 1000).max(1))
        });
        anyhow::Ok(builder.with_buffer_size(size).open_stream()?)
    };
    let mut sink = attempt(Some(PERIOD)).or_else(|_refused| attempt(None))?;
    sink.log_on_drop(false);
    Ok(sink)
}

/// Until the card is lost, stands still, or is not wanted any more.
fn watch(face: &Face, lost: &Lost, stop: &Stop) -> Option<String> {
    let (mut pulse, mut still) = (0, Duration::ZERO);
    while !stop.is_stopped() {
        stop.wait(LOOK);
        if let Some(why) = lost.why() {
            return Some(why);
        }
        let beat = face.look().pulse;
        still = if beat == pulse { still + LOOK } else { Duration::ZERO };
        pulse = beat;
        if still >= STALLED {
            return Some("the sound card does not take any more samples".into());
        }
    }
    None
}

/// Closes a card on a thread of its own: one whose server hangs may never come back from it.
fn close(sink: MixerDeviceSink) {
    let closing = std::thread::Builder::new().name("output-closing".into()).spawn(move || drop(sink));
    if let Err(error) = closing {
        tracing::warn!("a sound card could not be closed: {error}");
    }
}

/// The mixer as rodio pulls it: sample by sample, of one form for ever.
struct Feed {
    render: Render,
    channels: ChannelCount,
    rate: SampleRate,
    block: Vec<f32>,
    at: usize,
}

impl Feed {
    fn new(render: Render, channels: ChannelCount, rate: SampleRate) -> Self {
        let block = vec![0.0; BLOCK * usize::from(channels.get())];
        Self { render, channels, rate, at: block.len(), block }
    }
}

impl Iterator for Feed {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        if self.at == self.block.len() {
            self.render.render(&mut self.block);
            self.at = 0;
        }
        self.at += 1;
        Some(self.block[self.at - 1])
    }
}

impl Source for Feed {
    fn current_span_len(&self) -> Option<usize> {
        None
    }

    fn channels(&self) -> ChannelCount {
        self.channels
    }

    fn sample_rate(&self) -> NonZero<u32> {
        self.rate
    }

    fn total_duration(&self) -> Option<Duration> {
        None
    }
}
