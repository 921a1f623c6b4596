//! One file, once through: the samples pass every measure as they are decoded.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use roomtone_schema::EmbeddingVersion;
use roomtone_schema::song::{Explicit, Sha256, SongFacts};
use sha2::Digest as _;

use crate::axes::{Ingredients, embedding};
use crate::cue::Cue;
use crate::decode::{Sink, Stream, decode};
use crate::error::{AnalysisError, Reason};
use crate::key::{Chroma, Key};
use crate::limits::MAX_BYTES;
use crate::loudness::Loudness;
use crate::onsets::onset_rate;
use crate::resample::Resampler;
use crate::sniff::{Container, Sniffed, sniff_file};
use crate::spectrum::Spectrum;
use crate::tags::{self, Tags};
use crate::tempo::{Tempo, tempo};

/// Below these an estimate is a guess, and is not told.
const CLEAR_PULSE: f64 = 0.2;
const STRONG_KEY: f64 = 0.6;
/// How often a long file shows that it is getting on.
const PROGRESS_EVERY: Duration = Duration::from_mins(1);
/// 24 dB above full scale: floating-point files may hold anything, and nothing above this is sound.
const LOUDEST_SAMPLE: f32 = 16.0;

/// Turns a file into a song, in this process: a hostile file can take it down. See [`crate::Worker`].
///
/// # Errors
/// [`AnalysisError`] with the file and the reason.
pub fn analyse(file: &Path) -> Result<SongFacts, AnalysisError> {
    analyse_with_progress(file, &mut |_| ()).map_err(|reason| AnalysisError { file: file.to_owned(), reason })
}

/// The same, telling now and then how much has been decoded.
pub(crate) fn analyse_with_progress(
    path: &Path,
    progress: &mut dyn FnMut(Duration),
) -> Result<SongFacts, Reason> {
    let mut file = open(path)?;
    let container = recognise(&mut file)?;
    let tags = tags::read(&mut file);
    let (sha256, bytes) = digest(&mut file)?;
    let mut measures = Measures::new(progress);
    let stream = decode(file, container, &mut measures)?;
    let sound = measures.finish()?;
    Ok(facts(path, container, tags, &stream, &sound, sha256, bytes))
}

fn unreadable(error: &std::io::Error) -> Reason {
    Reason::Unreadable(error.to_string())
}

fn open(path: &Path) -> Result<File, Reason> {
    // Without NONBLOCK, opening a pipe would wait for ever.
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file =
        OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(Reason::NotAFile);
    }
    if metadata.len() > MAX_BYTES {
        return Err(Reason::TooBig(MAX_BYTES));
    }
    Ok(file)
}

fn recognise(file: &mut File) -> Result<Container, Reason> {
    match sniff_file(file).map_err(|error| unreadable(&error))? {
        Sniffed::Audio(container) => Ok(container),
        Sniffed::OtherAudio(name) => Err(Reason::Unsupported(name.to_owned())),
        Sniffed::NotAudio(what) => Err(Reason::NotAudio(what.map(str::to_owned))),
        Sniffed::Empty => Err(Reason::Empty),
    }
}

fn digest(file: &mut File) -> Result<(Sha256, u64), Reason> {
    let (mut hasher, mut bytes, mut chunk) = (sha2::Sha256::new(), 0, vec![0; 128 << 10]);
    loop {
        let count = file.read(&mut chunk).map_err(|error| unreadable(&error))?;
        if count == 0 {
            break;
        }
        hasher.update(&chunk[..count]);
        bytes += count as u64;
    }
    file.seek(SeekFrom::Start(0)).map_err(|error| unreadable(&error))?;
    Ok((Sha256(hasher.finalize().into()), bytes))
}

fn facts(
    path: &Path,
    container: Container,
    tags: Tags,
    stream: &Stream,
    sound: &Sound,
    sha256: Sha256,
    bytes: u64,
) -> SongFacts {
    let ms = |frames: u64| (frames as f64 * 1000.0 / f64::from(stream.rate)).round() as u32;
    let clarity = sound.tempo.map_or(0.0, |tempo| tempo.clarity);
    let estimated_bpm = sound.tempo.filter(|_| clarity >= CLEAR_PULSE).map(|tempo| tempo.bpm as f32);
    let estimated_key = (sound.key.strength >= STRONG_KEY).then(|| sound.key.name.clone());
    let advisory = stream.advisory.as_deref().map_or(Explicit::Unknown, tags::advisory);
    SongFacts {
        title: tags.title.unwrap_or_else(|| name_of(path)),
        artist: tags.artist,
        album: tags.album,
        isrc: tags.isrc,
        label: tags.label,
        explicit: if tags.explicit == Explicit::Unknown { advisory } else { tags.explicit },
        kind: tags.kind,
        duration_ms: ms(stream.frames),
        bpm: tags.bpm.or(estimated_bpm),
        pulse_clarity: clarity as f32,
        key: tags.key.or(estimated_key),
        key_strength: sound.key.strength as f32,
        loudness_lufs: sound.lufs.map(|lufs| lufs as f32),
        true_peak_dbtp: sound.true_peak.map(|peak| peak as f32),
        cue_in_ms: ms(sound.cue.0),
        cue_out_ms: ms(sound.cue.1),
        embedding: sound.embedding(),
        embedding_version: EmbeddingVersion::DESC_V1,
        sha256,
        bytes,
        content_type: container.content_type().to_owned(),
    }
}

