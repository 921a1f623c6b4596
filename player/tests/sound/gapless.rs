//! Two files that were one recording are one recording again.

use std::time::Duration;

use roomtone_player::deck::Form;
use roomtone_player::engine::Command;
use rstest::rstest;

use crate::signals::{Mono, Width, channel, encoded, noise, sine, write_wav};
use crate::stage::{RATE, STEREO, Stage, track};

fn length(frames: usize, rate: u32) -> Duration {
    Duration::from_secs_f64(frames as f64 / f64::from(rate))
}

/// As the hub says it: in whole milliseconds.
fn rounded(length: Duration) -> Duration {
    Duration::from_millis((length.as_secs_f64() * 1000.0).round() as u64)
}

#[rstest]
#[case("wav", Width::Int16)]
#[case("wav", Width::Int24)]
#[case("wav", Width::Float)]
#[case("flac", Width::Int16)]
#[case("flac", Width::Int24)]
fn a_recording_cut_in_two_is_whole_again_bit_by_bit(#[case] ending: &str, #[case] width: Width) {
    let mut stage = Stage::new(STEREO);
    // No whole number of milliseconds, blocks or packets.
    let (first, all) = (100_003, 250_007);
    let whole: [Mono; 2] = [noise(1, 0.5, all), noise(2, 0.5, all)];
    let paths = [(0, first), (first, all)].map(|(from, to)| {
        let path = stage.path(&format!("{from}.wav"));
        write_wav(&path, RATE, width, &[&whole[0][from..to].to_vec(), &whole[1][from..to].to_vec()]);
        path
    });
    let uncut = stage.path("uncut.wav");
    write_wav(&uncut, RATE, width, &[&whole[0], &whole[1]]);
    let mut expected = Stage::new(STEREO);
    expected.send(Command::Play(track(&uncut, length(all, RATE))));
    let expected = expected.render(all + 1_000);

    let mut tracks = Vec::new();
    for (path, frames) in paths.iter().zip([first, all - first]) {
        let Some(path) = encoded("a_recording_cut_in_two_is_whole_again_bit_by_bit", path, ending) else {
            return;
        };
        tracks.push(track(&path, rounded(length(frames, RATE))));
    }
    stage.send(Command::Play(tracks[0].clone()));
    stage.send(Command::Next(Some(tracks[1].clone())));
    let heard = stage.render(all + 1_000);
    assert_eq!(heard.len(), expected.len());
    let differs =
        heard.iter().zip(&expected).position(|(heard, expected)| heard.to_bits() != expected.to_bits());
    assert_eq!(differs.map(|at| at / 2), None);
    assert_eq!(stage.told(&[&tracks[0], &tracks[1]]), "+1 +2 -1 -2 .");
}

/// How many frames of a file reach the output, by what the engine counts, and the samples.
fn played(ending: &str, rate: u32, song: &Mono) -> Option<(usize, Mono)> {
    let form = Form { rate, channels: 2 };
    let mut stage = Stage::new(form);
    let wav = stage.path("song.wav");
    write_wav(&wav, rate, Width::Int16, &[song, song]);
    let path = encoded("lossy_files_lose_and_gain_nothing", &wav, ending)?;
    let track = track(&path, rounded(length(song.len(), rate)));
    stage.send(Command::Play(track.clone()));
    let samples = stage.render(song.len() + rate as usize / 2);
    let heard = stage.end_of(track.play).expect("it ended").1;
    let delay = stage.offline.delay();
    Some(((heard.as_secs_f64() * f64::from(rate)).round() as usize, channel(&samples, 2, 0).split_off(delay)))
}

/// By how many frames `heard` is later than `song`, where the two are most alike.
fn lag(song: &Mono, heard: &Mono, at_most: i64) -> i64 {
    let window = 20_000..24_000_usize;
    let alike = |lag: i64| {
        window.clone().map(|at| song[at] * heard[at.checked_add_signed(lag as isize).unwrap()]).sum::<f64>()
    };
    (-at_most..=at_most).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap()
}

#[rstest]
#[case("mp3", 44_100, 0)]
#[case("mp3", 48_000, 0)]
#[case("ogg", 44_100, 0)]
#[case("ogg", 48_000, 0)]
#[case("flac", 44_100, 0)]
#[case("m4a", 44_100, 50)]
#[case("m4a", 48_000, 50)]
fn lossy_files_lose_and_gain_nothing(#[case] ending: &str, #[case] rate: u32, #[case] slack_ms: usize) {
    let frames = 120_011;
    // Noise that has one place where it fits, and that any encoder keeps.
    let mut song = noise(7, 1.0, frames);
    let mut low = 0.0;
    for sample in &mut song {
        low += 0.2 * (*sample - low);
        *sample = low;
    }
    let Some((played, heard)) = played(ending, rate, &song) else { return };
    let slack = slack_ms * rate as usize / 1000;
    assert!(played.abs_diff(frames) <= slack, "{played} of {frames} frames");
    let lag = lag(&song, &heard, slack as i64 + 600);
    assert!(lag.unsigned_abs() as usize <= slack, "{lag} frames late");
}

/// A tone over the seam of two files at another rate than the output's.
#[rstest]
#[case("wav")]
#[case("flac")]
fn between_two_files_of_another_rate_there_is_no_hole(#[case] ending: &str) {
    let mut stage = Stage::new(STEREO);
    let (rate, first, all) = (44_100, 88_200, 176_400);
    // Cut at its crest.
    let tone = sine(441.0, 0.5, rate, all + 25).split_off(25);
    let mut tracks = Vec::new();
    for (from, to) in [(0, first), (first, all)] {
        let wav = stage.song(&format!("{from}.wav"), rate, &tone[from..to].to_vec());
        let Some(path) = encoded("between_two_files_of_another_rate_there_is_no_hole", &wav, ending) else {
            return;
        };
        tracks.push(track(&path, length(to - from, rate)));
    }
    stage.send(Command::Play(tracks[0].clone()));
    stage.send(Command::Next(Some(tracks[1].clone())));
    let heard = stage.seconds(4.0);
    let seam = 96_000 + stage.offline.delay();
    let late = 25.0 / f64::from(rate) * f64::from(RATE);
    let expected =
        |at: usize| 0.5 * (std::f64::consts::TAU * 441.0 * (at as f64 + late) / f64::from(RATE)).sin();
    let off = (seam - 200..seam + 200).map(|at| (heard[at] - expected(at - stage.offline.delay())).abs());
    let worst = off.fold(0.0, f64::max);
    eprintln!("{worst:.6} off at the seam");
    assert!(worst < 0.002, "{worst}");
}
