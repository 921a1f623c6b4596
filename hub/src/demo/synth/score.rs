//! The songs: each a handful of numbers, chosen so that no two are alike on all five axes.

use super::air::Air;
use super::drums::Beat;

/// The steps of a scale, in semitones.
type Scale = [i32; 7];
const MAJOR: Scale = [0, 2, 4, 5, 7, 9, 11];
const MINOR: Scale = [0, 2, 3, 5, 7, 8, 10];
const DORIAN: Scale = [0, 2, 3, 5, 7, 9, 10];
const LYDIAN: Scale = [0, 2, 4, 6, 7, 9, 11];

/// A song before it is sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sketch {
    /// What it is called.
    pub title: &'static str,
    /// Who is said to play it.
    pub artist: &'static str,
    /// Where it is said to be from.
    pub album: &'static str,
    /// As it stands in the tag.
    pub genre: &'static str,
    pub(super) bpm: f32,
    /// MIDI number of the tonic of the chords.
    pub(super) root: i32,
    pub(super) scale: Scale,
    /// One degree of the scale a bar.
    pub(super) chords: &'static [i32],
    /// Loudness in dB.
    pub(super) level: f32,
    /// 0 to 1.
    pub(super) bright: f32,
    pub(super) pad: f32,
    pub(super) bass: f32,
    pub(super) pluck: f32,
    /// Notes that are plucked in a beat.
    pub(super) notes: f32,
    /// Plucked strings rather than struck keys.
    pub(super) strings: bool,
    pub(super) lead: f32,
    pub(super) beat: Beat,
    pub(super) drums: f32,
    pub(super) air: Air,
    pub(super) airy: f32,
    /// How much room there is around it.
    pub(super) room: f32,
}

impl Sketch {
    /// The name of its file.
    pub fn file_name(&self) -> String {
        format!("{} - {}.wav", self.artist, self.title)
    }

    /// The note on a step of the scale; seven steps are an octave.
    pub(super) fn midi(&self, step: i32) -> i32 {
        self.root + self.scale[step.rem_euclid(7) as usize] + 12 * step.div_euclid(7)
    }

    /// Where nothing beats, there is no tempo to tell.
    pub(super) fn tagged_bpm(&self) -> Option<u32> {
        let beats = self.beat != Beat::None || self.pluck > 0.0;
        beats.then_some(self.bpm as u32)
    }
}

const PLAIN: Sketch = Sketch {
    title: "",
    artist: "",
    album: "",
    genre: "",
    bpm: 90.0,
    root: 57,
    scale: MAJOR,
    chords: &[0, 3, 4, 0],
    level: -20.0,
    bright: 0.4,
    pad: 0.0,
    bass: 0.0,
    pluck: 0.0,
    notes: 1.0,
    strings: false,
    lead: 0.0,
    beat: Beat::None,
    drums: 0.0,
    air: Air::None,
    airy: 0.0,
    room: 0.3,
};

