//! Files that are not what they should be: the show goes on.

use std::time::Duration;

use roomtone_player::engine::{Command, Track};
use roomtone_schema::play::PlayEnd;
use rstest::rstest;

use crate::signals::{encoded, noise, power_db};
use crate::stage::{RATE, STEREO, Stage, ms, track};

fn good(stage: &Stage) -> Track {
    track(&stage.song("good.wav", RATE, &noise(99, 0.2, 3 * RATE as usize)), ms(3_000))
}

#[rstest]
#[case::nothing(b"".to_vec())]
#[case::text(b"<html><body>404 Not Found</body></html>".repeat(100))]
#[case::garbage(noise(5, 1.0, 50_000).iter().map(|value| (value * 127.0) as i8 as u8).collect())]
#[case::half_a_header(b"RIFF\x24\x00\x00\x00WAVEfmt ".to_vec())]
#[case::only_a_header(b"fLaC\x00\x00\x00\x22".to_vec())]
fn a_file_that_is_no_music_fails_and_the_song_before_goes_on(#[case] content: Vec<u8>) {
    let mut stage = Stage::new(STEREO);
    let (first, last) = (good(&stage), good(&stage));
    let bad = track(&stage.path("bad.bin"), ms(3_000));
    std::fs::write(&bad.path, content).unwrap();
    stage.send(Command::Play(first.clone()));
    stage.seconds(0.5);
    stage.send(Command::Next(Some(bad.clone())));
    stage.seconds(1.0);
    let (end, heard, why) = stage.end_of(bad.play).expect("told at once");
    assert_eq!((end, heard), (PlayEnd::Failed, Duration::ZERO));
    assert!(why.as_ref().is_some_and(|why| why.starts_with("the file")), "{why:?}");
    stage.send(Command::Next(Some(last.clone())));
    stage.seconds(6.0);
    assert_eq!(stage.told(&[&first, &bad, &last]), "+1 -2 +3 -1 -3 .");
}

#[test]
fn a_file_that_is_not_there_fails_and_there_is_nothing_to_play() {
    let mut stage = Stage::new(STEREO);
    let missing = track(&stage.path("missing.wav"), ms(3_000));
    stage.send(Command::Play(missing.clone()));
    stage.seconds(0.1);
    assert_eq!(stage.told(&[&missing]), "-1 .");
    let why = stage.end_of(missing.play).unwrap().2.unwrap();
    assert!(why.starts_with("the file cannot be read"), "{why}");
}

#[test]
fn a_broken_song_that_was_ordered_leaves_the_current_one_alone() {
    let mut stage = Stage::new(STEREO);
    let (first, missing) = (good(&stage), track(&stage.path("missing.wav"), ms(3_000)));
    stage.send(Command::Play(first.clone()));
    stage.seconds(1.0);
    stage.send(Command::Play(missing.clone()));
    let heard = stage.seconds(1.5);
    assert!(heard.chunks(4_800).all(|part| power_db(part) > -30.0));
    assert_eq!(stage.told(&[&first, &missing]), "+1 -2");
}

#[rstest]
#[case("wav")]
#[case("flac")]
#[case("ogg")]
#[case("mp3")]
#[case("m4a")]
fn a_file_that_was_cut_off_fails_and_the_next_one_begins_at_once(#[case] ending: &str) {
    let mut stage = Stage::new(STEREO);
    let wav = stage.song("cut.wav", RATE, &noise(3, 0.2, 10 * RATE as usize));
    let Some(path) = encoded("a_file_that_was_cut_off_fails_and_the_next_one_begins_at_once", &wav, ending)
    else {
        return;
    };
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let (cut, next) = (track(&path, ms(10_000)), good(&stage));
    stage.send(Command::Play(cut.clone()));
    stage.send(Command::Next(Some(next.clone())));
    let heard = stage.seconds(7.5);
    let (end, time, why) = stage.end_of(cut.play).expect("it has ended");
    assert_eq!(end, PlayEnd::Failed);
    assert!(why.as_ref().is_some_and(|why| why.starts_with("the file")), "{why:?}");
    if ending == "m4a" {
        // Its index is at its end: nothing of it can be played.
        assert_eq!(time, Duration::ZERO);
        return;
    }
    assert!((ms(4_000)..ms(6_000)).contains(&time), "{time:?}");
    assert_eq!(stage.told(&[&cut, &next]), "+1 +2 -1");
    assert!(heard[4_800..].chunks(4_800).all(|part| power_db(part) > -40.0), "a hole");
}

#[rstest]
#[case("flac")]
#[case("ogg")]
#[case("mp3")]
fn damage_in_the_middle_costs_a_moment_and_no_more(#[case] ending: &str) {
    let mut stage = Stage::new(STEREO);
    let wav = stage.song("hurt.wav", RATE, &noise(3, 0.2, 10 * RATE as usize));
    let Some(path) = encoded("damage_in_the_middle_costs_a_moment_and_no_more", &wav, ending) else { return };
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    for (at, byte) in bytes[middle..middle + 500].iter_mut().enumerate() {
        *byte = (at * 37 % 251) as u8;
    }
    std::fs::write(&path, &bytes).unwrap();
    let (hurt, next) = (track(&path, ms(10_000)), good(&stage));
    stage.send(Command::Play(hurt.clone()));
    stage.send(Command::Next(Some(next.clone())));
    stage.seconds(13.0);
    let (_, heard, why) = stage.end_of(hurt.play).expect("it has ended");
    assert!(heard > ms(8_500), "{heard:?} {why:?}");
    assert!(stage.told(&[&hurt, &next]).starts_with("+1 +2 -1"));
}

#[test]
fn samples_that_are_no_numbers_do_not_spoil_what_follows() {
    let mut stage = Stage::new(STEREO);
    let mut song = noise(4, 0.2, 2 * RATE as usize);
    song[20_000] = f64::NAN;
    song[20_001] = f64::INFINITY;
    let path = stage.path("odd.wav");
    crate::signals::write_wav(&path, RATE, crate::signals::Width::Float, &[&song, &song]);
    stage.send(Command::Play(track(&path, ms(2_000))));
    let heard = stage.seconds(1.9);
    assert!(heard.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0));
    assert!(power_db(&heard[80_000..]) > -20.0);
}