fn name_of(path: &Path) -> String {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().replace('_', " ")).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(300).collect();
    if name.trim().is_empty() { "Untitled".to_owned() } else { name.trim().to_owned() }
}

/// What the ear would say.
struct Sound {
    lufs: Option<f64>,
    true_peak: Option<f64>,
    cue: (u64, u64),
    key: Key,
    tempo: Option<Tempo>,
    centroid: f64,
    flatness: f64,
    onset_rate: f64,
}

impl Sound {
    fn embedding(&self) -> Option<roomtone_schema::Embedding> {
        embedding(&Ingredients {
            lufs: self.lufs,
            centroid: self.centroid,
            bpm: self.tempo.map_or(0.0, |tempo| tempo.bpm),
            pulse_clarity: self.tempo.map_or(0.0, |tempo| tempo.clarity),
            flatness: self.flatness,
            key_strength: self.key.strength,
            onset_rate: self.onset_rate,
        })
    }
}

/// All measures, fed in step.
struct Measures<'p> {
    progress: &'p mut dyn FnMut(Duration),
    running: Option<Running>,
    told: Duration,
}

struct Running {
    rate: u32,
    channels: usize,
    frames: u64,
    loudness: Loudness,
    cue: Cue,
    resampler: Resampler,
    spectrum: Spectrum,
    chroma: Chroma,
    tamed: Vec<f32>,
    mono: Vec<f32>,
    slow: Vec<f32>,
}

impl<'p> Measures<'p> {
    fn new(progress: &'p mut dyn FnMut(Duration)) -> Self {
        Self { progress, running: None, told: Duration::ZERO }
    }

    fn finish(self) -> Result<Sound, Reason> {
        let mut running = self.running.ok_or(Reason::Empty)?;
        running.slow.clear();
        running.resampler.finish(&mut running.slow);
        running.spectrum.push(&running.slow);
        running.chroma.push(&running.slow);
        let spectral = running.spectrum.finish();
        Ok(Sound {
            lufs: running.loudness.lufs(),
            true_peak: running.loudness.true_peak(),
            cue: running.cue.points(),
            key: running.chroma.finish(),
            tempo: tempo(&spectral.flux),
            centroid: spectral.centroid,
            flatness: spectral.flatness,
            onset_rate: onset_rate(&spectral.flux),
        })
    }
}

impl Sink for Measures<'_> {
    fn start(&mut self, rate: u32, channels: usize) -> Result<(), Reason> {
        self.running = Some(Running {
            rate,
            channels,
            frames: 0,
            loudness: Loudness::new(rate, channels)?,
            cue: Cue::new(channels),
            resampler: Resampler::new(rate),
            spectrum: Spectrum::new(),
            chroma: Chroma::new(),
            tamed: Vec::new(),
            mono: Vec::new(),
            slow: Vec::new(),
        });
        Ok(())
    }

    fn take(&mut self, interleaved: &[f32]) -> Result<(), Reason> {
        let Some(running) = &mut self.running else { return Err(Reason::Empty) };
        running.take(interleaved)?;
        let decoded = Duration::from_secs(running.frames / u64::from(running.rate));
        if decoded >= self.told + PROGRESS_EVERY {
            self.told = decoded;
            (self.progress)(decoded);
        }
        Ok(())
    }
}

impl Running {
    fn take(&mut self, interleaved: &[f32]) -> Result<(), Reason> {
        self.tamed.clear();
        self.tamed.extend(interleaved.iter().map(|&sample| tame(sample)));
        self.frames += (self.tamed.len() / self.channels) as u64;
        self.loudness.push(&self.tamed)?;
        self.cue.push(&self.tamed);
        self.mono.clear();
        mix_down(&self.tamed, self.channels, &mut self.mono);
        self.slow.clear();
        self.resampler.push(&self.mono, &mut self.slow);
        self.spectrum.push(&self.slow);
        self.chroma.push(&self.slow);
        Ok(())
    }
}

fn tame(sample: f32) -> f32 {
    if sample.is_finite() { sample.clamp(-LOUDEST_SAMPLE, LOUDEST_SAMPLE) } else { 0.0 }
}

fn mix_down(interleaved: &[f32], channels: usize, mono: &mut Vec<f32>) {
    let share = 1.0 / channels as f32;
    match channels {
        1 => mono.extend_from_slice(interleaved),
        2 => mono.extend(interleaved.as_chunks::<2>().0.iter().map(|[left, right]| (left + right) * share)),
        _ => mono.extend(interleaved.chunks_exact(channels).map(|frame| frame.iter().sum::<f32>() * share)),
    }
}