#[rustfmt::skip]
/// All songs of the demo. The first ones are unlike each other, because the music begins with them.
pub const SONGS: &[Sketch] = &[
    Sketch { title: "First Swim", artist: "Lido", album: "Open Air", genre: "Dream Pop", bpm: 112.0, root: 57, scale: LYDIAN, chords: &[0, 4, 5, 3], level: -15.0, bright: 0.5, pad: 0.5, bass: 0.6, pluck: 0.5, notes: 2.0, lead: 0.5, beat: Beat::Back, drums: 0.4, room: 0.6, ..PLAIN },
    Sketch { title: "Harbour at Five", artist: "Ana Vela", album: "Slow Water", genre: "Ambient", bpm: 60.0, root: 45, scale: MAJOR, chords: &[0, 5, 3, 4], level: -30.0, bright: 0.12, pad: 0.9, bass: 0.4, room: 0.9, ..PLAIN },
    Sketch { title: "Copper Wire", artist: "Nine Volt", album: "Mains", genre: "Techno", bpm: 132.0, root: 50, scale: MINOR, chords: &[0, 0, 5, 0], level: -9.0, bright: 0.95, bass: 0.4, pluck: 0.25, notes: 4.0, beat: Beat::Four, drums: 1.2, air: Air::Steam, airy: 0.5, room: 0.2, ..PLAIN },
    Sketch { title: "Tin Roof", artist: "Weather Station Nord", album: "Field Notes", genre: "Soundscape", bpm: 70.0, level: -32.0, air: Air::Rain, airy: 1.0, ..PLAIN },
    Sketch { title: "Paper Lanterns", artist: "Mio Tanabe", album: "Small Lights", genre: "Minimal", bpm: 140.0, root: 60, scale: MAJOR, chords: &[0, 4, 1, 3], level: -29.0, bright: 0.35, pluck: 0.9, notes: 4.0, room: 0.35, ..PLAIN },
    Sketch { title: "Slow Furnace", artist: "Kiln", album: "Embers", genre: "Drone", bpm: 60.0, root: 38, scale: DORIAN, chords: &[0, 0, 3, 0], level: -11.0, bright: 0.3, pad: 0.9, bass: 0.7, room: 0.8, ..PLAIN },
    Sketch { title: "Brushes at Noon", artist: "The Corner Table", album: "Lunch Set", genre: "Jazz", bpm: 96.0, root: 53, scale: DORIAN, chords: &[1, 4, 0, 5], level: -29.0, bright: 0.6, bass: 0.25, pluck: 0.12, notes: 1.0, beat: Beat::Brushes, drums: 1.0, room: 0.2, ..PLAIN },
    Sketch { title: "Rush Hour Samba", artist: "Banda Lumen", album: "Line 4", genre: "Samba", bpm: 156.0, root: 55, scale: MAJOR, chords: &[0, 5, 1, 4], level: -11.0, bright: 0.85, bass: 0.4, pluck: 0.3, notes: 2.0, strings: true, beat: Beat::Broken, drums: 1.1, room: 0.15, ..PLAIN },
    Sketch { title: "Glass Garden", artist: "Ida Holm", album: "Greenhouse", genre: "Ambient", bpm: 66.0, root: 72, scale: LYDIAN, chords: &[0, 1, 4, 0], level: -29.0, bright: 0.9, pluck: 0.8, notes: 0.5, room: 0.9, ..PLAIN },
    Sketch { title: "Night Tram", artist: "Depot", album: "Last Service", genre: "House", bpm: 122.0, root: 48, scale: MINOR, chords: &[0, 5, 2, 6], level: -12.0, bright: 0.15, pad: 0.5, bass: 0.9, pluck: 0.3, notes: 2.0, beat: Beat::Four, drums: 0.9, room: 0.4, ..PLAIN },
    Sketch { title: "Sea Wall", artist: "Weather Station Nord", album: "Field Notes", genre: "Soundscape", bpm: 60.0, level: -27.0, air: Air::Sea, airy: 1.0, ..PLAIN },
    Sketch { title: "Pocket Arcade", artist: "Bitte Wenden", album: "High Score", genre: "Chiptune", bpm: 160.0, root: 60, scale: MAJOR, chords: &[0, 4, 5, 3], level: -12.0, bright: 0.9, pad: 0.25, bass: 0.3, pluck: 0.7, notes: 4.0, lead: 0.5, room: 0.1, ..PLAIN },
    Sketch { title: "Velvet Stairs", artist: "Low Ceiling", album: "Basement Bar", genre: "Trip Hop", bpm: 74.0, root: 45, scale: MINOR, chords: &[0, 5, 3, 4], level: -14.0, bright: 0.12, pad: 0.2, bass: 0.9, beat: Beat::Back, drums: 1.0, air: Air::Vinyl, airy: 0.2, room: 0.3, ..PLAIN },
    Sketch { title: "Moth Waltz", artist: "Ana Vela", album: "Slow Water", genre: "Neoclassical", bpm: 150.0, root: 50, scale: MINOR, chords: &[0, 3, 4, 0], level: -31.0, bright: 0.08, pad: 0.3, pluck: 0.8, notes: 1.0, room: 0.5, ..PLAIN },
    Sketch { title: "Gravel Road", artist: "The Hay Loft", album: "Two Lane", genre: "Rock", bpm: 84.0, root: 52, scale: DORIAN, chords: &[0, 6, 3, 0], level: -10.0, bright: 0.9, bass: 0.5, pluck: 0.5, notes: 2.0, strings: true, beat: Beat::Back, drums: 1.3, room: 0.2, ..PLAIN },
    Sketch { title: "Cello for Nobody", artist: "Ida Holm", album: "Greenhouse", genre: "Neoclassical", bpm: 62.0, root: 43, scale: MINOR, chords: &[0, 5, 2, 4], level: -26.0, bright: 0.25, pad: 0.3, lead: 0.7, room: 0.7, ..PLAIN },
    Sketch { title: "Snare Study", artist: "Parade Rest", album: "Sticks", genre: "Percussion", bpm: 168.0, level: -30.0, bright: 0.9, beat: Beat::Broken, drums: 1.0, room: 0.0, ..PLAIN },
    Sketch { title: "Brass Sky", artist: "Lido", album: "Open Air", genre: "Synthwave", bpm: 128.0, root: 50, scale: MAJOR, chords: &[0, 3, 5, 4], level: -10.0, bright: 0.45, pad: 0.9, bass: 0.7, lead: 0.3, beat: Beat::Four, drums: 1.0, room: 0.7, ..PLAIN },
    Sketch { title: "Circle of Drums", artist: "Parade Rest", album: "Sticks", genre: "Percussion", bpm: 70.0, root: 40, level: -24.0, bright: 0.05, beat: Beat::Toms, drums: 1.0, air: Air::Night, airy: 0.2, room: 0.2, ..PLAIN },
    Sketch { title: "Wind in the Antenna", artist: "Weather Station Nord", album: "Field Notes", genre: "Soundscape", bpm: 70.0, level: -16.0, air: Air::Wind, airy: 1.0, ..PLAIN },
    Sketch { title: "Marimba Morning", artist: "Mio Tanabe", album: "Small Lights", genre: "Minimal", bpm: 104.0, root: 60, scale: MAJOR, chords: &[0, 5, 3, 4], level: -20.0, bright: 0.45, bass: 0.3, pluck: 0.8, notes: 2.0, strings: true, room: 0.3, ..PLAIN },
    Sketch { title: "Boiler Room", artist: "Nine Volt", album: "Mains", genre: "Techno", bpm: 128.0, root: 40, scale: MINOR, chords: &[0, 0, 0, 5], level: -11.0, bright: 0.1, bass: 0.8, beat: Beat::Four, drums: 1.0, air: Air::Sea, airy: 0.5, room: 0.1, ..PLAIN },
    Sketch { title: "Long Corridor", artist: "Kiln", album: "Embers", genre: "Drone", bpm: 60.0, root: 64, scale: LYDIAN, chords: &[0, 1, 0, 4], level: -13.0, bright: 1.0, pad: 0.9, room: 0.9, ..PLAIN },
    Sketch { title: "Kite Weather", artist: "The Hay Loft", album: "Two Lane", genre: "Folk", bpm: 138.0, root: 55, scale: MAJOR, chords: &[0, 3, 0, 4], level: -18.0, bright: 0.75, bass: 0.3, pluck: 0.8, notes: 2.0, strings: true, lead: 0.15, beat: Beat::Brushes, drums: 0.7, room: 0.3, ..PLAIN },
    Sketch { title: "Winter Radio", artist: "Low Ceiling", album: "Basement Bar", genre: "Lo-fi", bpm: 68.0, root: 53, scale: DORIAN, chords: &[0, 3, 5, 4], level: -28.0, bright: 0.2, pluck: 0.5, notes: 1.0, beat: Beat::Soft, drums: 0.3, air: Air::Vinyl, airy: 1.2, room: 0.3, ..PLAIN },
    Sketch { title: "Night Shift Crickets", artist: "Depot", album: "Last Service", genre: "Soundscape", bpm: 64.0, root: 45, scale: MAJOR, chords: &[0, 4], level: -31.0, bright: 0.3, air: Air::Night, airy: 1.0, ..PLAIN },
];
