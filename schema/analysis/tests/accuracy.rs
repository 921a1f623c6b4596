use roomtone_analysis::analyse;
use roomtone_schema::song::SongFacts;
use rstest::rstest;
use tempfile::TempDir;

use crate::signals::{
    Mono, cadence, chords, clicks, drone, drums, mix, pads, pink_noise, scaled, silence, tone, write_wav,
};

fn heard(sound: &Mono) -> SongFacts {
    let dir = TempDir::new().unwrap();
    let facts = analyse(&write_wav(dir.path(), "signal.wav", sound)).unwrap();
    eprintln!(
        "bpm {:?} pulse {:.2} key {:?} r {:.2} lufs {:?} axes {:.2?}",
        facts.bpm,
        facts.pulse_clarity,
        facts.key,
        facts.key_strength,
        facts.loudness_lufs,
        facts.embedding.map(|embedding| embedding.values())
    );
    facts
}

/// Right within one beat, or an octave away: people tap at either.
fn assert_tempo(facts: &SongFacts, bpm: f64) {
    let found = f64::from(facts.bpm.expect("a tempo"));
    let near = |factor: f64| (found - bpm * factor).abs() <= bpm * factor * 0.01;
    assert!(near(1.0) || near(2.0) || near(0.5), "{found} is not {bpm}");
}

#[rstest]
#[case(70.0)]
#[case(90.0)]
#[case(120.0)]
#[case(128.0)]
#[case(174.0)]
fn a_metronome_is_heard_to_a_hundredth_and_clearly(#[case] bpm: f64) {
    let facts = heard(&clicks(bpm, 60.0));
    assert_tempo(&facts, bpm);
    assert!(facts.pulse_clarity >= 0.7);
    let density = facts.embedding.unwrap().values()[4];
    let expected = (2.0 * bpm / 60.0 / 8.0 - 1.0) as f32;
    assert!((density - expected).abs() < 0.05, "density {density}, expected {expected}");
}

#[rstest]
#[case(96.0)]
#[case(124.0)]
#[case(170.0)]
fn drums_have_a_tempo_and_no_key(#[case] bpm: f64) {
    let facts = heard(&drums(bpm, 60.0));
    assert_tempo(&facts, bpm);
    assert!(facts.pulse_clarity >= 0.5);
    assert_eq!(facts.key, None);
}

#[rstest]
#[case("Am", 57, true, 100.0)]
#[case("D#m", 51, true, 110.0)]
#[case("C", 60, false, 80.0)]
#[case("F#", 54, false, 92.0)]
fn chords_tell_their_key_and_their_tempo(
    #[case] key: &str,
    #[case] root: i32,
    #[case] minor: bool,
    #[case] bpm: f64,
) {
    let facts = heard(&chords(&cadence(root, minor), bpm, 60.0));
    assert_eq!(facts.key.as_deref(), Some(key));
    assert!(facts.key_strength >= 0.75);
    assert_tempo(&facts, bpm);
}

#[rstest]
#[case("Am", 57, 124.0)]
#[case("D#m", 51, 72.0)]
fn drums_under_chords_hide_neither_key_nor_tempo(#[case] key: &str, #[case] root: i32, #[case] bpm: f64) {
    let together = mix(&[&chords(&cadence(root, true), bpm, 60.0), &scaled(&drums(bpm, 60.0), 0.5)]);
    let facts = heard(&together);
    assert_eq!(facts.key.as_deref(), Some(key));
    assert_tempo(&facts, bpm);
}

#[test]
fn pads_have_a_key_and_no_beat() {
    let facts = heard(&pads(&cadence(60, false), 60.0));
    assert_eq!(facts.key.as_deref(), Some("C"));
    assert_eq!(facts.bpm, None);
}

#[test]
fn noise_has_neither_beat_nor_key() {
    let facts = heard(&pink_noise(0.3, 60.0));
    assert_eq!((facts.bpm, facts.key), (None, None));
    assert!(facts.embedding.unwrap().values()[3] < 0.0, "noise is not tonal");
}

#[test]
fn a_drone_is_tonal_still_and_sparse() {
    let facts = heard(&drone(60.0));
    assert_eq!(facts.bpm, None);
    let [_, brightness, tempo, tonality, density] = facts.embedding.unwrap().values();
    assert!(tempo.abs() < 0.1 && tonality > 0.2 && density < -0.95 && brightness < 0.0);
}

#[test]
fn each_axis_tells_two_sounds_apart() {
    let axes = |sound: &Mono| heard(sound).embedding.unwrap().values();
    let song = chords(&cadence(57, true), 100.0, 20.0);
    let [loud, quiet] = [axes(&song), axes(&scaled(&song, 0.1))];
    assert!(loud[0] - quiet[0] > 1.2, "20 dB are 1.48 on the axis of energy");
    assert!(axes(&tone(4000.0, 0.3, 20.0))[1] > 0.6 && axes(&tone(110.0, 0.3, 20.0))[1] < -0.9);
    assert!(axes(&clicks(174.0, 20.0))[2] > 0.5 && axes(&clicks(60.0, 20.0))[2] < -0.5);
    assert!(axes(&pads(&cadence(60, false), 20.0))[3] > 0.3 && axes(&drums(120.0, 20.0))[3] < -0.2);
    assert!(axes(&drums(170.0, 20.0))[4] > -0.1 && axes(&drone(20.0))[4] < -0.9);
}

#[test]
fn loudness_and_true_peak_are_those_of_the_standard() {
    // EBU Tech 3341: a 1 kHz sine at -23 dBFS in one channel of stereo... in mono it reads -23 LUFS - 3.01 + 3.01.
    let amplitude = 10_f64.powf(-23.0 / 20.0);
    let facts = heard(&tone(1000.0, amplitude, 20.0));
    assert!((facts.loudness_lufs.unwrap() + 26.0).abs() < 0.1, "{:?}", facts.loudness_lufs);
    assert!((facts.true_peak_dbtp.unwrap() + 23.0).abs() < 0.1, "{:?}", facts.true_peak_dbtp);
    // A quarter of the sample rate, between the samples: the true peak is 3 dB above the highest sample.
    let between: Mono =
        (0..441_000).map(|i: u32| if (i / 2).is_multiple_of(2) { 0.5 } else { -0.5 }).collect();
    let peak = heard(&between).true_peak_dbtp.unwrap();
    assert!((peak + 3.01).abs() < 0.4, "{peak}");
}

#[test]
fn cue_points_stand_where_the_sound_begins_and_ends() {
    let mut sound = silence(1.5);
    sound.extend(tone(440.0, 0.3, 3.0));
    sound.extend(silence(2.25));
    let facts = heard(&sound);
    assert_eq!(facts.duration_ms, 6750);
    assert!(facts.cue_in_ms.abs_diff(1500) <= 2 && facts.cue_out_ms.abs_diff(4500) <= 2, "{facts:?}");
}

#[test]
fn silence_is_a_song_without_a_direction() {
    let facts = heard(&silence(5.0));
    assert_eq!(facts.embedding, None);
    assert_eq!((facts.loudness_lufs, facts.true_peak_dbtp), (None, None));
    assert_eq!((facts.duration_ms, facts.cue_in_ms, facts.cue_out_ms), (5000, 0, 5000));
}

#[test]
fn a_blink_of_sound_is_still_a_song() {
    let facts = heard(&tone(440.0, 0.5, 0.05));
    assert_eq!(facts.duration_ms, 50);
    assert_eq!(facts.bpm, None);
}
