//! Nothing that a person orders is heard as a click.

use roomtone_player::engine::{Command, Track};
use roomtone_schema::play::PlayEnd;
use rstest::rstest;

use crate::signals::{click_db, power_db, sine};
use crate::stage::{RATE, STEREO, Stage, ms, track};

/// Above this no tone of these tests is: what is there is a click.
const ABOVE_HZ: f64 = 6_000.0;
const INAUDIBLE_DB: f64 = -70.0;

fn tone(stage: &Stage, hz: f64, seconds: usize) -> Track {
    let path = stage.song(&format!("{hz}.wav"), RATE, &sine(hz, 0.7, RATE, seconds * RATE as usize));
    // In the middle of a wave, as a song that is taken up again.
    Track { cue_in: ms(1), from: ms(101), ..track(&path, ms(seconds as u64 * 1_000)) }
}

#[test]
fn a_click_is_found_where_there_is_one() {
    let mut samples = sine(440.0, 0.7, RATE, 48_000);
    assert!(click_db(&samples, ABOVE_HZ, RATE) < -90.0);
    samples.drain(24_000..24_027);
    assert!(click_db(&samples, ABOVE_HZ, RATE) > -45.0);
}

#[rstest]
#[case::skip(&["play"])]
#[case::skip_twice_at_once(&["play", "play"])]
#[case::pause_and_resume(&["pause", "wait", "resume"])]
#[case::pause_taken_back(&["pause", "resume"])]
#[case::stop(&["stop"])]
#[case::stop_in_a_fading_pause(&["pause", "stop"])]
#[case::another_song_in_a_pause(&["pause", "wait", "play"])]
#[case::another_song_in_a_fading_pause(&["pause", "play"])]
#[case::volume(&["low", "wait", "high"])]
#[case::volume_turned_round(&["low", "high", "low"])]
fn orders_do_not_click(#[case] orders: &[&str]) {
    let mut stage = Stage::new(STEREO);
    stage.send(Command::Play(tone(&stage, 440.0, 20)));
    let mut heard = stage.left(2 * RATE as usize + 1_234);
    let mut hz = 500.0;
    for order in orders {
        match *order {
            "play" => {
                hz += 61.0;
                let next = tone(&stage, hz, 20);
                stage.send(Command::Play(next));
            }
            "pause" => stage.send(Command::Pause),
            "resume" => stage.send(Command::Resume),
            "stop" => stage.send(Command::Stop),
            "low" => stage.send(Command::Volume(0.5)),
            "high" => stage.send(Command::Volume(1.0)),
            _ => heard.extend(stage.left(RATE as usize)),
        }
        heard.extend(stage.left(2_003));
    }
    heard.extend(stage.left(RATE as usize));
    let click = click_db(&heard, ABOVE_HZ, RATE);
    eprintln!("{orders:?}: {click:.1} dBFS");
    assert!(click < INAUDIBLE_DB, "{click:.1} dBFS");
}

#[rstest]
#[case::long(2_000)]
#[case::short(100)]
fn crossfades_do_not_click(#[case] crossfade_ms: u64) {
    let mut stage = Stage::new(STEREO);
    let first = Track { cue_out: ms(3_000), ..tone(&stage, 440.0, 4) };
    let second = Track { crossfade: ms(crossfade_ms), ..track(&tone(&stage, 880.0, 4).path, ms(3_333)) };
    stage.send(Command::Play(first));
    stage.send(Command::Next(Some(second)));
    let heard = stage.seconds(7.0);
    let click = click_db(&heard, ABOVE_HZ, RATE);
    eprintln!("{click:.1} dBFS");
    assert!(click < INAUDIBLE_DB, "{click:.1} dBFS");
}

#[rstest]
#[case::pause(Command::Pause, -100.0)]
#[case::stop(Command::Stop, -100.0)]
#[case::volume(Command::Volume(0.0), -100.0)]
fn orders_are_obeyed_within_200_ms(#[case] order: Command, #[case] below_db: f64) {
    let mut stage = Stage::new(STEREO);
    stage.send(Command::Play(tone(&stage, 440.0, 20)));
    stage.seconds(2.0);
    stage.send(order);
    let heard = stage.seconds(1.0);
    assert!(power_db(&heard[RATE as usize / 5..]) < below_db);
}

#[test]
fn a_skip_is_over_within_200_ms_and_the_old_song_is_said_to_be_skipped() {
    let mut stage = Stage::new(STEREO);
    let (old, new) = (tone(&stage, 440.0, 20), tone(&stage, 880.0, 20));
    stage.send(Command::Play(old.clone()));
    stage.seconds(2.0);
    stage.send(Command::Play(new.clone()));
    stage.seconds(0.2);
    assert_eq!(stage.told(&[&old, &new]), "+1 +2 -1");
    let (end, heard, _) = stage.end_of(old.play).unwrap();
    assert_eq!(end, PlayEnd::Skipped);
    assert!(heard > ms(2_150) && heard < ms(2_200), "{heard:?}");
}
