//! A crossfade keeps the power, begins and ends where the cues say, and is as long as it can be.

use roomtone_player::engine::{Command, Track};
use roomtone_schema::play::PlayEnd;
use rstest::rstest;

use crate::signals::{noise, power_db, sine};
use crate::stage::{RATE, STEREO, Stage, ms, track};

/// Two songs of `lengths` with this crossfade, rendered to the end; the left channel, from the first sample on.
fn two(stage: &mut Stage, songs: [&[f64]; 2], crossfade_ms: u64) -> (Vec<f64>, [Track; 2]) {
    let length = |song: &[f64]| ms(song.len() as u64 * 1000 / u64::from(RATE));
    let tracks = [0, 1].map(|at| {
        let path = stage.song(&format!("{at}.wav"), RATE, &songs[at].to_vec());
        Track { crossfade: ms(crossfade_ms), ..track(&path, length(songs[at])) }
    });
    stage.send(Command::Play(tracks[0].clone()));
    stage.send(Command::Next(Some(tracks[1].clone())));
    let frames = songs[0].len() + songs[1].len() + 4_800;
    let mut heard = stage.left(frames);
    heard.drain(..stage.offline.delay());
    (heard, tracks)
}

#[test]
fn the_power_through_a_crossfade_of_two_tones_is_even() {
    let mut stage = Stage::new(STEREO);
    let seconds = |seconds: usize| seconds * RATE as usize;
    let songs = [sine(440.0, 0.25, RATE, seconds(6)), sine(880.0, 0.25, RATE, seconds(6))];
    let (heard, tracks) = two(&mut stage, [&songs[0], &songs[1]], 2_000);
    let alone = power_db(&heard[seconds(1)..seconds(2)]);
    // Windows of 25 ms hold whole periods of both tones and of their beat.
    for (at, window) in heard[seconds(1)..seconds(9)].chunks_exact(RATE as usize / 40).enumerate() {
        let off = power_db(window) - alone;
        assert!(off.abs() <= 0.1, "{off:.3} dB at {:.3} s", 1.0 + at as f64 * 0.025);
    }
    assert_eq!(stage.told(&[&tracks[0], &tracks[1]]), "+1 +2 -1 -2 .");
    assert_eq!(stage.end_of(tracks[0].play).unwrap().1, ms(6_000));
    assert_eq!(stage.end_of(tracks[1].play).unwrap().1, ms(6_000));
}

#[test]
fn in_the_middle_of_a_crossfade_both_are_3_db_down() {
    let mut stage = Stage::new(STEREO);
    let seconds = |seconds: f64| (seconds * f64::from(RATE)) as usize;
    let songs = [vec![0.5; seconds(4.0)], vec![0.0; seconds(4.0)]];
    let (heard, _) = two(&mut stage, [&songs[0], &songs[1]], 1_000);
    assert!(
        (heard[seconds(3.5)] - 0.5 * std::f64::consts::FRAC_1_SQRT_2).abs() < 1e-4,
        "{}",
        heard[seconds(3.5)]
    );
    assert!((heard[seconds(3.0)] - 0.5).abs() < 1e-4);
    assert!(heard[seconds(4.0)].abs() < 1e-4);
}

#[rstest]
#[case::as_ordered(10_000, 10_000, 3_000, 3_000)]
#[case::half_of_the_shorter_before(2_000, 10_000, 3_000, 1_000)]
#[case::half_of_the_shorter_after(10_000, 1_000, 3_000, 500)]
#[case::none(3_000, 3_000, 0, 0)]
#[case::longer_than_a_deck_is_ahead(20_000, 20_000, 9_000, 9_000)]
fn a_crossfade_is_at_most_half_of_either_song(
    #[case] first_ms: usize,
    #[case] second_ms: usize,
    #[case] crossfade_ms: u64,
    #[case] expected_ms: usize,
) {
    let mut stage = Stage::new(STEREO);
    let frames = |ms: usize| ms * RATE as usize / 1000;
    let songs = [noise(1, 0.1, frames(first_ms)), noise(2, 0.1, frames(second_ms))];
    let (heard, tracks) = two(&mut stage, [&songs[0], &songs[1]], crossfade_ms);
    let sounding = heard.iter().rposition(|sample| sample.abs() > 1e-5).unwrap() + 1;
    let overlap = frames(first_ms + second_ms) - sounding;
    assert!(overlap.abs_diff(frames(expected_ms)) <= 2, "{overlap}");
    assert_eq!(stage.end_of(tracks[0].play).unwrap().0, PlayEnd::Finished);
}

#[test]
fn songs_play_from_cue_to_cue() {
    let mut stage = Stage::new(STEREO);
    let song = noise(3, 0.3, 5 * RATE as usize);
    let path = stage.song("song.wav", RATE, &song);
    let cued = Track { cue_in: ms(1_000), from: ms(1_000), ..track(&path, ms(3_000)) };
    stage.send(Command::Play(cued.clone()));
    let mut heard = stage.seconds(3.0);
    heard.drain(..stage.offline.delay());
    let sounding = heard.iter().rposition(|sample| sample.abs() > 1e-5).unwrap() + 1;
    assert!((95_000..=96_000).contains(&sounding), "{sounding}");
    let middle = 48_000;
    assert!((heard[middle] - song[RATE as usize + middle]).abs() < 1e-6);
    assert_eq!(stage.end_of(cued.play).unwrap().1, ms(2_000));
}

#[test]
fn a_next_song_that_is_named_late_still_follows() {
    let mut stage = Stage::new(STEREO);
    let paths = [1, 2].map(|at| stage.song(&format!("{at}.wav"), RATE, &noise(at, 0.2, 2 * RATE as usize)));
    let tracks = paths.map(|path| Track { crossfade: ms(1_000), ..track(&path, ms(2_000)) });
    stage.send(Command::Play(tracks[0].clone()));
    stage.seconds(1.8);
    stage.send(Command::Next(Some(tracks[1].clone())));
    let heard = stage.seconds(2.4);
    assert!(heard[..RATE as usize].chunks(2_400).all(|part| power_db(part) > -30.0));
    assert_eq!(stage.told(&[&tracks[0], &tracks[1]]), "+1 +2 -1 -2 .");
}
