//! The output is lost and another one is there: the show goes on where it was.

use std::time::Duration;

use roomtone_player::deck::Form;
use roomtone_player::engine::{Command, Event, Track};
use roomtone_schema::play::PlayEnd;
use rstest::rstest;

use crate::signals::{noise, power_db};
use crate::stage::{RATE, STEREO, Stage, ms, track};

fn songs(stage: &Stage) -> [Track; 3] {
    [1, 2, 3].map(|at| {
        let path = stage.song(&format!("{at}.wav"), RATE, &noise(at, 0.2, 6 * RATE as usize));
        Track { crossfade: ms(1_000), ..track(&path, ms(6_000)) }
    })
}

#[rstest]
#[case::the_same(STEREO)]
#[case::another_rate(Form { rate: 44_100, channels: 2 })]
#[case::another_width(Form { rate: 96_000, channels: 6 })]
fn the_song_goes_on_at_its_position_on_any_output(#[case] form: Form) {
    let mut stage = Stage::new(STEREO);
    let [first, second, _] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.send(Command::Next(Some(second.clone())));
    stage.seconds(2.0);
    stage.offline.reopen(form, ms(3_000));
    stage.form = form;
    let shown = stage.offline.snapshot();
    assert_eq!(shown.play, Some(first.play));
    assert!(shown.position.abs_diff(ms(2_000)) < ms(10), "{shown:?}");
    let heard = stage.seconds(9.5);
    let tenth = form.rate as usize / 10;
    assert!(
        heard[tenth..heard.len() - 10 * tenth].chunks(tenth).all(|part| power_db(part) > -30.0),
        "a hole"
    );
    assert_eq!(stage.told(&[&first, &second]), "+1 o o +2 -1 -2 .");
    for song in [&first, &second] {
        let (end, heard, _) = stage.end_of(song.play).unwrap();
        assert_eq!(end, PlayEnd::Finished);
        assert!(heard.abs_diff(ms(6_000)) < ms(10), "{heard:?}");
    }
}

#[test]
fn in_the_middle_of_a_crossfade_the_new_song_goes_on_and_the_old_one_has_ended() {
    let mut stage = Stage::new(STEREO);
    let [first, second, third] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.send(Command::Next(Some(second.clone())));
    stage.seconds(5.5);
    stage.send(Command::Next(Some(third.clone())));
    stage.offline.reopen(STEREO, ms(1_000));
    stage.seconds(1.0);
    assert_eq!(stage.told(&[&first, &second, &third]), "+1 +2 -1 o o");
    assert_eq!(stage.end_of(first.play).unwrap().0, PlayEnd::Finished);
    stage.seconds(12.0);
    assert_eq!(stage.told(&[&first, &second, &third]), "+1 +2 -1 o o +3 -2 -3 .");
}

/// What is ordered while there is no output is obeyed when there is one: here within one step, as nothing is rendered.
#[rstest]
#[case::play(&["play"], "+1 o o +2 -1", Some(2))]
#[case::pause(&["pause"], "+1 o o", Some(1))]
#[case::stop(&["stop"], "+1 o -1 o", None)]
#[case::stop_and_play(&["stop", "play"], "+1 o -1 o +2", Some(2))]
fn orders_are_not_lost_with_the_output(
    #[case] orders: &[&str],
    #[case] told: &str,
    #[case] plays: Option<usize>,
) {
    let mut stage = Stage::new(STEREO);
    let [first, second, _] = songs(&stage);
    stage.send(Command::Play(first.clone()));
    stage.seconds(2.0);
    stage.offline.lose();
    for order in orders {
        stage.send(match *order {
            "play" => Command::Play(second.clone()),
            "pause" => Command::Pause,
            _ => Command::Stop,
        });
    }
    stage.offline.reopen(STEREO, ms(500));
    let heard = stage.seconds(1.0);
    assert_eq!(stage.told(&[&first, &second]), told);
    let tracks = [&first, &second];
    assert_eq!(stage.offline.snapshot().play, plays.map(|at| tracks[at - 1].play));
    assert_eq!(power_db(&heard) > -60.0, orders.last() == Some(&"play"));
}

#[test]
fn trouble_is_told_once_and_its_end_too() {
    let mut stage = Stage::new(STEREO);
    stage.offline.lose();
    stage.offline.lose();
    assert!(stage.offline.snapshot().output_trouble.is_some());
    stage.offline.reopen(STEREO, Duration::ZERO);
    assert!(stage.offline.snapshot().output_trouble.is_some(), "it has not taken a sample yet");
    stage.render(1_000);
    let events = &stage.events;
    let troubles: Vec<bool> =
        events.iter().map(|event| matches!(event, Event::Output { trouble: Some(_) })).collect();
    assert_eq!(troubles, [true, false]);
    assert_eq!(stage.offline.snapshot().output_trouble, None);
}
