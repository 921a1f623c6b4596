//! What counts as silence, and what does not.

use roomtone_player::engine::{Command, Track};
use rstest::rstest;

use crate::signals::{Mono, noise};
use crate::stage::{RATE, STEREO, Stage, ms, track};

fn song_with_a_quiet_passage() -> Mono {
    let loud = noise(1, 0.2, 2 * RATE as usize);
    [loud.clone(), vec![0.0; 5 * RATE as usize], loud].concat()
}

/// Plays, gives these orders, one after the other, each for four seconds; then silence so far, and whether it lasts.
fn silence_after(orders: &[&str]) -> (u64, bool) {
    let mut stage = Stage::new(STEREO);
    let short = track(&stage.song("short.wav", RATE, &noise(2, 0.2, RATE as usize)), ms(1_000));
    let quiet = track(&stage.song("quiet.wav", RATE, &song_with_a_quiet_passage()), ms(9_000));
    let missing = track(&stage.path("missing.wav"), ms(1_000));
    for order in orders {
        match *order {
            "short" => stage.send(Command::Play(short.clone())),
            "quiet" => stage.send(Command::Play(quiet.clone())),
            "whisper" => stage.send(Command::Play(Track { gain_db: -60.0, ..quiet.clone() })),
            "missing" => stage.send(Command::Play(missing.clone())),
            "pause" => stage.send(Command::Pause),
            "resume" => stage.send(Command::Resume),
            "stop" => stage.send(Command::Stop),
            "mute" => stage.send(Command::Volume(0.0)),
            _ => {}
        }
        stage.seconds(4.0);
    }
    let shown = stage.offline.snapshot();
    (shown.silence_ms, shown.silent_now)
}

#[rstest]
#[case::nothing_was_ordered(&["wait", "wait"], 0, false)]
#[case::a_quiet_passage(&["quiet", "wait"], 0, false)]
#[case::a_song_that_is_all_quiet(&["whisper", "wait"], 0, false)]
#[case::paused(&["quiet", "pause", "wait"], 0, false)]
#[case::stopped(&["quiet", "stop", "wait"], 0, false)]
#[case::turned_down(&["quiet", "mute"], 0, false)]
#[case::nothing_comes_after_the_song(&["short"], 3_000, true)]
#[case::nothing_comes_for_longer(&["short", "wait"], 7_000, true)]
#[case::until_something_comes(&["short", "quiet"], 3_000, false)]
#[case::until_it_is_stopped(&["short", "stop"], 3_000, false)]
#[case::a_file_that_is_not_there(&["missing"], 4_000, true)]
fn silence_is_counted_where_nobody_wanted_it(
    #[case] orders: &[&str],
    #[case] expected_ms: u64,
    #[case] lasts: bool,
) {
    let (silence_ms, silent_now) = silence_after(orders);
    assert!(silence_ms.abs_diff(expected_ms) <= 30, "{silence_ms} ms");
    assert_eq!(silent_now, lasts);
}

#[test]
fn a_lost_output_is_silence_too() {
    let mut stage = Stage::new(STEREO);
    let path = stage.song("song.wav", RATE, &noise(1, 0.2, 20 * RATE as usize));
    stage.send(Command::Play(track(&path, ms(20_000))));
    stage.seconds(2.0);
    stage.offline.reopen(STEREO, ms(1_500));
    stage.seconds(2.0);
    assert_eq!(stage.offline.snapshot().silence_ms, 0);
    stage.offline.reopen(STEREO, ms(6_000));
    stage.seconds(2.0);
    let silence_ms = stage.offline.snapshot().silence_ms;
    assert!((6_000..6_010).contains(&silence_ms), "{silence_ms} ms");
    stage.send(Command::Pause);
    stage.seconds(1.0);
    stage.offline.reopen(STEREO, ms(6_000));
    stage.seconds(1.0);
    assert_eq!(stage.offline.snapshot().silence_ms, silence_ms);
}
