//! From a file to samples: any format, from any point, with the encoder's own padding taken off.
//!
//! A file that was cut off is told from one that ends: what it says of its own length is compared with what came. What
//! is absent: any judgement of tags, loudness or cues; the hub's analysis made that once, and a `Track` carries it.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, SeekMode, SeekTo, Track, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;
use symphonia::core::units::{Time, TimeBase, Timestamp};

mod channels;
mod resample;

pub(crate) use channels::Channelled;
pub(crate) use resample::Resampled;

/// Damage between two packets that is skipped before the file is given up: about two seconds of MP3.
const MAX_FAILURES: u32 = 100;
/// What is decoded before the wanted point and thrown away, so that the decoder has settled: MP3 borrows bits from
/// packets before, Vorbis and AAC overlap with the one before.
const RUN_UP: Duration = Duration::from_millis(500);
/// Nearer to the start than this, decoding from the start costs less than a seek.
const WORTH_SEEKING: Duration = Duration::from_secs(2);
/// A float file may hold anything; what is beyond 24 dB above full scale is damage.
const LOUDEST: f32 = 16.0;

/// Why a file could not be played, or not to its end. For people.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not there, or not ours to read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// No music in a form that we know.
    #[error("the file is no music in a known format ({0})")]
    Unknown(String),
    /// It began well.
    #[error("the file is damaged at {:.1} s ({why})", at.as_secs_f64())]
    Damaged {
        /// Where.
        at: Duration,
        /// What the decoder says.
        why: String,
    },
    /// It ends before its music does.
    #[error("the file ends at {:.1} s, before its music does", at.as_secs_f64())]
    Cut {
        /// Where.
        at: Duration,
    },
    /// The resampler refused this pair of rates.
    #[error("sound at {0} Hz cannot be brought to the output's rate")]
    Rate(u32),
}

impl DecodeError {
    /// A container without a single sample in it.
    pub(crate) fn silent() -> Self {
        Self::Unknown("there is no sound in it".into())
    }
}

/// What the samples are like.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Samples a second.
    pub rate: u32,
    /// Where each channel belongs.
    pub channels: Channels,
}

/// How a file came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As it says itself, or it says nothing of its length.
    Whole,
    /// Its length is not known, or less came than it says.
    Doubtful,
}

/// An open file, read packet by packet.
pub struct Decoder {
    format: Box<dyn FormatReader>,
    codec: Box<dyn AudioDecoder>,
    track: u32,
    time_base: Option<TimeBase>,
    declared: Option<u64>,
    rate: u32,
    shape: Option<Shape>,
    /// In frames of the file: what comes next.
    position: u64,
    /// Everything before is thrown away.
    wanted: u64,
    failures: u32,
    ending: Option<Ending>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("shape", &self.shape)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl Decoder {
    /// Opens a file; the first sample to come is the one at `from`.
    pub fn open(path: &Path, from: Duration) -> Result<Self, DecodeError> {
        let file = File::open(path).map_err(DecodeError::Unreadable)?;
        let source = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
        let format = symphonia::default::get_probe()
            .probe(&Hint::new(), source, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| unknown(&error))?;
        let track = audio_track(format.as_ref())?;
        let (codec, rate) = decoder_for(&track)?;
        let mut opened = Self {
            format,
            codec,
            track: track.id,
            time_base: track.time_base,
            declared: track.num_frames,
            rate,
            shape: None,
            position: 0,
            wanted: frames(from, rate),
            failures: 0,
            ending: None,
        };
        if from > WORTH_SEEKING {
            opened.seek(from.saturating_sub(RUN_UP));
        }
        Ok(opened)
    }

    /// What the samples are like; known once some have come.
    pub fn shape(&self) -> Option<&Shape> {
        self.shape.as_ref()
    }

    /// How the file ended, once it has.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Where in the file the next sample is.
    pub fn position(&self) -> Duration {
        Duration::from_secs_f64(self.position as f64 / f64::from(self.rate.max(1)))
    }

    /// Puts the next interleaved samples into `into` (and nothing else); false at the end of the file.
    pub fn next(&mut self, into: &mut Vec<f32>) -> Result<bool, DecodeError> {
        into.clear();
        while self.ending.is_none() && into.is_empty() {
            match self.format.next_packet() {
                Ok(None) => self.ends(false),
                Ok(Some(packet)) if packet.track_id == self.track => self.packet(&packet, into)?,
                Ok(Some(_)) => {}
                Err(Error::ResetRequired) => self.next_chained_stream()?,
                Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    self.ends(true);
                }
                Err(error @ Error::DecodeError(_)) => self.failure(&error)?,
                Err(error) => return Err(self.damaged(&error)),
            }
        }
        Ok(!into.is_empty())
    }

