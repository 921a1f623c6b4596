//! What each order does, and what is told of it.

use std::time::Duration;

use roomtone_player::engine::{Command, Track};
use roomtone_schema::play::PlayEnd;

use crate::signals::{noise, power_db};
use crate::stage::{RATE, STEREO, Stage, ms, track};

fn songs(stage: &Stage) -> [Track; 3] {
    [1, 2, 3].map(|at| {
        track(&stage.song(&format!("{at}.wav"), RATE, &noise(at, 0.2, 3 * RATE as usize)), ms(3_000))
    })
}

#[test]
fn nothing_plays_before_it_is_ordered() {
    let mut stage = Stage::new(STEREO);
    let [first, ..] = songs(&stage);
    stage.send(Command::Next(Some(first.clone())));
    assert!(stage.seconds(1.0).iter().all(|sample| *sample == 0.0));
    assert_eq!(stage.told(&[&first]), "");
}

#[test]
fn the_next_song_can_be_changed_until_it_begins() {
    let mut stage = Stage::new(STEREO);
    let [first, second, third] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.send(Command::Next(Some(second.clone())));
    stage.seconds(1.0);
    stage.send(Command::Next(Some(third.clone())));
    stage.seconds(3.0);
    assert_eq!(stage.told(&[&first, &second, &third]), "+1 +3 -1");
}

#[test]
fn a_song_that_comes_after_the_silence_begins_at_once() {
    let mut stage = Stage::new(STEREO);
    let [first, second, _] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.seconds(4.0);
    assert_eq!(stage.told(&[&first]), "+1 -1 .");
    stage.send(Command::Next(Some(second.clone())));
    assert!(power_db(&stage.seconds(0.5)) > -30.0);
    assert_eq!(stage.told(&[&first, &second]), "+1 -1 . +2");
}

#[test]
fn the_next_song_can_be_hurried() {
    let mut stage = Stage::new(STEREO);
    let [first, second, third] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.send(Command::Next(Some(second.clone())));
    stage.seconds(1.0);
    stage.send(Command::Play(second.clone()));
    stage.send(Command::Next(Some(third.clone())));
    stage.seconds(4.0);
    assert_eq!(stage.told(&[&first, &second, &third]), "+1 +2 -1 +3 -2");
    assert_eq!(stage.end_of(first.play).unwrap().0, PlayEnd::Skipped);
    assert_eq!(stage.end_of(second.play).unwrap().0, PlayEnd::Finished);
}

#[test]
fn a_stop_ends_the_play_and_forgets_the_next_song() {
    let mut stage = Stage::new(STEREO);
    let [first, second, third] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.send(Command::Next(Some(second.clone())));
    stage.seconds(1.0);
    stage.send(Command::Stop);
    assert!(stage.seconds(5.0)[RATE as usize..].iter().all(|sample| *sample == 0.0));
    assert_eq!(stage.told(&[&first, &second]), "+1 -1");
    let (end, heard, _) = stage.end_of(first.play).unwrap();
    assert_eq!((end, heard.abs_diff(ms(1_150)) < ms(10)), (PlayEnd::Stopped, true));
    stage.send(Command::Play(third.clone()));
    assert!(power_db(&stage.seconds(0.5)) > -30.0);
}

#[test]
fn a_song_that_is_ordered_in_a_pause_ends_the_pause_and_one_paused_before_it_came_waits() {
    let mut stage = Stage::new(STEREO);
    let [first, second, third] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.seconds(1.0);
    stage.send(Command::Pause);
    stage.seconds(1.0);
    stage.send(Command::Play(second.clone()));
    assert!(power_db(&stage.seconds(0.5)) > -30.0);
    assert!(!stage.offline.snapshot().paused);
    stage.send(Command::Play(third.clone()));
    stage.send(Command::Pause);
    assert!(stage.seconds(1.0)[RATE as usize / 5..].iter().all(|sample| sample.abs() < 1e-6));
    assert_eq!(stage.told(&[&first, &second, &third]), "+1 +2 -1");
    stage.send(Command::Resume);
    stage.seconds(1.0);
    assert_eq!(stage.told(&[&first, &second, &third]), "+1 +2 -1 +3 -2");
}

#[test]
fn many_skips_at_once_end_each_song_once() {
    let mut stage = Stage::new(STEREO);
    let tracks: Vec<Track> = (0..20).map(|_| songs(&stage)[0].clone()).collect();
    let tracks: Vec<Track> = tracks.iter().map(|song| track(&song.path, ms(3_000))).collect();
    for song in &tracks {
        stage.send(Command::Play(song.clone()));
        stage.render(480);
    }
    stage.seconds(4.0);
    let ended = tracks.iter().filter(|song| stage.end_of(song.play).is_some()).count();
    let told = stage.told(&tracks.iter().collect::<Vec<_>>());
    assert_eq!(ended, told.matches('+').count(), "{told}");
    assert_eq!(stage.end_of(tracks[19].play).unwrap().0, PlayEnd::Finished);
}

#[test]
fn the_volume_is_by_ear_and_kept_over_a_pause() {
    let mut stage = Stage::new(STEREO);
    let [first, ..] = songs(&stage);
    stage.send(Command::Play(first));
    let full = power_db(&stage.seconds(0.5)[4_800..]);
    stage.send(Command::Volume(0.5));
    stage.seconds(0.2);
    let half = power_db(&stage.seconds(0.5));
    assert!((full - half - 18.06).abs() < 0.3, "{}", full - half);
    stage.send(Command::Pause);
    stage.seconds(0.5);
    stage.send(Command::Resume);
    stage.seconds(0.2);
    let after = power_db(&stage.seconds(0.5));
    assert!((after - half).abs() < 0.3, "{after} {half}");
    assert!((stage.offline.snapshot().volume - 0.5).abs() < f32::EPSILON);
}

#[test]
fn what_was_heard_is_never_more_than_the_song() {
    let mut stage = Stage::new(STEREO);
    let [first, second, _] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.send(Command::Next(Some(second.clone())));
    stage.seconds(7.0);
    assert_eq!(stage.end_of(first.play).unwrap().1, Duration::from_secs(3));
    assert_eq!(stage.end_of(second.play).unwrap().1, Duration::from_secs(3));
}
