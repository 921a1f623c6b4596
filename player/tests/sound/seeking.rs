//! A song that is taken up again goes on where it was.

use std::time::Duration;

use roomtone_player::deck::Form;
use roomtone_player::engine::{Command, Track};
use rstest::rstest;

use crate::signals::{Mono, Width, encoded, noise, write_wav};
use crate::stage::{RATE, STEREO, Stage, ms, track};

/// Noise that any encoder keeps.
fn dark_noise(frames: usize) -> Mono {
    let mut low = 0.0;
    let mut song = noise(11, 1.0, frames);
    for sample in &mut song {
        low += 0.2 * (*sample - low);
        *sample = low;
    }
    song
}

#[rstest]
#[case("wav", 0, 1)]
#[case("flac", 0, 1)]
#[case("ogg", 0, 3)]
#[case("mp3", 0, 3)]
#[case("m4a", 50, 3)]
fn a_song_goes_on_at_the_very_sample(#[case] ending: &str, #[case] slack_ms: usize, #[case] alike: u32) {
    const SECONDS: usize = 20;
    let rate = 44_100;
    let mut stage = Stage::new(Form { rate, channels: 2 });
    let song = dark_noise(SECONDS * rate as usize);
    let wav = stage.path("song.wav");
    write_wav(&wav, rate, Width::Int16, &[&song, &song]);
    let Some(path) = encoded("a_song_goes_on_at_the_very_sample", &wav, ending) else { return };
    for from in [ms(700), ms(3_456), ms(12_345)] {
        let track = Track { from, ..track(&path, Duration::from_secs(SECONDS as u64)) };
        stage.send(Command::Play(track));
        // The crossfade from the one before is over by then.
        let heard = stage.seconds(1.0);
        let at = rate as usize / 2;
        let expected = (from.as_secs_f64() * f64::from(rate)).round() as usize + at - stage.offline.delay();
        let off = |lag: i64| {
            let song = &song[expected.checked_add_signed(lag as isize).unwrap()..];
            heard[at..at + 2_000].iter().zip(song).map(|(heard, song)| (heard - song).powi(2)).sum::<f64>()
        };
        let slack = (slack_ms * rate as usize / 1000) as i64;
        let nearest = (-slack - 300..=slack + 300).min_by(|a, b| off(*a).total_cmp(&off(*b))).unwrap();
        assert!(nearest.abs() <= slack, "{ending} from {from:?}: {nearest} frames off");
        let power = song[expected..expected + 2_000].iter().map(|sample| sample * sample).sum::<f64>();
        assert!(
            off(nearest) < power / f64::from(10_u32.pow(4 / alike)),
            "{ending} from {from:?}: another sound"
        );
    }
}

#[test]
fn position_and_heard_are_told_apart() {
    let mut stage = Stage::new(STEREO);
    let path = stage.song("song.wav", RATE, &noise(1, 0.2, 10 * RATE as usize));
    stage.send(Command::Play(Track { from: ms(5_000), ..track(&path, ms(10_000)) }));
    stage.seconds(2.0);
    let shown = stage.offline.snapshot();
    assert!(shown.position.abs_diff(ms(7_000)) < ms(10), "{shown:?}");
    assert!(shown.heard.abs_diff(ms(2_000)) < ms(10), "{shown:?}");
    assert!(shown.level_db > -25.0 && shown.level_db < -10.0, "{shown:?}");
}

#[test]
fn a_pause_holds_the_position() {
    let mut stage = Stage::new(STEREO);
    let song = noise(1, 0.2, 10 * RATE as usize);
    let path = stage.song("song.wav", RATE, &song);
    let track = track(&path, ms(10_000));
    stage.send(Command::Play(track.clone()));
    stage.seconds(2.0);
    stage.send(Command::Pause);
    stage.seconds(3.0);
    let held = stage.offline.snapshot();
    assert!(held.paused && held.position.abs_diff(ms(2_150)) < ms(10), "{held:?}");
    stage.send(Command::Resume);
    stage.seconds(8.0);
    assert_eq!(stage.told(&[&track]), "+1 -1 .");
    assert_eq!(stage.end_of(track.play).unwrap().1, ms(10_000));
}

#[rstest]
#[case::at_its_end(3_000)]
#[case::beyond_its_end(9_000)]
fn a_song_that_is_to_begin_behind_its_end_is_finished_at_once(#[case] from_ms: u64) {
    let mut stage = Stage::new(STEREO);
    let path = stage.song("song.wav", RATE, &noise(1, 0.2, 5 * RATE as usize));
    let (over, next) = (Track { from: ms(from_ms), ..track(&path, ms(3_000)) }, track(&path, ms(3_000)));
    stage.send(Command::Play(over.clone()));
    stage.send(Command::Next(Some(next.clone())));
    stage.seconds(1.0);
    assert_eq!(stage.told(&[&over, &next]), "+1 +2 -1");
    assert_eq!(stage.end_of(over.play).unwrap().1, Duration::ZERO);
}