    fn packet(&mut self, packet: &Packet, into: &mut Vec<f32>) -> Result<(), DecodeError> {
        let decoded = match self.codec.decode(packet) {
            Ok(decoded) => decoded,
            Err(error @ (Error::DecodeError(_) | Error::IoError(_))) => return self.failure(&error),
            Err(error) => return Err(self.damaged(&error)),
        };
        let frames = decoded.frames() as u64;
        if frames == 0 {
            return Ok(());
        }
        self.failures = 0;
        let shape = Shape { rate: decoded.spec().rate(), channels: decoded.spec().channels().clone() };
        let channels = shape.channels.count();
        decoded.copy_to_vec_interleaved(into);
        if *self.shape.get_or_insert_with(|| shape.clone()) != shape {
            let why = "it changes its form half-way".to_owned();
            return Err(DecodeError::Damaged { at: self.position(), why });
        }
        if self.position < self.wanted {
            // Until the wanted point is reached the file's own clock counts: what was skipped is not known otherwise.
            self.position = self.frame_of(packet).unwrap_or(self.position);
        }
        let skipped = self.wanted.saturating_sub(self.position).min(frames);
        into.drain(..skipped as usize * channels);
        self.position += frames;
        for sample in into.iter_mut() {
            *sample = if sample.is_finite() { sample.clamp(-LOUDEST, LOUDEST) } else { 0.0 };
        }
        Ok(())
    }

    fn ends(&mut self, abruptly: bool) {
        let missing =
            self.declared.is_none_or(|declared| declared > self.position + u64::from(self.rate / 2));
        self.ending = Some(if abruptly || missing { Ending::Doubtful } else { Ending::Whole });
    }

    fn failure(&mut self, error: &Error) -> Result<(), DecodeError> {
        self.failures += 1;
        if self.failures < MAX_FAILURES { Ok(()) } else { Err(self.damaged(error)) }
    }

    fn damaged(&self, error: &Error) -> DecodeError {
        DecodeError::Damaged { at: self.position(), why: error.to_string() }
    }

    /// Best effort: where it cannot be done, all that comes before is decoded and thrown away.
    fn seek(&mut self, to: Duration) {
        let Some(time) = Time::try_from_secs_f64(to.as_secs_f64()) else { return };
        let to = SeekTo::Time { time, track_id: Some(self.track) };
        if self.format.seek(SeekMode::Accurate, to).is_err() {
            let _still_at_the_start = self
                .format
                .seek(SeekMode::Accurate, SeekTo::Timestamp { ts: Timestamp::new(0), track_id: self.track });
        }
        self.codec.reset();
    }

    /// Which frame of the music the packet's first one is, by the container's clock.
    fn frame_of(&self, packet: &Packet) -> Option<u64> {
        let ticks = i128::from(packet.pts.get()) + i128::from(packet.trim_start.get());
        let (numer, denom) = match self.time_base {
            Some(base) => (i128::from(base.numer.get()), i128::from(base.denom.get())),
            None => (1, i128::from(self.rate.max(1))),
        };
        let frame = (ticks * numer * i128::from(self.rate) + denom / 2) / denom;
        u64::try_from(frame.max(0)).ok()
    }

    /// Ogg files may be several songs one after the other; here they are one.
    fn next_chained_stream(&mut self) -> Result<(), DecodeError> {
        let track = audio_track(self.format.as_ref())?;
        self.codec = decoder_for(&track)?.0;
        self.track = track.id;
        self.declared = None;
        Ok(())
    }
}

/// A time as a number of frames, rounded.
pub(crate) fn frames(time: Duration, rate: u32) -> u64 {
    let frames = (time.as_nanos() * u128::from(rate) + 500_000_000) / 1_000_000_000;
    u64::try_from(frames).unwrap_or(u64::MAX)
}

fn audio_track(format: &dyn FormatReader) -> Result<Track, DecodeError> {
    let track = format.default_track(TrackType::Audio).cloned();
    track.ok_or_else(DecodeError::silent)
}

fn decoder_for(track: &Track) -> Result<(Box<dyn AudioDecoder>, u32), DecodeError> {
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or_else(|| DecodeError::Unknown("its codec is not known".into()))?;
    let decoder =
        symphonia::default::get_codecs().make_audio_decoder(parameters, &AudioDecoderOptions::default());
    Ok((decoder.map_err(|error| unknown(&error))?, parameters.sample_rate.unwrap_or(44_100)))
}

fn unknown(error: &Error) -> DecodeError {
    DecodeError::Unknown(error.to_string())
}
