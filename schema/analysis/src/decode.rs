//! From a file to samples, and whether all of them were there.

use std::fs::File;
use std::time::Duration;

use symphonia::core::codecs::audio::well_known as ids;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use crate::error::Reason;
use crate::limits::MAX_HOURS;
use crate::sniff::Container;

mod aac;
mod declared;

use declared::{Promise, declared_frames};

/// Sample rates that we can describe. Outside of them are counting errors and hostile files.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=384_000;
/// More channels than any room has.
const MAX_CHANNELS: usize = 16;
/// A container may overstate its length by the rounding of its last packet; nobody hears this.
const FORGIVEN: Duration = Duration::from_millis(120);
/// A song that loses more than one packet in a hundred is damaged; fewer are a tick that nobody remembers.
const LOST_IN: u64 = 100;
/// One byte in so many may lie outside of the packets of a stream: headers, and a tag at the end.
const STRAY: u64 = 10;
/// A demuxer that fails so often without any success in between is going round in circles.
const MAX_FAILURES: u32 = 1000;

/// Takes the samples as they come: the sound of six hours does not fit into the memory of one child.
pub(crate) trait Sink {
    /// Called once, before the first samples.
    fn start(&mut self, rate: u32, channels: usize) -> Result<(), Reason>;
    /// Interleaved samples.
    fn take(&mut self, interleaved: &[f32]) -> Result<(), Reason>;
}

/// What decoding found out about the stream itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) rate: u32,
    pub(crate) frames: u64,
    /// `ITUNESADVISORY` as it stands in the file: the tag reader only knows it in some containers.
    pub(crate) advisory: Option<String>,
}

/// Decodes the whole file into `sink`.
pub(crate) fn decode(mut file: File, container: Container, sink: &mut dyn Sink) -> Result<Stream, Reason> {
    let promise =
        Promise::read(&mut file, container).map_err(|error| Reason::Unreadable(error.to_string()))?;
    match decode_from(file, container, &promise, sink) {
        // Half an index and half a sound are nothing to a demuxer, but we saw why.
        Err(Reason::Damaged(_) | Reason::Empty) if promise.cut => {
            Err(Reason::Truncated { decoded_ms: 0, declared_ms: None })
        }
        other => other,
    }
}

fn decode_from(
    file: File,
    container: Container,
    promise: &Promise,
    sink: &mut dyn Sink,
) -> Result<Stream, Reason> {
    let source =
        MediaSourceStream::new(Box::new(file), symphonia::core::io::MediaSourceStreamOptions::default());
    let mut hint = Hint::new();
    hint.mime_type(container.content_type());
    let mut format = symphonia::default::get_probe()
        .probe(&hint, source, FormatOptions::default(), MetadataOptions::default())
        .map_err(damaged_or_empty)?;
    let track = audio_track(format.as_ref())?;
    let declared = if promise.length_is_stated { declared_frames(&track) } else { None };
    let mut decoding = Decoding::new(&track)?;
    decoding.refuse_if_declared_too_long(declared)?;
    decoding.run(format.as_mut(), sink)?;
    decoding.account_for(promise)?;
    decoding.finish(declared, advisory(format.as_mut()))
}

fn audio_track(format: &dyn FormatReader) -> Result<Track, Reason> {
    if let Some(track) = format.default_track(TrackType::Audio) {
        return Ok(track.clone());
    }
    let unknown = || Reason::Unsupported("the codec of this file".into());
    Err(if format.tracks().is_empty() { Reason::Empty } else { unknown() })
}

struct Decoding {
    track: u32,
    decoder: Box<dyn AudioDecoder>,
    rate: u32,
    channels: Option<usize>,
    frames: u64,
    packets: u64,
    packed_bytes: u64,
    lost: u64,
    samples: Vec<f32>,
    ended_early: bool,
}

impl Decoding {
    fn new(track: &Track) -> Result<Self, Reason> {
        let (decoder, rate) = decoder_for(track)?;
        Ok(Self {
            track: track.id,
            decoder,
            rate,
            channels: None,
            frames: 0,
            packets: 0,
            packed_bytes: 0,
            lost: 0,
            samples: Vec::new(),
            ended_early: false,
        })
    }

    fn most_frames(&self) -> u64 {
        MAX_HOURS * 3600 * u64::from(self.rate)
    }

    fn refuse_if_declared_too_long(&self, declared: Option<u64>) -> Result<(), Reason> {
        if declared.is_some_and(|frames| frames > self.most_frames()) {
            return Err(Reason::TooLong(MAX_HOURS));
        }
        Ok(())
    }

    fn run(&mut self, format: &mut dyn FormatReader, sink: &mut dyn Sink) -> Result<(), Reason> {
        let mut failures = 0;
        while failures < MAX_FAILURES {
            match format.next_packet() {
                Ok(None) => return Ok(()),
                Ok(Some(packet)) if packet.track_id == self.track => {
                    failures = 0;
                    self.packet(&packet, sink)?;
                }
                Ok(Some(_)) => {}
                Err(Error::ResetRequired) => self.next_chained_stream(format)?,
                Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    self.ended_early = true;
                    return Ok(());
                }
                Err(Error::IoError(error)) => return Err(whose_fault(&error)),
                Err(Error::DecodeError(_)) => {
                    failures += 1;
                    self.lost += 1;
                }
                Err(error) => return Err(Reason::Damaged(error.to_string())),
            }
        }
        Err(Reason::Damaged("its packets cannot be found".into()))
    }

    fn packet(&mut self, packet: &Packet, sink: &mut dyn Sink) -> Result<(), Reason> {
        self.packets += 1;
        self.packed_bytes += packet.data.len() as u64;
        let buffer = match self.decoder.decode(packet) {
            Ok(buffer) => buffer,
            Err(Error::DecodeError(_) | Error::IoError(_)) => {
                self.lost += 1;
                return Ok(());
            }
            Err(error) => return Err(Reason::Damaged(error.to_string())),
        };
        let (rate, channels) = (buffer.spec().rate(), buffer.spec().channels().count());
        let frames = buffer.frames();
        if frames == 0 {
            return Ok(());
        }
        buffer.copy_to_vec_interleaved(&mut self.samples);
        self.shape(rate, channels, sink)?;
        self.frames += frames as u64;
        if self.frames > self.most_frames() {
            return Err(Reason::TooLong(MAX_HOURS));
        }
        sink.take(&self.samples)
    }

    /// The first packet says what the sound is like; no later one may disagree.
    fn shape(&mut self, rate: u32, channels: usize, sink: &mut dyn Sink) -> Result<(), Reason> {
        match self.channels {
            Some(same) if same == channels && rate == self.rate => Ok(()),
            Some(_) => Err(Reason::Unsupported("audio that changes its form half-way".into())),
            None if !RATES.contains(&rate) || !(1..=MAX_CHANNELS).contains(&channels) => {
                Err(Reason::Unsupported(format!("audio of {channels} channels at {rate} Hz")))
            }
            None => {
                (self.rate, self.channels) = (rate, Some(channels));
                sink.start(rate, channels)
            }
        }
    }

    /// Ogg files may be several songs one after the other; here they are one.
    fn next_chained_stream(&mut self, format: &mut dyn FormatReader) -> Result<(), Reason> {
        let track = audio_track(format)?;
        self.decoder = decoder_for(&track)?.0;
        self.track = track.id;
        Ok(())
    }

    /// A stream without any length in it gives damage away by bytes that belong to no packet.
    fn account_for(&mut self, promise: &Promise) -> Result<(), Reason> {
        // Nobody wrote a length into a stream that was piped out; its end is where it ends.
        self.ended_early &= promise.ends_by_itself;
        match promise.packet_bytes {
            Some(bytes) if self.packed_bytes + bytes / STRAY < bytes => {
                Err(Reason::Damaged(format!("{} of {bytes} bytes are no sound", bytes - self.packed_bytes)))
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self, declared: Option<u64>, advisory: Option<String>) -> Result<Stream, Reason> {
        let missing = declared.unwrap_or(0).saturating_sub(self.frames);
        let too_few = self.time(missing) > FORGIVEN;
        let many_lost = self.lost * LOST_IN > self.packets;
        if self.frames == 0 {
            return Err(if self.lost > 0 {
                Reason::Damaged("nothing of it can be decoded".into())
            } else {
                Reason::Empty
            });
        }
        if many_lost || (too_few && self.lost > 0) {
            return Err(Reason::Damaged(format!("{} of {} packets are unreadable", self.lost, self.packets)));
        }
        if too_few || (self.ended_early && declared.is_none()) {
            let decoded = self.time(self.frames).as_millis() as u64;
            let declared = declared.map(|frames| self.time(frames).as_millis() as u64);
            return Err(Reason::Truncated { decoded_ms: decoded, declared_ms: declared });
        }
        if self.decoder.finalize().verify_ok == Some(false) {
            return Err(Reason::Damaged("its sound does not match its own checksum".into()));
        }
        Ok(Stream { rate: self.rate, frames: self.frames, advisory })
    }

    fn time(&self, frames: u64) -> Duration {
        Duration::from_secs_f64(frames as f64 / f64::from(self.rate.max(1)))
    }
}

fn decoder_for(track: &Track) -> Result<(Box<dyn AudioDecoder>, u32), Reason> {
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let parameters = parameters.ok_or_else(|| Reason::Unsupported("the codec of this file".into()))?;
    if aac::is_high_efficiency(parameters) {
        return Err(Reason::Unsupported("HE-AAC".into()));
    }
    let options = AudioDecoderOptions::default().verify(true);
    let decoder = symphonia::default::get_codecs().make_audio_decoder(parameters, &options);
    let decoder = decoder.map_err(|error| refused_by_decoder(&error, parameters))?;
    Ok((decoder, parameters.sample_rate.unwrap_or(44_100)))
}

fn refused_by_decoder(error: &Error, parameters: &AudioCodecParameters) -> Reason {
    match error {
        Error::Unsupported(_) => Reason::Unsupported(codec_name(parameters.codec)),
        error => Reason::Damaged(error.to_string()),
    }
}

fn codec_name(codec: AudioCodecId) -> String {
    let name = match codec {
        ids::CODEC_ID_OPUS => "Opus",
        ids::CODEC_ID_ALAC => "Apple Lossless (ALAC)",
        ids::CODEC_ID_SPEEX => "Speex",
        ids::CODEC_ID_AC3 | ids::CODEC_ID_EAC3 => "Dolby Digital (AC-3)",
        ids::CODEC_ID_DCA => "DTS",
        ids::CODEC_ID_WMA => "Windows Media (WMA)",
        ids::CODEC_ID_MP1 | ids::CODEC_ID_MP2 => "MPEG layer I/II (MP2)",
        ids::CODEC_ID_AAC => "this kind of AAC",
        _ => "the codec of this file",
    };
    name.to_owned()
}

fn damaged_or_empty(error: Error) -> Reason {
    match error {
        Error::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Reason::Damaged("it ends before any sound begins".into())
        }
        Error::IoError(error) => whose_fault(&error),
        Error::Unsupported(what) => Reason::Damaged(format!("its beginning makes no sense ({what})")),
        error => Reason::Damaged(error.to_string()),
    }
}

/// Whether the disk failed, or the file asks for what no disk has: an address beyond its end, or beyond any end. What is
/// unreadable is tried again, so a file that says nonsense must not count as that.
fn whose_fault(error: &std::io::Error) -> Reason {
    use std::io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    let of_the_file = matches!(error.kind(), InvalidData | InvalidInput | Other | UnexpectedEof)
        && error.raw_os_error().is_none_or(|code| code == rustix::io::Errno::INVAL.raw_os_error());
    if of_the_file { Reason::Damaged(error.to_string()) } else { Reason::Unreadable(error.to_string()) }
}

fn advisory(format: &mut dyn FormatReader) -> Option<String> {
    let mut metadata = format.metadata();
    let revision = metadata.skip_to_latest()?;
    let tag = revision
        .media
        .tags
        .iter()
        .find(|tag| tag.raw.key.to_ascii_uppercase().ends_with("ITUNESADVISORY"))?;
    Some(tag.raw.value.to_string())
}
